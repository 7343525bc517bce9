/** How the sign filters of a layer lie to each other, in float64: what `src/ops/structure.ts` computes on the GPU. */
import type { FilterLayout } from '../numerics/structure.ts';

/**
 * Statistics of each filter with all others, from the signs.
 * - largestCosine: of |cos|; cosineSum and squareSum: of cos and cos² over the others
 * - twin: 1 when it equals an earlier filter, 2 when it is the negative of one, 3 when both happen
 * @param signs ±1 [filters, length]
 * @returns [filters, 4]
 */
export function filterPairs(signs: ArrayLike<number>, filters: number, length: number): number[] {
  const rows: number[] = [];
  for (let i = 0; i < filters; i++) {
    let [largest, sum, squares, twin] = [0, 0, 0, 0];
    for (let j = 0; j < filters; j++) {
      if (j === i) continue;
      let dot = 0;
      for (let k = 0; k < length; k++) dot += (signs[i * length + k] ?? 0) * (signs[j * length + k] ?? 0);
      const cosine = dot / length;
      largest = Math.max(largest, Math.abs(cosine));
      sum += cosine;
      squares += cosine * cosine;
      if (j < i && dot === length) twin |= 1;
      if (j < i && dot === -length) twin |= 2;
    }
    rows.push(largest, sum, squares, twin);
  }
  return rows;
}

/**
 * How often each of the 512 patterns of signs occurs among the 3×3 kernels of a layer (one a filter and channel). Bit
 * 3y + x of a pattern is 1 where the weight at row y, column x is negative.
 */
export function kernelPatterns(
  weights: ArrayLike<number>,
  filters: number,
  channels: number,
  layout: FilterLayout,
): number[] {
  const counts = Array.from({ length: 512 }, () => 0);
  for (let o = 0; o < filters; o++) {
    for (let c = 0; c < channels; c++) {
      let pattern = 0;
      for (let tap = 0; tap < 9; tap++) {
        const at = layout === 'OHWI' ? (o * 9 + tap) * channels + c : (o * channels + c) * 9 + tap;
        if ((weights[at] ?? 0) < 0) pattern |= 1 << tap;
      }
      counts[pattern] = (counts[pattern] ?? 0) + 1;
    }
  }
  return counts;
}
