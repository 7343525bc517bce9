/** How the sign filters of a layer lie to each other: what rows of the GPU say of the whole layer. */

/** Of one filter: columns in this order. */
export const PAIR_STATISTICS = ['largestCosine', 'cosineSum', 'squareSum', 'twin'] as const;

/** How the filters of a layer lie to each other. */
export interface PairStructure {
  /** Largest |cos| of two different filters. */
  readonly largestCosine: number;
  /** Mean cosine of two different filters. */
  readonly meanCosine: number;
  /** Standard deviation of the cosines of different filters: 1/√d for random signs. */
  readonly sdCosine: number;
  /** (Σλ)²/Σλ² of the Gram matrix: how many directions the filters span evenly. n/(1 + (n−1)/d) for random signs. */
  readonly participation: number;
  /** Filters equal to an earlier one, and filters that are the negative of an earlier one. */
  readonly duplicates: number;
  /** Filters that are the negative of an earlier one. */
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
