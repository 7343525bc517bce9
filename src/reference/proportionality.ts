/** Pairs of dot products, and what is measured of them, from the definition. */
import type { PairGrid, PairMoments } from '../numerics/proportionality.ts';
import { permute } from '../numerics/random.ts';
import type { Conv2dWindows } from '../numerics/windows.ts';

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
  windows: Conv2dWindows,
  count: number,
  seed: number,
): number[] {
  const { batch, height, width, channels, outHeight, outWidth, padValue } = windows;
  const patches: number[] = [];
  for (let sample = 0; sample < count; sample++) {
    const place = permute(seed, 0, sample, batch * outHeight * outWidth);
    const [outX, outY] = [place % outWidth, Math.floor(place / outWidth) % outHeight];
    const image = Math.floor(place / (outWidth * outHeight));
    for (let ky = 0; ky < windows.kernelHeight; ky++) {
      for (let kx = 0; kx < windows.kernelWidth; kx++) {
        const py = outY * windows.strideY + ky * windows.dilationY - windows.padTop;
        const px = outX * windows.strideX + kx * windows.dilationX - windows.padLeft;
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
