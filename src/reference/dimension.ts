/** Hamming distances and balance of binary activations, counted from the signs. */
import { balanceOf, type ChannelBalance } from '../numerics/dimension.ts';

/**
 * Counts of pairs by their Hamming distance.
 * @param signs ±1, [rows, length]
 * @returns `length + 1` counts over all pairs of different rows
 */
export function hammingHistogram(signs: ArrayLike<number>, rows: number, length: number): number[] {
  const counts = new Array<number>(length + 1).fill(0);
  for (let a = 0; a < rows; a++) {
    for (let b = a + 1; b < rows; b++) {
      let distance = 0;
      for (let i = 0; i < length; i++) if (signs[a * length + i] !== signs[b * length + i]) distance += 1;
      counts[distance] = (counts[distance] ?? 0) + 1;
    }
  }
  return counts;
}

/** @param signs ±1, [..., channels] */
export function channelBalance(signs: ArrayLike<number>, channels: number): ChannelBalance {
  const negative = new Array<number>(channels).fill(0);
  for (let i = 0; i < signs.length; i++) {
    if ((signs[i] ?? 0) < 0) negative[i % channels] = (negative[i % channels] ?? 0) + 1;
  }
  return balanceOf(negative, signs.length / channels);
}
