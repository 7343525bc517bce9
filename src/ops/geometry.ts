/** Geometry of latent filters on the GPU. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import {
  angleHistogramParts,
  densityParts,
  densityPartsBf16,
  densityPartsF16,
  filterStatistics,
  filterSums,
  filterSums4,
  filterSumsBf16,
  filterSumsBits,
  filterSumsF16,
  mergeSums,
  SIGN_HISTORY_COLUMNS,
  signHistory as signHistoryKernel,
  sumBins,
  widenBf16,
  widenF16,
} from '../kernels/geometry.ts';
import { FILTER_STATISTICS, NEAR_ZERO, type WeightFormat } from '../numerics/filter-statistics.ts';

export {
  FILTER_STATISTICS,
  type FilterStatistic,
  NEAR_ZERO,
  type WeightFormat,
} from '../numerics/filter-statistics.ts';

/** Invocations that keep a large GPU busy; fewer, longer filters are cut into more parts. */
const INVOCATIONS = 65_536;
/** Weights that are worth an invocation of their own. */
const TURN = 256;
/** Parts that one invocation merges. */
const SPAN = 32;

/** Which weights are measured. */
export interface FilterGeometryOptions {
  /** f32 [O, ...], or bits [O, ...]; for `f16` and `bf16`, u32 words of two weights each, the first in the low half. */
  readonly latent: Tensor;
  /** That of the tensor when absent. */
  readonly format?: WeightFormat | undefined;
  /** [O, length] of the filters in words of halves; not for f32, whose tensor says it itself. */
  readonly filters?: readonly [count: number, length: number] | undefined;
  /** |w| below which a weight counts as near zero; 0.01 when absent. */
  readonly nearZero?: number | undefined;
}

/**
 * Statistics of every filter in one pass over its latent weights, in the order of `FILTER_STATISTICS`; what each of them
 * is stands at `filterGeometry` of `src/reference/geometry.ts`. Filters may have any length and number: short ones are
 * an invocation's each, long ones shared by as many as fill the machine. NaN and infinite weights are counted and
 * left out; a filter of zeros gets cosine 0 and 90 degrees. The order of all sums is fixed: same input, same bits.
 * Fourth powers are taken in f32: the kurtosis needs a standard deviation between 1e-9 and 1e9.
 * @returns f32 [O, 12]
 * @throws ShapeError, OptionError
 */
export function filterGeometry(b: ProgramBuilder, options: FilterGeometryOptions): Tensor {
  const { latent, format = formatOf(latent), nearZero = NEAR_ZERO } = options;
  if (!(nearZero >= 0 && nearZero < 1e30)) {
    throw new OptionError('What is near zero is told by a positive number.', {
      given: String(nearZero),
      where: 'filterGeometry',
    });
  }
  const [filters, length] = extentsOf(options);
  const statistics = b.transient('filter geometry', [filters, FILTER_STATISTICS.length], 'f32');
  let chunks = filterParts(filters, length);
  let parts =
    chunks === 1
      ? statistics
      : b.transient('filter parts', [filters, chunks, FILTER_STATISTICS.length], 'u32');
  const constants = { FILTERS: filters, LENGTH: length, CHUNKS: chunks, NEAR_ZERO: nearZero };
  if (format === 'bits') {
    b.dispatch(filterSumsBits, { latent, parts }, { ...constants, CHANNELS: latent.shape.at(-1) ?? 1 });
  } else {
    const f32 = length % 4 === 0 ? filterSums4 : filterSums;
    const kernel = { f32, f16: filterSumsF16, bf16: filterSumsBf16 }[format];
    b.dispatch(kernel, { latent, parts }, constants);
  }
  if (chunks === 1) return statistics;
  while (chunks > SPAN) {
    const results = Math.ceil(chunks / SPAN);
    const merged = b.transient('filter parts', [filters, results, FILTER_STATISTICS.length], 'u32');
    b.dispatch(mergeSums, { parts, merged }, { FILTERS: filters, PARTS: chunks, SPAN, RESULTS: results });
    [parts, chunks] = [merged, results];
  }
  b.dispatch(filterStatistics, { parts, statistics }, { FILTERS: filters, PARTS: chunks });
  return statistics;
}

/** Invocations that share a filter: as many as fill the machine, of at least TURN weights each. */
function filterParts(filters: number, length: number): number {
  const fill = Math.ceil(INVOCATIONS / filters);
  return Math.max(1, Math.min(fill, Math.floor(length / TURN)));
}

/** Bins of half a degree. */
export const ANGLE_BINS = 180;

/**
 * How many filters have which angle to their signs: equal bins from 0 to 90 degrees. Filters of zeros have none and are
 * left out.
 * @param statistics f32 [O, 12], of `filterGeometry`
 * @param options.bins 1 to 1024; 180 when absent
 * @returns u32 [bins]
 * @throws ShapeError, OptionError
 */
export function angleHistogram(
  b: ProgramBuilder,
  statistics: Tensor,
  options: { readonly bins?: number | undefined } = {},
): Tensor {
  const { bins = ANGLE_BINS } = options;
  const [filters = 0, columns] = statistics.shape;
  if (statistics.dtype !== 'f32' || statistics.shape.length !== 2 || columns !== FILTER_STATISTICS.length) {
    throw new ShapeError('A histogram of angles is made from the statistics of filters.', {
      given: `${statistics.label}: ${describe(statistics.shape, statistics.dtype)}`,
      expected: `[O, ${FILTER_STATISTICS.length}] f32`,
      where: 'angleHistogram',
    });
  }
  if (!Number.isInteger(bins) || bins < 1 || bins > 1024) {
    throw new OptionError('A histogram has 1 to 1024 bins.', {
      given: String(bins),
      where: 'angleHistogram',
    });
  }
  const span = Math.max(4096, Math.ceil(filters / 4096));
  const rows = Math.ceil(filters / span);
  const parts = b.transient('angle histogram parts', [rows, bins], 'u32');
  const counts = b.transient('angle histogram', [bins], 'u32');
  b.dispatch(angleHistogramParts, { statistics, parts }, { FILTERS: filters, SPAN: span, BINS: bins });
  b.dispatch(sumBins, { parts, counts }, { ROWS: rows, BINS: bins });
  return counts;
}

/**
 * Filters of halves as reals.
 * @param options.latent u32, `format` f16 or bf16, `filters` [O, length]; f32 filters come back as they are
 * @returns f32 [O, length]
 * @throws ShapeError
 */
export function widenFilters(b: ProgramBuilder, options: FilterGeometryOptions): Tensor {
  const { latent, format = formatOf(latent) } = options;
  const [filters, length] = extentsOf(options);
  if (format === 'f32') return latent;
  if (format === 'bits') {
    throw new ShapeError('Halves are widened.', {
      given: format,
      expected: 'f16 or bf16',
      where: 'widenFilters',
    });
  }
  const widened = b.transient('widened filters', [filters, length], 'f32');
  const kernel = format === 'f16' ? widenF16 : widenBf16;
  b.dispatch(kernel, { latent, widened }, { FILTERS: filters, LENGTH: length });
  return widened;
}

/** Bins of a density, and how far from 0 they reach in root mean squares of a filter. */
export const DENSITY_BINS = 640;
/** How far from 0 the bins of a density reach, in root mean squares of a filter. */
export const DENSITY_RANGE = 8;
/** Groups of four weights that are counted for a density. */
const MOST_GROUPS = 2 ** 18;

/**
 * How the weights of all filters are distributed, in units of the root mean square of their own filter: equal bins from
 * -8 to 8, the outermost with what lies beyond. NaN, infinite weights and filters of zeros are left out. Of more than a
 * million weights a regular sample of about as many is counted: it shows the same density for much less time.
 * @param options.latent as for `filterGeometry`; signs have no density
 * @param statistics f32 [O, 12], of `filterGeometry` on the same filters
 * @returns u32 [640]
 * @throws ShapeError
 */
export function weightDensity(b: ProgramBuilder, options: FilterGeometryOptions, statistics: Tensor): Tensor {
  const { latent, format = formatOf(latent) } = options;
  const [filters, length] = extentsOf(options);
  if (format === 'bits' || statistics.shape.join() !== `${filters},${FILTER_STATISTICS.length}`) {
    throw new ShapeError('The density of weights needs real weights and their statistics.', {
      given: `${format}, statistics ${describe(statistics.shape, statistics.dtype)}`,
      expected: `f32, f16 or bf16, statistics [${filters}, ${FILTER_STATISTICS.length}] f32`,
      where: 'weightDensity',
    });
  }
  const stride = sampleStride(filters, Math.ceil(length / 4));
  const quads = Math.ceil((filters * Math.ceil(length / 4)) / stride);
  const span = Math.max(1024, Math.ceil(quads / 4096));
  const rows = Math.ceil(quads / span);
  const parts = b.transient('weight density parts', [rows, DENSITY_BINS], 'u32');
  const counts = b.transient('weight density', [DENSITY_BINS], 'u32');
  const kernel = { f32: densityParts, f16: densityPartsF16, bf16: densityPartsBf16 }[format];
  b.dispatch(
    kernel,
    { latent, statistics, parts },
    {
      FILTERS: filters,
      LENGTH: length,
      STRIDE: stride,
      SPAN: span,
      BINS: DENSITY_BINS,
      RANGE: DENSITY_RANGE,
    },
  );
  b.dispatch(sumBins, { parts, counts }, { ROWS: rows, BINS: DENSITY_BINS });
  return counts;
}

/** From one counted group to the next: without a factor in common with the groups of a filter, so that all places count. */
function sampleStride(filters: number, groups: number): number {
  const divides = (a: number, b: number): number => (b === 0 ? a : divides(b, a % b));
  let stride = Math.ceil((filters * groups) / MOST_GROUPS);
  while (divides(stride, groups) !== 1) stride += 1;
  return stride;
}

/** The signs of filters at two times, and what `signHistory` keeps between its runs. */
export interface SignHistory {
  /** bits [O, ...]. */
  readonly now: Tensor;
  /** bits [O, ...]: what flips since the start are counted against. */
  readonly start: Tensor;
  /** bits [O, ...]: the signs at the run before; brought up to date. */
  readonly before: Tensor;
  /** u32 [O, ...]: runs since each weight's sign was last seen to change; brought up to date, zeros at first. */
  readonly ages: Tensor;
}

/**
 * How the signs of every filter changed since the run before and since the start, and how old they are.
 * @returns u32 [O, 4]: weights that flipped since the run before, since the start, sum of ages (low word, high word)
 * @throws ShapeError unless all have one shape
 */
export function signHistory(b: ProgramBuilder, { now, start, before, ages }: SignHistory): Tensor {
  const [filters = 1] = now.shape;
  for (const [tensor, dtype] of [
    [now, 'bits'],
    [start, 'bits'],
    [before, 'bits'],
    [ages, 'u32'],
  ] as const) {
    if (tensor.dtype !== dtype || tensor.shape.join() !== now.shape.join()) {
      throw new ShapeError('Signs are compared with signs of the same filters.', {
        given: `${tensor.label}: ${describe(tensor.shape, tensor.dtype)}`,
        expected: describe(now.shape, dtype),
        where: 'signHistory',
      });
    }
  }
  const history = b.transient('sign history', [filters, SIGN_HISTORY_COLUMNS], 'u32');
  const length = now.shape.at(-1) ?? 1;
  b.dispatch(
    signHistoryKernel,
    { now, start, before, ages, history },
    { FILTERS: filters, ROWS: now.size / length / filters, LENGTH: length },
  );
  return history;
}

function formatOf({ dtype }: Tensor): WeightFormat {
  return dtype === 'bits' ? 'bits' : 'f32';
}

function extentsOf(options: FilterGeometryOptions): readonly [number, number] {
  const { latent, format = formatOf(latent), filters } = options;
  const given = `${latent.label}: ${describe(latent.shape, latent.dtype)}`;
  if (format === 'f32' || format === 'bits') {
    if (latent.dtype !== format || latent.shape.length < 2 || filters !== undefined) {
      throw new ShapeError('Filters are rows of floats, or of signs.', {
        given,
        expected: `[O, ...] ${format}`,
        where: 'filterGeometry',
      });
    }
    const count = latent.shape[0] ?? 1;
    return [count, latent.size / count];
  }
  const [count, length] = filters ?? [0, 0];
  const positive = Number.isSafeInteger(count) && Number.isSafeInteger(length) && count > 0 && length > 0;
  if (latent.dtype !== 'u32' || !positive || latent.size !== Math.ceil((count * length) / 2)) {
    throw new ShapeError('Halves lie two to a word, and need the number and the length of their filters.', {
      given: `${given}, filters [${filters ?? ''}]`,
      expected: `u32 [ceil(O * length / 2)] and filters [O, length]`,
      where: 'filterGeometry',
    });
  }
  return [count, length];
}
