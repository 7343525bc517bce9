/** Bias, concatenation and dropout on rows of channels. */
import { dropoutThreshold, pcg4d } from '../numerics/random.ts';

/** x [rows, channels] + bias [channels]. */
export function addBias(x: ArrayLike<number>, bias: ArrayLike<number>): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: x.length }, (_, i) => (x[i] ?? 0) + (bias[i % bias.length] ?? 0));
}

/** Sums of each column of x [rows, channels]: the gradient of a bias. */
export function columnSums(x: ArrayLike<number>, channels: number): Float64Array<ArrayBuffer> {
  const sums = new Float64Array(channels);
  for (let i = 0; i < x.length; i++) sums[i % channels] = (sums[i % channels] ?? 0) + (x[i] ?? 0);
  return sums;
}

/** Matrices of `rows` rows side by side. */
export function concat(parts: readonly ArrayLike<number>[], rows: number): Float64Array<ArrayBuffer> {
  const out: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (const part of parts) {
      const columns = part.length / rows;
      for (let c = 0; c < columns; c++) out.push(part[row * columns + c] ?? 0);
    }
  }
  return Float64Array.from(out);
}

/**
 * The factor of each element: 0 with probability `rate` (to 2^-24), else 1/(1 − rate) (Srivastava et al. 2014, the
 * inverted form), drawn from (seed, stream, step).
 */
export function dropoutFactors(
  count: number,
  rate: number,
  key: { readonly seed: number; readonly stream: number; readonly step: number },
): Float64Array<ArrayBuffer> {
  const threshold = dropoutThreshold(rate);
  return Float64Array.from({ length: count }, (_, i) => {
    const word = pcg4d(key.seed, key.stream, i >>> 2, key.step)[i & 3] ?? 0;
    return word >>> 8 >= threshold ? 1 / (1 - rate) : 0;
  });
}
