/** Geometry of latent filters on the GPU. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { filterStatistics, filterSums, filterSums4 } from '../kernels/geometry.ts';
import { FILTER_STATISTICS } from '../reference/geometry.ts';

export { FILTER_STATISTICS, type FilterStatistic } from '../reference/geometry.ts';

/** Invocations that share a filter: as many as read one stretch of memory together. */
const MOST_CHUNKS = 32;

/**
 * Statistics of every filter in one pass over its latent weights: columns l1, l2, cosine (of the filter and its sign),
 * angleDegrees, scale (l1 / d), positiveShare (signs +1), saturatedShare (|w| >= 1 - 1e-6), standardDeviation; see
 * `src/reference/geometry.ts`. A filter of zeros gets cosine 0 and 90 degrees.
 * @param options.latent f32 [O, ...]
 * @returns f32 [O, 8]
 * @throws ShapeError
 */
export function filterGeometry(b: ProgramBuilder, options: { readonly latent: Tensor }): Tensor {
  const { latent } = options;
  if (latent.dtype !== 'f32' || latent.shape.length < 2) {
    throw new ShapeError('Filters are rows of floats.', {
      given: `${latent.label}: ${describe(latent.shape, latent.dtype)}`,
      expected: '[O, ...] f32',
      where: 'filterGeometry',
    });
  }
  const filters = latent.shape[0] ?? 1;
  const length = latent.size / filters;
  const statistics = b.transient('filter geometry', [filters, FILTER_STATISTICS.length], 'f32');
  const lanes = length % 4 === 0 ? length / 4 : length;
  const constants = { FILTERS: filters, LENGTH: length, CHUNKS: Math.min(MOST_CHUNKS, lanes) };
  const sums = b.transient('filter sums', [filters, constants.CHUNKS, 4], 'f32');
  const counts = b.transient('filter counts', [filters, constants.CHUNKS, 2], 'u32');
  b.dispatch(length % 4 === 0 ? filterSums4 : filterSums, { latent, sums, counts }, constants);
  b.dispatch(filterStatistics, { latent, sums, counts, statistics }, constants);
  return statistics;
}
