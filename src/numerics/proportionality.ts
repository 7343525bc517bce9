/**
 * Dot-product proportionality (Anderson & Berg 2018), in float64: pairs of dot products x and y, one of a continuous
 * operand and one of its signs, and how far y is proportional to x.
 */

/** Rows of the moments of each column, in this order. */
export const PAIR_MOMENTS = ['meanX', 'meanY', 'squaresX', 'squaresY', 'products', 'signChanges'] as const;

/**
 * Central moments of pairs of numbers: means, sums of squared deviations and of their products, and in how many pairs
 * the signs differ. Central ones, for raw sums of squares of large dot products cancel and outgrow 32 bits.
 */
export interface PairMoments {
  /** How many pairs there are. */
  readonly count: number;
  /** Mean of the first of each pair. */
  readonly meanX: number;
  /** Mean of the second of each pair. */
  readonly meanY: number;
  /** Σ(x − meanX)². */
  readonly squaresX: number;
  /** Σ(y − meanY)². */
  readonly squaresY: number;
  /** Σ(x − meanX)(y − meanY). */
  readonly products: number;
  /** Pairs of which one is negative and the other isn't; sign(0) = +1. */
  readonly signChanges: number;
}

/** The moments of no pairs. */
export const NO_PAIRS: PairMoments = {
  count: 0,
  meanX: 0,
  meanY: 0,
  squaresX: 0,
  squaresY: 0,
  products: 0,
  signChanges: 0,
};

/** Moments of two sets of pairs together (Chan, Golub & LeVeque 1979). */
export function mergeMoments(a: PairMoments, b: PairMoments): PairMoments {
  const count = a.count + b.count;
  if (count === 0) return NO_PAIRS;
  const [x, y] = [b.meanX - a.meanX, b.meanY - a.meanY];
  const share = b.count / count;
  const weight = a.count * share;
  return {
    count,
    meanX: a.meanX + x * share,
    meanY: a.meanY + y * share,
    squaresX: a.squaresX + b.squaresX + x * x * weight,
    squaresY: a.squaresY + b.squaresY + y * y * weight,
    products: a.products + b.products + x * y * weight,
    signChanges: a.signChanges + b.signChanges,
  };
}

/** How two lists of products go with each other. */
export interface Proportionality {
  /** Pearson's correlation of x and y; NaN where one of them doesn't vary. */
  readonly r: number;
  /** Of the line x ≈ slope·y + c, by least squares; the scale mean|w| for isotropic data and binarized weights. */
  readonly slope: number;
  /** Share of the pairs whose signs differ: arccos(r)/π for centred Gaussians. */
  readonly signChange: number;
}

/**
 * What pairs (continuous x, binarized y) say. Below 1e-10 of its squared mean, a variance is rounding: a column that
 * doesn't vary has no correlation.
 */
export function proportionality(moments: PairMoments): Proportionality {
  const { count, meanX, meanY, squaresX, squaresY, products, signChanges } = moments;
  const varies = (squares: number, mean: number) => squares > 1e-10 * count * mean * mean && squares > 0;
  const both = varies(squaresX, meanX) && varies(squaresY, meanY);
  return {
    r: both ? Math.max(-1, Math.min(1, products / Math.sqrt(squaresX * squaresY))) : Number.NaN,
    slope: both ? products / squaresY : Number.NaN,
    signChange: count > 0 ? signChanges / count : Number.NaN,
  };
}

/** Where a histogram of pairs lies: `bins` × `bins` equal cells; x from `x0`, y from `y0`, cells of the given sizes. */
export interface PairGrid {
  /** Cells on each axis. */
  readonly bins: number;
  /** Where x begins. */
  readonly x0: number;
  /** Where y begins. */
  readonly y0: number;
  /** Width of a cell along x. */
  readonly cellX: number;
  /** Height of a cell along y. */
  readonly cellY: number;
}
