/** Quantizers by name; names stand for these objects wherever a quantizer is taken. */

import { OptionError } from '../../errors.ts';
import { type NamedMethod, namesIn, resolverOf } from '../method.ts';
import type { Quantizer } from '../quantizer.ts';
import * as QUANTIZERS from './all.ts';

export * from './all.ts';
export { QUANTIZERS };

export type QuantizerName = keyof typeof QUANTIZERS;
export const QUANTIZER_NAMES = /* @__PURE__ */ namesIn(QUANTIZERS);

/** A shipped quantizer by its name and numbers: `{ name: 'steSign', clip: 1.3 }`. */
export type NamedQuantizer = NamedMethod<typeof QUANTIZERS>;

/** A quantizer, the name of a shipped one, or its name and numbers. */
export type QuantizerLike = QuantizerName | Quantizer | NamedQuantizer;

/** Throws an OptionError for an unknown name, with the nearest one, or a number out of its bounds. */
export const resolveQuantizer = /* @__PURE__ */ resolverOf<Quantizer, QuantizerLike>('quantizer', QUANTIZERS);

/**
 * A quantizer of activations.
 * @throws OptionError as `resolveQuantizer` does, and for one whose rule is for the rows of weights
 */
export function resolveInputQuantizer(given: QuantizerLike, where: string): Quantizer {
  const quantizer = resolveQuantizer(given, where);
  if (quantizer.row === undefined) return quantizer;
  throw new OptionError('This quantizer is for weights: it needs statistics of a filter.', {
    given: quantizer.name,
    where,
    remedy: "give it as kernelQuantizer, and 'steSign' say for the input",
  });
}
