/**
 * Dot-product proportionality (Anderson & Berg 2018), in float64: pairs of dot products x and y, one of a continuous
 * operand and one of its signs, and how far y is proportional to x.
 */
import type { Conv2dGeometry } from './conv.ts';
import { permute } from './random.ts';

/** Rows of the moments of each column, in this order. */
export const PAIR_MOMENTS = ['meanX', 'meanY', 'squaresX', 'squaresY', 'products', 'signChanges'] as const;

/**
 * Central moments of pairs of numbers: means, sums of squared deviations and of their products, and in how many pairs
 * the signs differ. Central ones, for raw sums of squares of large dot products cancel and outgrow 32 bits.
 */
export interface PairMoments {
  readonly count: number;
  readonly meanX: number;
  readonly meanY: number;
  /** Σ(x − meanX)². */
  readonly squaresX: number;
  readonly squaresY: number;
  /** Σ(x − meanX)(y − meanY). */
  readonly products: number;
  /** Pairs of which one is negative and the other isn't; sign(0) = +1. */
  readonly signChanges: number;
}

export const NO_PAIRS: PairMoments = {
  count: 0,
  meanX: 0,
  meanY: 0,
  squaresX: 0,
  squaresY: 0,
  products: 0,
  signChanges: 0,
};

/**
 * Moments of the pairs in every column.
 * @param x [rows, columns]
 * @param y [rows, columns]
 */
export function pairMoments(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  rows: number,
  columns: number,
): PairMoments[] {
  return Array.from({ length: columns }, (_, column) => {
    const pairs = Array.from({ length: rows }, (_, row) => {
      const at = row * columns + column;
      return [x[at] ?? 0, y[at] ?? 0] as const;
    });
    const total = (of: (x: number, y: number) => number) => pairs.reduce((sum, [a, b]) => sum + of(a, b), 0);
    const meanX = total((a) => a) / rows;
    const meanY = total((_, b) => b) / rows;
    return {
      count: rows,
      meanX,
      meanY,
      squaresX: total((a) => (a - meanX) ** 2),
      squaresY: total((_, b) => (b - meanY) ** 2),
      products: total((a, b) => (a - meanX) * (b - meanY)),
      signChanges: total((a, b) => (a < 0 === b < 0 ? 0 : 1)),
    };
  });
}

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
  readonly bins: number;
  readonly x0: number;
  readonly y0: number;
  readonly cellX: number;
  readonly cellY: number;
}

/** How many pairs lie in each cell, [y, x]; pairs outside of the grid are left out. */
export function pairHistogram(x: ArrayLike<number>, y: ArrayLike<number>, grid: PairGrid): number[] {
  const { bins, x0, y0, cellX, cellY } = grid;
  const counts = Array.from({ length: bins * bins }, () => 0);
  for (let i = 0; i < x.length; i++) {
    const column = Math.floor(((x[i] ?? 0) - x0) / cellX);
    const row = Math.floor(((y[i] ?? 0) - y0) / cellY);
    if (column < 0 || column >= bins || row < 0 || row >= bins) continue;
    counts[row * bins + column] = (counts[row * bins + column] ?? 0) + 1;
  }
  return counts;
}

/** All elements in a pseudo-random order that the seed decides: the data keep their values and lose their structure. */
export function permuteElements(x: ArrayLike<number>, seed: number): number[] {
  return Array.from({ length: x.length }, (_, i) => x[permute(seed, 0, i, x.length)] ?? 0);
}

/**
 * The input patches of `count` different places of a convolution's output, chosen by the seed: what a filter is
 * multiplied with there.
 * @param x NHWC
 * @returns [count, kernelHeight · kernelWidth · channels]
 */
export function samplePatches(
  x: ArrayLike<number>,
  geometry: Conv2dGeometry,
  count: number,
  seed: number,
): number[] {
  const { batch, height, width, channels, outHeight, outWidth, padValue } = geometry;
  const patches: number[] = [];
  for (let sample = 0; sample < count; sample++) {
    const place = permute(seed, 0, sample, batch * outHeight * outWidth);
    const [outX, outY] = [place % outWidth, Math.floor(place / outWidth) % outHeight];
    const image = Math.floor(place / (outWidth * outHeight));
    for (let ky = 0; ky < geometry.kernelHeight; ky++) {
      for (let kx = 0; kx < geometry.kernelWidth; kx++) {
        const py = outY * geometry.strideY + ky * geometry.dilationY - geometry.padTop;
        const px = outX * geometry.strideX + kx * geometry.dilationX - geometry.padLeft;
        const inside = py >= 0 && py < height && px >= 0 && px < width;
        for (let c = 0; c < channels; c++) {
          patches.push(inside ? (x[((image * height + py) * width + px) * channels + c] ?? 0) : padValue);
        }
      }
    }
  }
  return patches;
}

/**
 * Correlation of w·x and sign(w)·x over data of covariance C: the cosine of the two vectors in the data's metric,
 * w_bᵀCw_c / √(w_bᵀCw_b · w_cᵀCw_c).
 * @param w [d]
 * @param covariance [d, d]
 */
export function correlationUnder(w: ArrayLike<number>, covariance: ArrayLike<number>): number {
  const signs = Array.from(w, (value) => (value < 0 ? -1 : 1));
  const form = (a: ArrayLike<number>, b: ArrayLike<number>) => bilinear(a, b, covariance);
  return form(signs, w) / Math.sqrt(form(signs, signs) * form(w, w));
}

/** aᵀCb. */
export function bilinear(a: ArrayLike<number>, b: ArrayLike<number>, covariance: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    let row = 0;
    for (let j = 0; j < b.length; j++) row += (covariance[i * b.length + j] ?? 0) * (b[j] ?? 0);
    sum += (a[i] ?? 0) * row;
  }
  return sum;
}
