/**
 * Rules of quantizers: values that are scale·sign + offset by row, or sums of such planes. Statistics of the rows, what a
 * rule makes of them, the gradient with respect to values, and the one with respect to what is learned. Rows are the first
 * axis: filters of weights, samples of activations. `columns.ts` and `samples.ts` are for products.
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
import {
  rowAffineFrame,
  rowGradientFrame,
  rowLearned,
  rowLearningFrame,
  rowPackFrame,
  rowRemainder,
  rowStatisticsAloneKernel,
  rowStatisticsKernel,
} from '../kernels/rows.ts';
import { assertDType, assertFloats, assertShapeIs, type OutOption, resultTensor } from './checks.ts';
import { STATE_WORDS } from './data.ts';

/** What these operations need of a quantizer's rule for rows; the objects of `methods` have it. */
export interface RowFilling {
  /** What goes into the kernels for a plane: all functions. */
  fillingOf(plane: number): Filling;
  /** What of the statistics it reads: medians cost more than sums, and halves most. */
  readonly reads: readonly ('sums' | 'medians' | 'halves')[];
  /** Whether signs are multiplied by a number of their row. */
  readonly hasScale: boolean;
  /** Whether a number of the row is added. */
  readonly hasOffset: boolean;
  /** Whether the gradient passes straight through the whole; see `RowRuleDefinition.straight`. */
  readonly isStraight: boolean;
  /** What statistics pass on, added to the gradient that has them as constants; absent where they are. */
  readonly through?: ((b: ProgramBuilder, grad: Tensor, options: ThroughOptions) => Tensor) | undefined;
  /** Whether its argument is drawn by chance. */
  readonly isRandom: boolean;
  /** How many signs a value is made of. */
  readonly planes: number;
  /** Whether planes after the first are of what the former left over. */
  readonly ofRemainder: boolean;
}

/** What a rule's functions read beside rows. */
export interface RowContext {
  /** f32 [groups, numbers]: what is learned, one row of all values or one of each channel. */
  readonly learned?: Tensor | undefined;
  /** Where channels are: `first` of weights, whose filters they are, `last` of activations. Default `first`. */
  readonly channels?: 'first' | 'last';
  /** f32 [rows, numbers]: what changes from step to step; row min(`state.batch`, rows − 1) is this step's. */
  readonly table?: Tensor | undefined;
  /** u32 [8]. Without it chances are 1/2. */
  readonly state?: Tensor | undefined;
  /** A number of its own for every drawing in a network. Default 0. */
  readonly stream?: number;
  /** What `statisticsFor` gave, where it was asked before. Default: it is asked. */
  readonly statistics?: Tensor | undefined;
}

/** Numbers of a row's statistics, in the order of `lib/quantizer/rows.wgsl`. */
export const ROW_STATISTICS = [
  'mean',
  'meanMagnitude',
  'sd',
  'meanDeviation',
  'median',
  'medianDeviation',
  'lower',
  'upper',
  'lowerMagnitude',
  'upperMagnitude',
] as const;

/**
 * Statistics of each row, added up in a fixed order: the same bits on the same device.
 * @param x f32 [O, ...]
 * @param options.medians whether to find them; else they are 0
 * @param options.halves whether to find the two levels that are nearest to each row; else they are 0
 * @returns f32 [O, 10], in the order of `ROW_STATISTICS`
 * @throws ShapeError
 */
export function rowStatistics(
  b: ProgramBuilder,
  x: Tensor,
  { medians, halves = false, out }: OutOption & { readonly medians: boolean; readonly halves?: boolean },
): Tensor {
  assertDType(x, 'f32', 'rowStatistics');
  const [ROWS = 1] = x.shape;
  const statistics = resultTensor(b, 'row statistics', [ROWS, ROW_STATISTICS.length], 'f32', out);
  b.dispatch(
    b.gpu.adapter.software ? rowStatisticsAloneKernel : rowStatisticsKernel,
    { x, statistics },
    { ROWS, LENGTH: x.size / ROWS, MEDIANS: medians ? 1 : 0, HALVES: halves ? 1 : 0 },
  );
  return statistics;
}

/** The statistics that a rule reads; undefined where it reads none. */
export function statisticsFor(
  b: ProgramBuilder,
  x: Tensor,
  rule: Pick<RowFilling, 'reads'> | undefined,
): Tensor | undefined {
  if (rule === undefined || rule.reads.length === 0) return undefined;
  return rowStatistics(b, x, {
    medians: rule.reads.includes('medians'),
    halves: rule.reads.includes('halves'),
  });
}

/** One plane of what a rule makes of values. */
export interface Plane {
  /** Of the values' shape. */
  readonly bits: Tensor;
  /** f32 [rows], or [1] for all rows; undefined: 1. */
  readonly scale: Tensor | undefined;
  /** f32 [rows], or [1] for all rows; undefined: 0. */
  readonly offset: Tensor | undefined;
}

/** Where a plane goes; what is left out is transient. */
export interface PlaneTarget {
  /** [rows, row]: the signs. */
  readonly bits?: Tensor | undefined;
  /** The bits are the signs of the values, and packed already. */
  readonly isPacked?: boolean;
  /** u32 [rows]: goes up by the signs of the row that changed; default: nobody counts. */
  readonly flips?: Tensor | undefined;
  /** f32 [rows]: what the signs of each row are multiplied by. */
  readonly scale?: Tensor | undefined;
  /** f32 [rows]: what is added to each row. */
  readonly offset?: Tensor | undefined;
}

/**
 * What a rule makes of values: planes of signs with their scales and offsets.
 * @param x f32 [rows, ..., C]
 * @param targets one a plane
 * @throws ShapeError
 */
export function quantizeRows(
  b: ProgramBuilder,
  x: Tensor,
  rule: RowFilling,
  context: RowContext,
  targets: readonly PlaneTarget[] = [],
): Plane[] {
  let left = x;
  let statistics = context.statistics ?? statisticsFor(b, left, rule);
  return Array.from({ length: rule.planes }, (_, index) => {
    const target = targets[index] ?? {};
    const row = rule.fillingOf(index);
    const bits = target.bits ?? b.transient('signs', x.shape, 'bits');
    if (target.isPacked !== true)
      pack(b, left, { statistics, row, bits, flips: target.flips, rule, context });
    const plane = { bits, ...affine(b, x, { statistics, row, rule, context, target }) };
    if (rule.ofRemainder && index + 1 < rule.planes) {
      left = remainder(b, left, plane);
      statistics = statisticsFor(b, left, rule);
    }
    return plane;
  });
}

function pack(
  b: ProgramBuilder,
  x: Tensor,
  {
    statistics,
    row,
    bits,
    flips,
    rule,
    context,
  }: {
    readonly statistics: Tensor | undefined;
    readonly row: Filling;
    readonly bits: Tensor;
    readonly flips: Tensor | undefined;
    readonly rule: RowFilling;
    readonly context: RowContext;
  },
): void {
  const where = 'quantizeRows';
  assertDType(x, 'f32', where);
  assertDType(bits, 'bits', where);
  assertShapeIs(bits, x.shape, where);
  const [rows = 1] = x.shape;
  const CHANNELS = x.shape.at(-1) ?? 1;
  const ROWS = x.size / CHANNELS;
  const fillings = { row };
  const isDrawn = rule.isRandom && context.state !== undefined;
  b.dispatch(
    fillFrame(rowPackFrame, fillings),
    {
      x,
      ...boundTo(b, statistics, context),
      state: isDrawn ? (context.state as Tensor) : unusedState(b),
      bits,
      flips: flips ?? b.transient('flips', [1], 'u32'),
    },
    {
      ROWS,
      CHANNELS,
      FILTER_ROWS: ROWS / rows,
      ...constantsFor(statistics, context, rows),
      RANDOM: isDrawn ? 1 : 0,
      STREAM: context.stream ?? 0,
      COUNTS: flips === undefined ? 0 : 1,
      ...constantsOf(fillings),
    },
  );
}

/** Scales and offsets of a plane: one a row of statistics, or of channels that are rows; else one of all. */
function affine(
  b: ProgramBuilder,
  x: Tensor,
  {
    statistics,
    row,
    rule,
    context,
    target,
  }: {
    readonly statistics: Tensor | undefined;
    readonly row: Filling;
    readonly rule: RowFilling;
    readonly context: RowContext;
    readonly target: PlaneTarget;
  },
): Pick<Plane, 'scale' | 'offset'> {
  const [rows = 1] = x.shape;
  const ROWS = statistics === undefined && context.channels === 'last' ? 1 : rows;
  const result = (wanted: boolean, label: string, out: Tensor | undefined) =>
    wanted ? resultTensor(b, label, [ROWS], 'f32', out) : undefined;
  const scale = result(rule.hasScale, 'scales', target.scale);
  const offset = result(rule.hasOffset, 'offsets', target.offset);
  if (scale === undefined && offset === undefined) return { scale, offset };
  const unused = (label: string) => b.transient(label, [ROWS], 'f32');
  const fillings = { row };
  b.dispatch(
    fillFrame(rowAffineFrame, fillings),
    {
      ...boundTo(b, statistics, context),
      scales: scale ?? unused('scales'),
      offsets: offset ?? unused('offsets'),
    },
    { ROWS, ...constantsFor(statistics, context, rows), ...constantsOf(fillings) },
  );
  return { scale, offset };
}

/** What a plane leaves over of the values. */
function remainder(b: ProgramBuilder, x: Tensor, { bits, scale, offset }: Plane): Tensor {
  const out = b.transient('remainder', x.shape, 'f32');
  const [rows = 1] = x.shape;
  const given = scale ?? offset;
  b.dispatch(
    rowRemainder,
    { x, bits, scales: scale ?? given ?? x, offsets: offset ?? given ?? x, out },
    {
      SIZE: x.size,
      CHANNELS: x.shape.at(-1) ?? 1,
      LENGTH: x.size / rows,
      HAS_SCALE: scale === undefined ? 0 : 1,
      HAS_OFFSET: offset === undefined ? 0 : 1,
      BY_ROW: given?.size === rows ? 1 : 0,
    },
  );
  return out;
}

/** What gradients through a quantizer read. */
export interface RowGradientOptions extends RowContext {
  /** f32, shape of the gradient: the values that were quantized. */
  readonly x: Tensor;
  /** From `statisticsFor`, of a rule that reads some. */
  readonly statistics: Tensor | undefined;
  /** Default: the values' signs. */
  readonly rule: RowFilling | undefined;
  /** The quantizer's `rule_gradient` and `Scalars`. */
  readonly passing: Filling;
}

/** What a gradient through statistics reads. */
export interface ThroughOptions extends RowGradientOptions {
  /** f32, shape of the gradient: the one with respect to values, with statistics as constants. */
  readonly own: Tensor;
}

/**
 * The gradient with respect to values: scale·gradient(argument)·slope times the one with respect to scale·sign + offset, or
 * gradient(value) times it where the rule is straight. Statistics pass on what the rule says, and else count as constants.
 * @param grad f32 [rows, ...]
 * @returns f32 of the same shape
 * @throws ShapeError
 */
export function rowGradient(b: ProgramBuilder, grad: Tensor, options: RowGradientOptions): Tensor {
  const { x } = options;
  const { fillings, bindings, constants } = gradientParts(b, grad, options, 'rowGradient');
  const out = b.transient('gradient of values', x.shape, 'f32');
  b.dispatch(
    fillFrame(rowGradientFrame, fillings),
    { g: grad, x, ...bindings, out },
    { ...constants, SIZE: x.size, CHANNELS: x.shape.at(-1) ?? 1 },
  );
  return options.rule?.through?.(b, grad, { ...options, own: out }) ?? out;
}

/** Values that one workgroup adds up. */
const CHUNK = 4096;

/**
 * The gradient with respect to what is learned, added up in a fixed order.
 * @param grad f32 [rows, ...]
 * @returns f32, shape of `options.learned`
 * @throws ShapeError
 */
export function learnedGradient(
  b: ProgramBuilder,
  grad: Tensor,
  options: RowGradientOptions & { readonly learned: Tensor },
): Tensor {
  const { x, learned, channels = 'first' } = options;
  const { fillings, bindings, constants } = gradientParts(b, grad, options, 'learnedGradient');
  const [GROUPS = 1, FIELDS = 1] = learned.shape;
  const OUTER = channels === 'last' ? x.size / GROUPS : 1;
  const INNER = channels === 'last' ? 1 : x.size / GROUPS;
  const CHUNKS = Math.max(1, Math.ceil((OUTER * INNER) / CHUNK));
  const parts = b.transient('parts of what is learned', [CHUNKS, GROUPS, 4], 'f32');
  b.dispatch(
    fillFrame(rowLearningFrame, fillings),
    { g: grad, x, ...bindings, parts },
    { ...constants, OUTER, GROUPS, INNER, CHUNKS },
  );
  const out = b.transient('gradient of what is learned', learned.shape, 'f32');
  b.dispatch(rowLearned, { parts, out }, { CHUNKS, GROUPS, FIELDS });
  return out;
}

/** What both gradients bind. */
function gradientParts(
  b: ProgramBuilder,
  grad: Tensor,
  { x, statistics, rule, passing, table, state, ...context }: RowGradientOptions,
  where: string,
) {
  assertDType(x, 'f32', where);
  assertFloats(grad, x.shape, where);
  const [rows = 1] = x.shape;
  if (statistics !== undefined) assertStatistics(statistics, rows, where);
  const fillings = { gradient: passing, ...(rule && { row: rule.fillingOf(0) }) };
  return {
    fillings,
    bindings: {
      ...boundTo(b, statistics, context),
      table: table ?? b.transient('no numbers', [1], 'f32'),
      state: state ?? unusedState(b),
    },
    constants: {
      LENGTH: x.size / rows,
      ...constantsFor(statistics, context, rows),
      STRAIGHT: rule?.isStraight === true ? 1 : 0,
      TABLE_ROWS: table?.shape[0] ?? 1,
      ...constantsOf(fillings),
    },
  };
}

/** What isn't there is bound to something that is only read. */
function boundTo(b: ProgramBuilder, statistics: Tensor | undefined, { learned }: RowContext) {
  return {
    statistics: statistics ?? b.transient('no statistics', [1, ROW_STATISTICS.length], 'f32'),
    learned: learned ?? b.transient('nothing learned', [4], 'f32'),
  };
}

function unusedState(b: ProgramBuilder): Tensor {
  return b.transient('no state', [STATE_WORDS], 'u32');
}

function constantsFor(
  statistics: Tensor | undefined,
  { learned, channels = 'first' }: RowContext,
  rows: number,
): { HAS_STATISTICS: number; LEARNED_BY: number } {
  const groups = learned?.shape[0] ?? 1;
  const byRow = channels === 'first' && groups === rows;
  return {
    HAS_STATISTICS: statistics === undefined ? 0 : 1,
    LEARNED_BY: groups === 1 ? 0 : byRow ? 1 : 2,
  };
}

function assertStatistics({ shape, dtype, label }: Tensor, rows: number, where: string): void {
  if (dtype === 'f32' && shape[0] === rows && shape[1] === ROW_STATISTICS.length) return;
  throw new ShapeError('There are statistics of every row.', {
    given: `${label}: ${describe(shape, dtype)}`,
    expected: `[${rows}, ${ROW_STATISTICS.length}] f32`,
    where,
  });
}
