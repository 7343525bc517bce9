/** Dot-product proportionality on the GPU. What is computed stands in `src/reference/proportionality.ts`. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, type Tensor } from '../gpu/index.ts';
import {
  mergePairMoments,
  pairHistogram as pairHistogramKernel,
  pairMomentParts,
  permuteElements as permuteElementsKernel,
  samplePatches as samplePatchesKernel,
} from '../kernels/proportionality.ts';
import { PAIR_MOMENTS, type PairGrid, type PairMoments } from '../numerics/proportionality.ts';
import { feistelHalfBits } from '../numerics/random.ts';
import { assertDType, assertFloats } from './checks.ts';
import { type Conv2dOptions, conv2dConstants, resolveConv2d } from './conv.ts';

export {
  mergeMoments,
  NO_PAIRS,
  PAIR_MOMENTS,
  type PairGrid,
  type PairMoments,
  type Proportionality,
  proportionality,
} from '../numerics/proportionality.ts';

/** Rows that are worth an invocation of their own. */
const LEAST_SPAN = 64;
/** Parts that one invocation merges, at most. */
const MOST_PARTS = 256;

/**
 * Central moments of the pairs in every column of two matrices: means, squared deviations, their products, and how
 * often the signs differ, in a fixed order and without raw sums of squares, which cancel and overflow.
 * @param x f32 [..., C]; all axes but the last are rows, 2^24 at most
 * @param y f32 of the same shape
 * @returns f32 [6, C], in the order of `PAIR_MOMENTS`; `momentsFrom` reads it
 * @throws ShapeError
 */
export function pairMoments(b: ProgramBuilder, x: Tensor, y: Tensor): Tensor {
  assertDType(x, 'f32', 'pairMoments');
  assertFloats(y, x.shape, 'pairMoments');
  const columns = x.shape.at(-1) ?? 1;
  const rows = x.size / columns;
  // The count of sign changes is an f32.
  if (rows > 2 ** 24) {
    throw new ShapeError('The moments of so many pairs are taken in several turns.', {
      given: describe(x.shape, x.dtype),
      expected: `${2 ** 24} rows at most`,
      where: 'pairMoments',
    });
  }
  const span = Math.max(LEAST_SPAN, Math.ceil(rows / MOST_PARTS));
  const constants = { ROWS: rows, COLUMNS: columns, SPAN: span };
  const parts = b.transient('pair parts', [Math.ceil(rows / span), PAIR_MOMENTS.length, columns], 'f32');
  const moments = b.transient('pair moments', [PAIR_MOMENTS.length, columns], 'f32');
  b.dispatch(pairMomentParts, { x, y, parts }, constants);
  b.dispatch(mergePairMoments, { parts, moments }, constants);
  return moments;
}

/** The moments of every column from what `pairMoments` wrote for `count` rows. */
export function momentsFrom(values: ArrayLike<number>, count: number): PairMoments[] {
  const columns = values.length / PAIR_MOMENTS.length;
  return Array.from({ length: columns }, (_, column) => {
    const [meanX = 0, meanY = 0, squaresX = 0, squaresY = 0, products = 0, signChanges = 0] =
      PAIR_MOMENTS.map((_, row) => values[row * columns + column] ?? 0);
    return { count, meanX, meanY, squaresX, squaresY, products, signChanges };
  });
}

/**
 * Adds pairs to a two-dimensional histogram. Pairs outside of the grid are left out.
 * @param x f32
 * @param y f32 of the same shape
 * @param options.grid f32 [4], of `encodeGrid`
 * @param options.counts u32 [bins, bins], y before x; kept by the caller, who sets it to 0 first
 * @throws ShapeError, OptionError
 */
export function addToPairHistogram(
  b: ProgramBuilder,
  x: Tensor,
  y: Tensor,
  { grid, counts }: { readonly grid: Tensor; readonly counts: Tensor },
): void {
  const where = 'addToPairHistogram';
  assertDType(x, 'f32', where);
  assertFloats(y, x.shape, where);
  assertFloats(grid, [4], where);
  assertDType(counts, 'u32', where);
  const [bins = 0, columns] = counts.shape;
  if (counts.shape.length !== 2 || bins !== columns) {
    throw new OptionError('A histogram of pairs is a square.', {
      given: describe(counts.shape, counts.dtype),
      expected: '[bins, bins]',
      where,
    });
  }
  b.dispatch(pairHistogramKernel, { x, y, grid, counts }, { SIZE: x.size, BINS: bins });
}

/** A grid as `addToPairHistogram` reads it. */
export function encodeGrid({ x0, y0, cellX, cellY }: PairGrid): Float32Array<ArrayBuffer> {
  return Float32Array.of(x0, y0, 1 / cellX, 1 / cellY);
}

/**
 * All elements of a tensor in a pseudo-random order: the control that keeps the values and takes the structure away.
 * @param x f32, 2^31 elements at most
 * @param options.seed 0 to 2^32 - 1
 * @returns f32 of the same shape
 * @throws ShapeError, OptionError
 */
export function permuteElements(b: ProgramBuilder, x: Tensor, options: { readonly seed: number }): Tensor {
  assertDType(x, 'f32', 'permuteElements');
  assertSeed(options.seed, 'permuteElements');
  const out = b.transient('permuted', x.shape, 'f32');
  b.dispatch(
    permuteElementsKernel,
    { x, out },
    { SIZE: x.size, SEED: options.seed, HALF_BITS: feistelHalfBits(x.size) },
  );
  return out;
}

/**
 * The input patches of some places of a convolution's output: rows whose covariance is that of the data as its filters
 * see them. The places differ, and the seed decides them.
 * @param x f32 [N, H, W, C]
 * @param options.filterShape [O, kh, kw, C]; one group
 * @param options.count patches, as many as there are places at most
 * @returns f32 [count, kh * kw * C]
 * @throws ShapeError, OptionError
 */
export function samplePatches(
  b: ProgramBuilder,
  x: Tensor,
  options: Conv2dOptions & { readonly filterShape: Shape; readonly count: number; readonly seed: number },
): Tensor {
  const where = 'samplePatches';
  const { filterShape, count, seed, ...window } = options;
  assertDType(x, 'f32', where);
  assertSeed(seed, where);
  const windows = resolveConv2d(x.shape, filterShape, window, where);
  const places = windows.batch * windows.outHeight * windows.outWidth;
  if (!Number.isInteger(count) || count < 1 || count > places || windows.groups !== 1) {
    throw new OptionError('Patches come from different places of a convolution without groups.', {
      given: `${count} patches, ${windows.groups} groups`,
      expected: `1 to ${places} patches, 1 group`,
      where,
    });
  }
  const patches = b.transient(
    'patches',
    [count, windows.kernelHeight * windows.kernelWidth * windows.channels],
    'f32',
  );
  b.dispatch(
    samplePatchesKernel,
    { x, patches },
    { ...conv2dConstants(windows), PATCHES: count, SEED: seed, HALF_BITS: feistelHalfBits(places) },
  );
  return patches;
}

function assertSeed(seed: number, where: string): void {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new OptionError('A seed is an integer from 0 to 2^32 - 1.', { given: `${seed}`, where });
  }
}
