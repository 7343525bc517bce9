/**
 * Weights that are scale·sign + offset by filter: statistics of the rows, what a quantizer's rule makes of them, and the
 * gradient of latent weights. Needed where there are latent weights; `columns.ts` is for products.
 */
import { ShapeError } from '../errors.ts';
import {
  constantsOf,
  describe,
  type Filling,
  fillFrame,
  type ProgramBuilder,
  type Tensor,
} from '../gpu/index.ts';
import { rowAffineFrame, rowGradientFrame, rowPackFrame, rowStatisticsKernel } from '../kernels/rows.ts';
import { assertDType, assertFloats, assertShapeIs, type OutOption, resultTensor } from './checks.ts';

/** What these operations need of a quantizer's rule for rows; the objects of `methods` have it. */
export interface RowFilling {
  /** `argument`, `slope`, `scale` and `offset`. */
  readonly filling: Filling;
  /** Whether it reads medians. */
  readonly medians: boolean;
}

/** Numbers of a row's statistics, in the order of `lib/rows.wgsl`. */
export const ROW_STATISTICS = [
  'mean',
  'meanMagnitude',
  'sd',
  'meanDeviation',
  'median',
  'medianDeviation',
] as const;

/**
 * Statistics of each filter, added up in a fixed order: the same bits on the same device.
 * @param x f32 [O, ...]
 * @param options.medians whether to find them; else they are 0
 * @returns f32 [O, 6], in the order of `ROW_STATISTICS`
 * @throws ShapeError
 */
export function rowStatistics(
  b: ProgramBuilder,
  x: Tensor,
  { medians, out }: OutOption & { readonly medians: boolean },
): Tensor {
  assertDType(x, 'f32', 'rowStatistics');
  const [ROWS = 1] = x.shape;
  const statistics = resultTensor(b, 'row statistics', [ROWS, ROW_STATISTICS.length], 'f32', out);
  b.dispatch(
    rowStatisticsKernel,
    { x, statistics },
    { ROWS, LENGTH: x.size / ROWS, MEDIANS: medians ? 1 : 0 },
  );
  return statistics;
}

/** The filters' scales and offsets, f32 [O] each, by the rule. @param statistics from `rowStatistics` @throws ShapeError */
export function rowAffine(
  b: ProgramBuilder,
  statistics: Tensor,
  rule: RowFilling,
  { scale, offset }: { readonly scale?: Tensor | undefined; readonly offset?: Tensor | undefined },
): void {
  const [ROWS = 1] = statistics.shape;
  for (const out of [scale, offset]) if (out !== undefined) assertFloats(out, [ROWS], 'rowAffine');
  const fillings = { row: rule.filling };
  const unused = (label: string) => b.transient(label, [ROWS], 'f32');
  b.dispatch(
    fillFrame(rowAffineFrame, fillings),
    { statistics, scales: scale ?? unused('scales'), offsets: offset ?? unused('offsets') },
    { ROWS, ...constantsOf(fillings) },
  );
}

/**
 * Packs the signs of the rule's arguments of latent weights.
 * @param x f32 [O, ..., C]
 * @param options.packed bits of the same shape
 * @param options.flips u32 [O]: goes up by the signs of the filter that changed; default: nobody counts
 * @throws ShapeError
 */
export function packRows(
  b: ProgramBuilder,
  x: Tensor,
  options: {
    readonly statistics: Tensor;
    readonly rule: RowFilling;
    readonly packed: Tensor;
    readonly flips?: Tensor | undefined;
  },
): void {
  const where = 'packRows';
  const { statistics, rule, packed } = options;
  assertDType(x, 'f32', where);
  assertDType(packed, 'bits', where);
  assertShapeIs(packed, x.shape, where);
  const [filters = 1] = x.shape;
  assertStatistics(statistics, filters, where);
  const CHANNELS = x.shape.at(-1) ?? 1;
  const ROWS = x.size / CHANNELS;
  const fillings = { row: rule.filling };
  b.dispatch(
    fillFrame(rowPackFrame, fillings),
    { x, statistics, bits: packed, flips: options.flips ?? b.transient('flips', [filters], 'u32') },
    { ROWS, CHANNELS, FILTER_ROWS: ROWS / filters, ...constantsOf(fillings) },
  );
}

/**
 * Derives what products read of latent weights: scales, offsets, and signs where the rule takes them of something else than
 * the weights.
 * @param options.latent f32 [O, ..., C]
 * @param options.packed bits of the same shape; absent where they are the signs of the weights, and packed already
 * @throws ShapeError
 */
export function deriveRows(
  b: ProgramBuilder,
  options: {
    readonly latent: Tensor;
    readonly rule: RowFilling;
    readonly packed: Tensor | undefined;
    readonly flips?: Tensor | undefined;
    readonly scale: Tensor | undefined;
    readonly offset: Tensor | undefined;
  },
): void {
  const { latent, rule, packed, flips, scale, offset } = options;
  const statistics = rowStatistics(b, latent, { medians: rule.medians });
  if (packed !== undefined) packRows(b, latent, { statistics, rule, packed, flips });
  if (scale !== undefined || offset !== undefined) rowAffine(b, statistics, rule, { scale, offset });
}

/**
 * The gradient with respect to latent weights: scale·gradient(argument)·slope times the one with respect to
 * scale·sign + offset. The statistics count as constants.
 * @param grad f32 [O, ...]
 * @param options.x f32 of the same shape: the latent weights
 * @param options.gradient the quantizer's `fn gradient(x: f32) -> f32`
 * @returns f32 of the same shape
 * @throws ShapeError
 */
export function rowGradient(
  b: ProgramBuilder,
  grad: Tensor,
  options: {
    readonly x: Tensor;
    readonly statistics: Tensor;
    readonly rule: RowFilling;
    readonly gradient: Filling;
  },
): Tensor {
  const where = 'rowGradient';
  const { x, statistics, rule, gradient } = options;
  assertDType(x, 'f32', where);
  assertFloats(grad, x.shape, where);
  const [filters = 1] = x.shape;
  assertStatistics(statistics, filters, where);
  const out = b.transient('latent gradient', x.shape, 'f32');
  const fillings = { gradient, row: rule.filling };
  b.dispatch(
    fillFrame(rowGradientFrame, fillings),
    { g: grad, x, statistics, out },
    { SIZE: x.size, LENGTH: x.size / filters, ...constantsOf(fillings) },
  );
  return out;
}

function assertStatistics({ shape, dtype, label }: Tensor, filters: number, where: string): void {
  if (dtype === 'f32' && shape[0] === filters && shape[1] === ROW_STATISTICS.length) return;
  throw new ShapeError('There are statistics of every filter.', {
    given: `${label}: ${describe(shape, dtype)}`,
    expected: `[${filters}, ${ROW_STATISTICS.length}] f32`,
    where,
  });
}
