/** Factories of the layers that most networks are made of, and how a layer is made by its kind. */
import { FormatError, OptionError } from '../errors.ts';
import { sign } from './activations.ts';
import { binaryConv2d, binaryDense } from './binary-products.ts';
import { conv2d, quantConv2d } from './conv2d.ts';
import { dense, quantDense } from './dense.ts';
import { affine, threshold } from './inference.ts';
import type { Layer } from './layer.ts';
import { batchNormalization } from './normalization.ts';
import { maxPool2d, signPool2d } from './pooling.ts';
import { flatten } from './reshaping.ts';

/** By the `kind` of the layers that they make, which is their own name. */
export const COMMON = {
  affine,
  batchNormalization,
  binaryConv2d,
  binaryDense,
  conv2d,
  dense,
  flatten,
  maxPool2d,
  quantConv2d,
  quantDense,
  sign,
  signPool2d,
  threshold,
};

/**
 * Makes a layer from its `kind` and its `config`.
 * @param where for errors
 * @throws FormatError for an unknown kind, listing the known ones; what the factory throws for a config that isn't right
 */
export type MakeLayer = (kind: string, config: Readonly<Record<string, unknown>>, where: string) => Layer;

/**
 * What makes layers of a kind that isn't this library's own: an object with `make`, a function with a `kind`, or a class
 * with a static `kind`; functions and classes are called with the config.
 */
export type LayerFactory =
  | { readonly kind: string; make(config: Readonly<Record<string, unknown>>): Layer }
  | (((config: never) => Layer) & { readonly kind: string })
  | ((new (config: never) => Layer) & { readonly kind: string });

/** `makeLayer` of some factories. */
export function makerOf(factories: object): MakeLayer {
  return (kind, config, where) => {
    const own = Object.entries(factories).find(([name]) => name === kind);
    if (own === undefined) {
      throw new FormatError('There is no layer of this kind.', {
        given: kind.slice(0, 80),
        expected: Object.keys(factories).join(', '),
        where,
        remedy: `if it is a layer of your own, hand in what makes it: loadModel(file, { with: [${kind.slice(0, 80)}] })`,
      });
    }
    // A factory checks its options itself.
    const [, factory] = own as [string, (options: Readonly<Record<string, unknown>>) => Layer];
    return factory(config);
  };
}

/**
 * `make`, and the kinds of layers that a guest brings.
 * @throws OptionError for a guest that is no factory, or makes layers of another kind
 */
export function makerWith(guests: readonly LayerFactory[], make: MakeLayer): MakeLayer {
  const malformed = guests.find(
    (guest) =>
      typeof guest?.kind !== 'string' || !(typeof guest === 'function' || typeof guest.make === 'function'),
  );
  if (malformed !== undefined) {
    throw new OptionError('This makes no layers.', {
      given: String(malformed),
      expected: '{ kind, make(config) }, or a function or a class with a static kind',
      where: 'with',
    });
  }
  return (kind, config, where) => {
    const guest = guests.find((one) => one.kind === kind);
    if (guest === undefined) return make(kind, config, where);
    const made = layerOf(guest, config);
    if (typeof made?.forward !== 'function' || made.kind !== kind) {
      throw new OptionError('A factory made something else than a layer of its kind.', {
        given: String(made?.kind),
        expected: `a layer of kind ${kind}`,
        where,
      });
    }
    return made;
  };
}

function layerOf(guest: LayerFactory, config: Readonly<Record<string, unknown>>): Layer {
  if (typeof guest !== 'function') return guest.make(config);
  type Class = new (config: Readonly<Record<string, unknown>>) => Layer;
  type Maker = (config: Readonly<Record<string, unknown>>) => Layer;
  // What a class was compiled to has its layer's methods in its prototype.
  const isClass =
    /^class\b/.test(Function.prototype.toString.call(guest)) || 'forward' in (guest.prototype ?? {});
  return isClass ? new (guest as unknown as Class)(config) : (guest as unknown as Maker)(config);
}

/** `makeLayer` for some kinds; the factories of rarer ones are loaded if they are among them. */
export async function loadMaker(kinds: readonly string[]): Promise<MakeLayer> {
  if (kinds.every((kind) => Object.hasOwn(COMMON, kind))) return makerOf(COMMON);
  const { OTHERS } = await import('./others.ts');
  return makerOf({ ...COMMON, ...OTHERS });
}
