/** Geometry of latent filters on the GPU. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { filterStatistics, filterStatistics4 } from '../kernels/geometry.ts';
import { FILTER_STATISTICS } from '../reference/geometry.ts';

export { FILTER_STATISTICS, type FilterStatistic } from '../reference/geometry.ts';

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
  b.dispatch(
    length % 4 === 0 ? filterStatistics4 : filterStatistics,
    { latent, statistics },
    { FILTERS: filters, LENGTH: length },
  );
  return statistics;
}
