/** How a layer is made by its kind: of this library, or of a guest. */
import { FormatError, listed, OptionError } from '../errors.ts';
import type { AnyQuantizerFactory } from '../methods/index.ts';
import { isQuantizerFactory } from '../methods/quantizer.ts';
import { nearest } from '../options.ts';
import type { Layer } from './layer.ts';

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

/** What a file can't hold of a network and a guest brings: what makes its layers and its quantizers. */
export type Guest = LayerFactory | AnyQuantizerFactory;

/** The guests that make layers. @throws OptionError for what makes neither layers nor quantizers */
export function layerFactories(guests: readonly Guest[]): LayerFactory[] {
  return guests.flatMap((guest) => {
    if (isQuantizerFactory(guest)) return [];
    const { kind, make } = (guest ?? {}) as { kind?: unknown; make?: unknown };
    if (typeof kind === 'string' && (typeof guest === 'function' || typeof make === 'function')) {
      return [guest as LayerFactory];
    }
    throw new OptionError('This makes neither layers nor quantizers.', {
      given: String(guest),
      expected:
        '{ kind, make(config) }, a function or a class with a static kind, or what defineQuantizer gave',
      where: 'with',
    });
  });
}

/**
 * `make`, and the layers and quantizers that guests bring. Quantizers are the options whose names end in "quantizer": there
 * the names of guests stand for their objects, in layers of this library and of guests alike.
 * @param shipped names of the library's own quantizers
 * @throws OptionError for a guest that makes neither, has a name that is taken, or makes layers of another kind
 */
export function makerWith(guests: readonly Guest[], make: MakeLayer, shipped: readonly string[]): MakeLayer {
  const factories = layerFactories(guests);
  const quantizers = { shipped, guests: quantizerFactories(guests, shipped) };
  return (kind, config, where) => {
    const whole = withQuantizers(config, quantizers, where);
    const guest = factories.find((one) => one.kind === kind);
    if (guest === undefined) return make(kind, whole, where);
    const made = layerOf(guest, whole);
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

interface Quantizers {
  readonly shipped: readonly string[];
  readonly guests: ReadonlyMap<string, AnyQuantizerFactory>;
}

/** Quantizers that guests bring, by their names. @throws OptionError for a name that is taken */
export function quantizerFactories(guests: readonly Guest[], names: readonly string[]): Quantizers['guests'] {
  const quantizers = new Map<string, AnyQuantizerFactory>();
  for (const guest of guests) {
    if (!isQuantizerFactory(guest)) continue;
    const { name } = guest.definition;
    const shipped = names.includes(name);
    if (shipped || quantizers.has(name)) {
      throw new OptionError('This name of a quantizer is taken.', {
        given: name,
        where: 'with',
        remedy: shipped
          ? 'a quantizer of this library has it: leave yours away, or call it otherwise'
          : 'two of those handed in have it: leave one away',
      });
    }
    quantizers.set(name, guest);
  }
  return quantizers;
}

/** A layer's options with objects in place of the names of guests' quantizers. @throws FormatError for an unknown name */
function withQuantizers(
  config: Readonly<Record<string, unknown>>,
  quantizers: Quantizers,
  where: string,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(config).map(([option, value]) => {
      const name = quantizerIn(option, value);
      if (name === undefined || quantizers.shipped.includes(name)) return [option, value];
      const factory = quantizers.guests.get(name);
      if (factory === undefined) throw unknownQuantizer(name, quantizers, `${where}: ${option}`);
      const { name: _, ...numbers } = typeof value === 'string' ? { name } : (value as { name: string });
      return [option, factory(numbers as never)];
    }),
  );
}

/** The name of the quantizer that an option notes; undefined for what notes none. */
export function quantizerIn(option: string, value: unknown): string | undefined {
  if (!/quantizer$/i.test(option)) return undefined;
  const name = typeof value === 'object' && value !== null && 'name' in value ? value.name : value;
  return typeof name === 'string' ? name : undefined;
}

function unknownQuantizer(name: string, quantizers: Quantizers, where: string): FormatError {
  const known = [...quantizers.shipped, ...quantizers.guests.keys()];
  const near = nearest(name, known);
  const given = name.slice(0, 80);
  const own = `if it is one of your own, hand in what makes it: loadModel(file, { with: [${given}] })`;
  return new FormatError('There is no quantizer of this name.', {
    given,
    expected: listed(known),
    where,
    remedy: near === undefined ? own : `did you mean ${near}? ${own}`,
  });
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
