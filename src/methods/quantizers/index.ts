/** Quantizers by name; names stand for these objects wherever a quantizer is taken. */

import { OptionError } from '../../errors.ts';
import { type MethodLike, resolveMethod } from '../method.ts';
import type { Quantizer } from '../quantizer.ts';
import { adaBin } from './ada-bin.ts';
import { approxSign } from './approx-sign.ts';
import { irNet } from './ir-net.ts';
import { magnitudeAwareSign } from './magnitude-aware-sign.ts';
import { siMan } from './si-man.ts';
import { steIdentity } from './ste-identity.ts';
import { steSign } from './ste-sign.ts';
import { swishSign } from './swish-sign.ts';

export { adaBin, approxSign, irNet, magnitudeAwareSign, siMan, steIdentity, steSign, swishSign };

export const QUANTIZERS = {
  steSign,
  steIdentity,
  approxSign,
  swishSign,
  magnitudeAwareSign,
  irNet,
  adaBin,
  siMan,
} as const;

export type QuantizerName = keyof typeof QUANTIZERS;
export const QUANTIZER_NAMES = /* @__PURE__ */ Object.keys(QUANTIZERS) as readonly QuantizerName[];

/** A quantizer, the name of a shipped one, or its name and numbers: `{ name: 'steSign', clip: 1.3 }`. */
export type QuantizerLike =
  | QuantizerName
  | Quantizer
  | {
      readonly name: QuantizerName;
      readonly clip?: number;
      readonly beta?: number;
      readonly steepness?: number;
    };

/** @throws OptionError for an unknown name, with the nearest one, or a number out of its bounds */
export function resolveQuantizer(given: QuantizerLike, where: string): Quantizer {
  return resolveMethod<Quantizer>('quantizer', given as MethodLike<Quantizer>, QUANTIZERS, where);
}

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
