/**
 * Quantizers: sign forward, and backward the derivative of a surrogate, since the derivative of sign is 0 almost
 * everywhere. Every surrogate is given with its gradient, so that one can be checked against the other.
 */
import { packSigns } from './pack.ts';

/** A quantizer to {−1, +1}, by Larq's names. */
export type QuantizerName = 'steSign' | 'steIdentity' | 'approxSign' | 'swishSign';

export interface SurrogateOptions {
  /** Half width of the window in which `steSign` passes the gradient. */
  readonly clip?: number;
  /** Steepness of `swishSign`. */
  readonly beta?: number;
}

/** What `steSign` and `swishSign` use when nothing is said. */
export const DEFAULT_CLIP = 1;
export const DEFAULT_BETA = 5;

/**
 * The function whose derivative stands in for that of sign.
 *
 * - `steSign` (Hubara et al. 2016): x clipped to [−clip, clip]
 * - `steIdentity` (Bengio et al. 2013): x
 * - `approxSign` (Liu et al. 2018, Bi-Real Net): −1; 2x + x² from −1 to 0; 2x − x² from 0 to 1; 1
 * - `swishSign` (Darabi et al. 2018, BNN+): 2σ(βx)·(1 + βx·(1 − σ(βx))) − 1, σ the logistic function
 */
export function surrogate(
  quantizer: QuantizerName,
  x: number,
  { clip = DEFAULT_CLIP, beta = DEFAULT_BETA }: SurrogateOptions = {},
): number {
  switch (quantizer) {
    case 'steSign':
      return Math.max(-clip, Math.min(clip, x));
    case 'steIdentity':
      return x;
    case 'approxSign':
      return Math.abs(x) >= 1 ? Math.sign(x) : 2 * x - x * Math.abs(x);
    case 'swishSign': {
      const sigmoid = 1 / (1 + Math.exp(-beta * x));
      return 2 * sigmoid * (1 + beta * x * (1 - sigmoid)) - 1;
    }
  }
}

/**
 * The gradient that a quantizer passes at x.
 *
 * - `steSign`: 1 where |x| ≤ clip, else 0 (NaN: 0)
 * - `steIdentity`: 1
 * - `approxSign`: 2 − 2|x| where |x| ≤ 1, else 0
 * - `swishSign`: β(2 − βx·tanh(βx/2)) / (1 + cosh(βx))
 */
export function surrogateGradient(
  quantizer: QuantizerName,
  x: number,
  { clip = DEFAULT_CLIP, beta = DEFAULT_BETA }: SurrogateOptions = {},
): number {
  switch (quantizer) {
    case 'steSign':
      return Math.abs(x) <= clip ? 1 : 0;
    case 'steIdentity':
      return 1;
    case 'approxSign':
      return Math.abs(x) <= 1 ? 2 - 2 * Math.abs(x) : 0;
    case 'swishSign': {
      const z = beta * x;
      return (beta * (2 - z * Math.tanh(z / 2))) / (1 + Math.cosh(z));
    }
  }
}

/**
 * Sign bits and the gate bits of `steSign`: 1 where |x| ≤ clip, so that the gradient passes.
 * @returns two times `rows * ceil(channels / 32)` words, tail bits 0
 */
export function binarize(
  x: ArrayLike<number>,
  rows: number,
  channels: number,
  clip = DEFAULT_CLIP,
): { bits: Uint32Array<ArrayBuffer>; gate: Uint32Array<ArrayBuffer> } {
  // Packing marks what is below zero.
  const passes = Array.from(x, (value) => (surrogateGradient('steSign', value, { clip }) === 1 ? -1 : 1));
  return { bits: packSigns(x, rows, channels), gate: packSigns(passes, rows, channels) };
}

/** gradOutput ⊙ surrogateGradient(x). */
export function binarizeGrad(
  gradOutput: ArrayLike<number>,
  x: ArrayLike<number>,
  quantizer: QuantizerName,
  options: SurrogateOptions = {},
): Float64Array<ArrayBuffer> {
  return Float64Array.from(
    gradOutput,
    (g, index) => g * surrogateGradient(quantizer, x[index] ?? 0, options),
  );
}
