/** How the sign filters of a layer lie to each other, on the GPU. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor, wordsFor } from '../gpu/index.ts';
import {
  filterPairs as filterPairsKernel,
  hammingPairs,
  patternParts,
  sumBins,
} from '../kernels/geometry.ts';
import { type FilterLayout, PAIR_STATISTICS } from '../numerics/structure.ts';
import { binaryMatMul } from './dense.ts';

export { entropyOf } from '../numerics/entropy.ts';
export {
  type FilterLayout,
  PAIR_STATISTICS,
  type PairStructure,
  summarizePairs,
} from '../numerics/structure.ts';

/**
 * Every filter against all others: Hamming distances by the binary product of the packed filters with themselves,
 * reduced on the GPU to one row a filter (see `filterPairs` of `src/reference/structure.ts`; `summarizePairs` makes the
 * layer's numbers from it). Takes 4 O^2 bytes for the products.
 * @param filters bits [O, d]
 * @returns f32 [O, 4]
 * @throws ShapeError
 */
export function filterPairs(b: ProgramBuilder, filters: Tensor): Tensor {
  const [count = 0, length = 0] = filters.shape;
  if (filters.dtype !== 'bits' || filters.shape.length !== 2) {
    throw new ShapeError('Filters are rows of packed signs.', {
      given: `${filters.label}: ${describe(filters.shape, filters.dtype)}`,
      expected: '[O, d] bits',
      where: 'filterPairs',
    });
  }
  const dots = binaryMatMul(b, filters, filters, { dtype: 'i32' });
  const pairs = b.transient('filter pairs', [count, PAIR_STATISTICS.length], 'f32');
  b.dispatch(filterPairsKernel, { dots, pairs }, { FILTERS: count, LENGTH: length });
  return pairs;
}

/** Later rows that a workgroup compares its rows with. */
const COMPARED = 1024;

/**
 * Adds pairs of rows by their Hamming distance to counts: of each of some rows with all later ones.
 * @param signs bits [rows, length]
 * @param first u32 [1]: the first of the rows
 * @param counts u32 [length + 1], added to
 * @param rows how many rows to take
 * @throws ShapeError
 */
export function addHammingPairs(
  b: ProgramBuilder,
  { signs, first, counts, rows }: { signs: Tensor; first: Tensor; counts: Tensor; rows: number },
): void {
  const [total = 0, length = 0] = signs.shape;
  const fits = signs.shape.length === 2 && counts.size === length + 1 && first.size === 1;
  if (signs.dtype !== 'bits' || !fits || counts.dtype !== 'u32' || first.dtype !== 'u32') {
    throw new ShapeError('Pairs are counted among rows of packed signs.', {
      given: `${describe(signs.shape, signs.dtype)}, counts ${describe(counts.shape, counts.dtype)}`,
      expected: '[rows, length] bits, counts [length + 1] u32',
      where: 'addHammingPairs',
    });
  }
  b.dispatch(
    hammingPairs,
    { signs, first, counts },
    { ROWS: total, WORDS: wordsFor(length), COUNT: rows, SPAN: COMPARED },
  );
}

/**
 * How often each of the 512 patterns of signs occurs among a layer's 3x3 kernels (see `kernelPatterns` of
 * `src/reference/structure.ts`).
 * @param latent f32 [O, 3, 3, I], or [O, I, 3, 3] with the layout OIHW
 * @returns u32 [512]
 * @throws ShapeError
 */
export function kernelPatterns(b: ProgramBuilder, latent: Tensor, layout: FilterLayout = 'OHWI'): Tensor {
  const [filters = 0, ...rest] = latent.shape;
  const [channels, height, width] = layout === 'OHWI' ? [rest[2], rest[0], rest[1]] : rest;
  if (latent.dtype !== 'f32' || rest.length !== 3 || height !== 3 || width !== 3 || channels === undefined) {
    throw new ShapeError('Patterns are those of 3 x 3 kernels.', {
      given: `${latent.label}: ${describe(latent.shape, latent.dtype)}`,
      expected: layout === 'OHWI' ? '[O, 3, 3, I] f32' : '[O, I, 3, 3] f32',
      where: 'kernelPatterns',
    });
  }
  const kernels = filters * channels;
  const span = Math.max(8192, Math.ceil(kernels / 4096));
  const rows = Math.ceil(kernels / span);
  const parts = b.transient('pattern parts', [rows, 512], 'u32');
  const counts = b.transient('patterns', [512], 'u32');
  b.dispatch(
    patternParts,
    { latent, parts },
    { KERNELS: kernels, CHANNELS: channels, CHANNELS_LAST: layout === 'OHWI' ? 1 : 0, SPAN: span },
  );
  b.dispatch(sumBins, { parts, counts }, { ROWS: rows, BINS: 512 });
  return counts;
}
