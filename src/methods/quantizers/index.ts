/** Quantizers by name; names stand for these objects wherever a quantizer is taken. */
import { type MethodLike, resolveMethod } from '../method.ts';
import type { Quantizer } from '../quantizer.ts';
import { approxSign } from './approx-sign.ts';
import { steIdentity } from './ste-identity.ts';
import { steSign } from './ste-sign.ts';
import { swishSign } from './swish-sign.ts';

export { approxSign, steIdentity, steSign, swishSign };

export const QUANTIZERS = { steSign, steIdentity, approxSign, swishSign } as const;

export type QuantizerName = keyof typeof QUANTIZERS;
export const QUANTIZER_NAMES = /* @__PURE__ */ Object.keys(QUANTIZERS) as readonly QuantizerName[];

/** A quantizer, the name of a shipped one, or its name and numbers: `{ name: 'steSign', clip: 1.3 }`. */
export type QuantizerLike =
  | QuantizerName
  | Quantizer
  | { readonly name: QuantizerName; readonly clip?: number; readonly beta?: number };

/** @throws OptionError for an unknown name, with the nearest one, or a number out of its bounds */
export function resolveQuantizer(given: QuantizerLike, where: string): Quantizer {
  return resolveMethod<Quantizer>('quantizer', given as MethodLike<Quantizer>, QUANTIZERS, where);
}
