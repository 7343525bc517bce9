/** Factories of the layers that most networks are made of, and how a layer is made by its kind. */
import { FormatError } from '../errors.ts';
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

/** `makeLayer` of some factories. */
export function makerOf(factories: object): MakeLayer {
  return (kind, config, where) => {
    const own = Object.entries(factories).find(([name]) => name === kind);
    if (own === undefined) {
      throw new FormatError('There is no layer of this kind.', {
        given: kind.slice(0, 80),
        expected: Object.keys(factories).join(', '),
        where,
      });
    }
    // A factory checks its options itself.
    const [, factory] = own as [string, (options: Readonly<Record<string, unknown>>) => Layer];
    return factory(config);
  };
}

/** `makeLayer` for some kinds; the factories of rarer ones are loaded if they are among them. */
export async function loadMaker(kinds: readonly string[]): Promise<MakeLayer> {
  if (kinds.every((kind) => Object.hasOwn(COMMON, kind))) return makerOf(COMMON);
  const { OTHERS } = await import('./others.ts');
  return makerOf({ ...COMMON, ...OTHERS });
}
