/**
 * Quantizers by name or as objects, wherever a layer takes one. All of them give sign(x) in {−1, +1} with sign(0) = +1;
 * they differ in the gradient that they pass, since the derivative of sign is zero almost everywhere.
 *
 * | name          | gradient passed                                   | source                                    |
 * |---------------|---------------------------------------------------|-------------------------------------------|
 * | `steSign`     | 1 where \|x\| ≤ clip (1), else 0                  | Hubara et al. 2016, arXiv 1602.02830      |
 * | `steIdentity` | 1                                                 | Bengio et al. 2013, arXiv 1308.3432       |
 * | `approxSign`  | 2 − 2\|x\| where \|x\| ≤ 1, else 0                | Liu et al. 2018 (Bi-Real Net), eq. 6      |
 * | `swishSign`   | β(2 − βx·tanh(βx/2)) / (1 + cosh(βx)), β = 5      | Darabi et al. 2018 (BNN+), arXiv 1812.11800 |
 */
import { OptionError } from '../errors.ts';
import type { QuantizerName } from '../ops/quantize.ts';

export type { QuantizerName };
export const QUANTIZER_NAMES: readonly QuantizerName[] = [
  'steSign',
  'steIdentity',
  'approxSign',
  'swishSign',
];

export interface Quantizer {
  readonly name: QuantizerName;
  /** Half width of the window in which `steSign` passes the gradient; 1 when absent. */
  readonly clip?: number;
  /** Steepness of `swishSign`; 5 when absent. */
  readonly beta?: number;
}

export type QuantizerLike = QuantizerName | Quantizer;

/** @throws OptionError for an unknown name, listing the known ones, or a parameter that isn't positive */
export function resolveQuantizer(given: QuantizerLike, where: string): Quantizer {
  const quantizer: Quantizer = typeof given === 'string' ? { name: given } : given;
  if (!QUANTIZER_NAMES.includes(quantizer.name)) {
    throw new OptionError('There is no quantizer of this name.', {
      given: String(quantizer.name),
      expected: QUANTIZER_NAMES.join(', '),
      where,
    });
  }
  for (const [name, value] of Object.entries({ clip: quantizer.clip, beta: quantizer.beta })) {
    if (value !== undefined && !(value > 0)) {
      throw new OptionError("A quantizer's parameter must be positive.", {
        given: `${name} = ${value}`,
        where,
      });
    }
  }
  return quantizer;
}
