/** How the sign filters of a layer lie to each other, in float64: what `src/ops/structure.ts` computes on the GPU. */

/** Of one filter: columns in this order. */
export const PAIR_STATISTICS = ['largestCosine', 'cosineSum', 'squareSum', 'twin'] as const;

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

export interface PairStructure {
  /** Largest |cos| of two different filters. */
  readonly largestCosine: number;
  readonly meanCosine: number;
  /** Standard deviation of the cosines of different filters: 1/√d for random signs. */
  readonly sdCosine: number;
  /** (Σλ)²/Σλ² of the Gram matrix: how many directions the filters span evenly. n/(1 + (n−1)/d) for random signs. */
  readonly participation: number;
  /** Filters equal to an earlier one, and filters that are the negative of an earlier one. */
  readonly duplicates: number;
  readonly negatedDuplicates: number;
}

/**
 * The whole layer, from the rows of `filterPairs`: tr G = n, and the squared entries of G sum up to n plus the cos² off
 * the diagonal. One filter has no pairs: its cosines are 0.
 */
export function summarizePairs(rows: ArrayLike<number>, filters: number): PairStructure {
  const column = (at: number) =>
    Array.from({ length: filters }, (_, i) => rows[i * PAIR_STATISTICS.length + at] ?? 0);
  const total = (values: number[]) => values.reduce((sum, value) => sum + value, 0);
  const pairs = Math.max(1, filters * (filters - 1));
  const squares = total(column(2));
  const meanCosine = total(column(1)) / pairs;
  const twins = column(3);
  return {
    largestCosine: column(0).reduce((largest, value) => Math.max(largest, value), 0),
    meanCosine,
    sdCosine: Math.sqrt(Math.max(0, squares / pairs - meanCosine * meanCosine)),
    participation: (filters * filters) / (filters + squares),
    duplicates: twins.filter((twin) => twin & 1).length,
    negatedDuplicates: twins.filter((twin) => twin & 2).length,
  };
}

/** Axes of a convolution's filters: OHWI as in this library, OIHW as in PyTorch. */
export type FilterLayout = 'OHWI' | 'OIHW';

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

/** Entropy in bits of how often things were counted: at most 9 for the 512 patterns. 0 where nothing was. */
export function entropyOf(counts: ArrayLike<number>): number {
  const all = Array.from(counts);
  const total = all.reduce((sum, count) => sum + count, 0);
  return all.reduce((sum, count) => (count > 0 ? sum - (count / total) * Math.log2(count / total) : sum), 0);
}
