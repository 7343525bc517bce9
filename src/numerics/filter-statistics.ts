/** What is told of a filter and its sign: names and bounds. The definitions stand in `src/reference/geometry.ts`. */

/** Columns of the statistics, in this order. */
export const FILTER_STATISTICS = [
  'l1',
  'l2',
  'cosine',
  'angleDegrees',
  'scale',
  'positiveShare',
  'saturatedShare',
  'standardDeviation',
  'nearZeroShare',
  'signEntropy',
  'excessKurtosis',
  'nonFinite',
] as const;

/** What is measured of a filter. */
export type FilterStatistic = (typeof FILTER_STATISTICS)[number];

/** |w| from which a weight counts as saturated. */
export const SATURATED = Math.fround(0.999999);

/** |w| below which a weight counts as near zero: a hundredth of the range to which latent weights are clipped. */
export const NEAR_ZERO = Math.fround(0.01);

/** How weights lie in memory; halves are two to a word, the first in the low bits; bits are signs. */
export type WeightFormat = 'f32' | 'f16' | 'bf16' | 'bits';
