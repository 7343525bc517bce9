/**
 * Updates of parameters: what an optimizer, a quantizer and a penalty bring is linked into one kernel. Numbers that change
 * from step to step stand in a table, one row a batch of the epoch, so that a schedule costs no new program; a halted run is
 * left as it is.
 */
import { OptionError, ShapeError } from '../errors.ts';
import {
  constantsOf,
  describe,
  type Filling,
  fillFrame,
  type ProgramBuilder,
  type Tensor,
  wordsFor,
} from '../gpu/index.ts';
import {
  clipFactor,
  clipNorm,
  clipValue,
  measuredMean,
  squareSums,
  updateBinaryFrame,
  updateBinaryFrame4,
  updateBinaryMeasuredFrame,
  updateBinaryMeasuredFrame4,
  updateRealFrame,
  updateRealFrame4,
  updateRealMeasuredFrame,
  updateRealMeasuredFrame4,
} from '../kernels/optim.ts';
import { assertFloats } from './checks.ts';
import { assertState } from './data.ts';

/** What an optimizer brings: `fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane`. */
export interface UpdateFunction extends Filling {
  /** Fields of `Slots`, in order: what is kept of each weight. None: the struct is left away. */
  readonly slots: readonly string[];
  /** Fields of `Scalars`, in order: the columns of the table. */
  readonly scalars: readonly string[];
  /**
   * What is measured of each weight's step, where something is: `fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) ->
   * Lane`. The next step's `update` reads the mean of the tensor as `measured`.
   */
  readonly measure?: Filling & { /** `measured` before the first step. */ readonly start: number };
}

/** What every update takes. */
export interface UpdateOptions {
  /** How a weight moves. */
  readonly update: UpdateFunction;
  /** f32, shape of the parameter. */
  readonly grad: Tensor;
  /** u32 [8]. */
  readonly state: Tensor;
  /** f32 [rows, scalars]: row min(`state.batch`, rows − 1) is this step's. */
  readonly table: Tensor;
  /** f32 [size / width, slots, width], see `slotsShape`; absent for an optimizer that keeps nothing. */
  readonly slots?: Tensor | undefined;
  /** f32 [`measuresOf`], 0 before the first step; absent for an optimizer that measures nothing. */
  readonly measures?: Tensor | undefined;
  /** Multiplies the step (Courbariaux et al. 2016: 1 / √(1.5 / (fanIn + fanOut))). Default 1. */
  readonly stepScale?: number;
  /** Of what the optimizer draws: a number of its own for each parameter. Default 0. */
  readonly stream?: number;
}

/** What an update of binary weights takes. */
export interface UpdateBinaryOptions extends UpdateOptions {
  /** f32 [O, ..., C]; absent where only the signs are kept, of an optimizer that moves signs. */
  readonly latent?: Tensor | undefined;
  /** bits [O, ..., C]: the signs of the latent weights. */
  readonly packed: Tensor;
  /** u32 [O]: goes up by the signs of the filter that changed. */
  readonly flips: Tensor;
  /** What the gradient is multiplied by: `fn gradient(x: f32) -> f32`. Default: 1. */
  readonly gradient?: Filling | undefined;
  /** What is made of it then: `fn penalized(w: f32, g: f32) -> f32`. Default: nothing. */
  readonly penalty?: Filling | undefined;
  /** Clip latent weights to [−1, 1] after the step. Default true. */
  readonly clipLatent?: boolean;
}

/** Channels that one lane of a parameter's update holds: 4 where rows are whole vec4s. */
export function laneWidth(rowLength: number): number {
  return rowLength % 4 === 0 ? 4 : 1;
}

/** The shape of the slots of a parameter: those of one lane beside each other. @param rowLength of binary parameters their channels, else their size */
export function slotsShape(size: number, rowLength: number, slots: number): readonly number[] {
  const width = laneWidth(rowLength);
  return [size / width, slots, width];
}

/**
 * Numbers that are kept of a tensor whose updates are measured: the mean, 1 once there is one, and a sum an invocation.
 * @param rowLength of binary parameters their channels, else undefined
 */
export function measuresOf(size: number, rowLength?: number): number {
  const parts = rowLength === undefined ? size / laneWidth(size) : (size / rowLength) * wordsFor(rowLength);
  return MEASURED + parts;
}

/** Of those, what outlives a step. */
export const MEASURED = 2;

/** Lays one array a slot out as `slotsShape` has it. @param rowLength as there */
export function joinSlots(parts: readonly Float32Array[], rowLength: number): Float32Array<ArrayBuffer> {
  const width = laneWidth(rowLength);
  const kept = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  for (const [slot, part] of parts.entries()) {
    for (let i = 0; i < part.length; i++) {
      kept[(Math.floor(i / width) * parts.length + slot) * width + (i % width)] = part[i] ?? 0;
    }
  }
  return kept;
}

/** The inverse of `joinSlots`: one array a slot. */
export function partSlots(kept: Float32Array, slots: number, rowLength: number): Float32Array<ArrayBuffer>[] {
  const width = laneWidth(rowLength);
  return Array.from({ length: slots }, (_, slot) =>
    Float32Array.from(
      { length: kept.length / slots },
      (_, i) => kept[(Math.floor(i / width) * slots + slot) * width + (i % width)] ?? 0,
    ),
  );
}

/**
 * One step of an optimizer on binary weights, their latent weights and the counters of flipped signs, in one kernel: the
 * gradient is multiplied by what the quantizer passes at the latent weight, a penalty edits it, the optimizer moves the
 * weight, and its sign is packed.
 * @throws ShapeError, OptionError
 */
export function updateBinary(b: ProgramBuilder, options: UpdateBinaryOptions): void {
  const { grad, latent, packed, flips, state, update, gradient, penalty } = options;
  const where = 'updateBinary';
  const { shape } = packed;
  const channels = shape.at(-1) ?? 1;
  const filters = shape[0] ?? 1;
  if (packed.dtype !== 'bits' || shape.length < 2) {
    throw new ShapeError('Binary weights are packed filters.', {
      given: `${packed.label}: ${describe(shape, packed.dtype)}`,
      expected: '[O, ..., C] bits',
      where,
    });
  }
  for (const tensor of [grad, ...(latent === undefined ? [] : [latent])]) assertFloats(tensor, shape, where);
  if (flips.dtype !== 'u32' || flips.size !== filters) {
    throw new ShapeError('There is one counter of flips for every filter.', {
      given: `${flips.label}: ${describe(flips.shape, flips.dtype)}`,
      expected: `[${filters}] u32`,
      where,
    });
  }
  const { slots, constants, measured } = commonOf(b, options, packed.size, { channels }, where);
  const fillings = {
    ...(gradient === undefined ? {} : { gradient }),
    ...(penalty === undefined ? {} : { penalty }),
    update,
  };
  const rows = packed.size / channels;
  const bindings = { grad, state, table: options.table, latent: latent ?? placeholder(b), bits: packed };
  const values = {
    ...constants,
    ROWS: rows,
    CHANNELS: channels,
    FILTER_ROWS: rows / filters,
    HAS_LATENT: latent === undefined ? 0 : 1,
    CLIP_LATENT: (options.clipLatent ?? true) ? 1 : 0,
  };
  const isWide = channels % 4 === 0;
  if (measured === undefined) {
    b.dispatch(
      fillFrame(isWide ? updateBinaryFrame4 : updateBinaryFrame, fillings),
      { ...bindings, slots, flips },
      { ...values, ...constantsOf(fillings) },
    );
    return;
  }
  const { measure, measures } = measured;
  const all = { ...fillings, measure };
  b.dispatch(
    fillFrame(isWide ? updateBinaryMeasuredFrame4 : updateBinaryMeasuredFrame, all),
    { ...bindings, slots, flips, measures },
    { ...values, ...constantsOf(all), MEASURE_START: measure.start },
  );
  addUp(b, measures, state, packed.size);
}

/** What was measured of a tensor's weights becomes its mean. */
function addUp(b: ProgramBuilder, measures: Tensor, state: Tensor, weights: number): void {
  b.dispatch(measuredMean, { state, measures }, { PARTS: measures.size - MEASURED, WEIGHTS: weights });
}

/** What an update of real parameters takes. */
export interface UpdateRealOptions extends UpdateOptions {
  /** f32, shape of `grad`. */
  readonly parameter: Tensor;
}

/** One step of an optimizer on real parameters. @throws ShapeError, OptionError */
export function updateReal(b: ProgramBuilder, options: UpdateRealOptions): void {
  const { grad, parameter, state, update } = options;
  const where = 'updateReal';
  for (const tensor of [grad, parameter]) assertFloats(tensor, parameter.shape, where);
  const { slots, constants, measured } = commonOf(b, options, parameter.size, {}, where);
  const width = laneWidth(parameter.size);
  const bindings = { grad, state, table: options.table, parameter, slots };
  const values = { ...constants, LANES: parameter.size / width };
  if (measured === undefined) {
    const frame = fillFrame(width === 4 ? updateRealFrame4 : updateRealFrame, { update });
    b.dispatch(frame, bindings, { ...values, ...constantsOf({ update }) });
    return;
  }
  const { measure, measures } = measured;
  b.dispatch(
    fillFrame(width === 4 ? updateRealMeasuredFrame4 : updateRealMeasuredFrame, { update, measure }),
    { ...bindings, measures },
    { ...values, ...constantsOf({ update, measure }), MEASURE_START: measure.start },
  );
  addUp(b, measures, state, parameter.size);
}

/** Checks what binary and real updates share. @param row.channels of binary parameters */
function commonOf(
  b: ProgramBuilder,
  { update, state, table, slots, measures, stepScale = 1, stream = 0 }: UpdateOptions,
  size: number,
  { channels }: { readonly channels?: number },
  where: string,
) {
  assertState(state, where);
  const columns = update.scalars.length;
  if (table.dtype !== 'f32' || table.shape.length !== 2 || table.shape[1] !== columns || columns === 0) {
    throw new ShapeError("The table of an optimizer's numbers has a column for each.", {
      given: describe(table.shape, table.dtype),
      expected: `[rows, ${columns}] f32, for ${update.scalars.join(', ')}`,
      where: `${where}: ${update.name}`,
    });
  }
  const count = update.slots.length;
  const expected = slotsShape(size, channels ?? size, count);
  const given = slots === undefined ? 'no slots' : describe(slots.shape, slots.dtype);
  if (count === 0 ? slots !== undefined : slots?.dtype !== 'f32' || slots.shape.join() !== expected.join()) {
    throw new ShapeError('The optimizer keeps something else of each weight.', {
      given,
      expected: count === 0 ? 'no slots' : `${describe(expected)} f32, for ${update.slots.join(', ')}`,
      where: `${where}: ${update.name}`,
    });
  }
  if (!Number.isFinite(stepScale)) {
    throw new OptionError('The scale of steps is finite.', { given: `stepScale = ${stepScale}`, where });
  }
  const { measure } = update;
  const wanted = measure && measuresOf(size, channels);
  if (measures?.size !== wanted || (measures !== undefined && measures.dtype !== 'f32')) {
    throw new ShapeError('What an optimizer measures has another shape.', {
      given: measures === undefined ? 'no measures' : describe(measures.shape, measures.dtype),
      expected: wanted === undefined ? 'no measures' : `[${wanted}] f32`,
      where: `${where}: ${update.name}`,
    });
  }
  return {
    slots: slots ?? placeholder(b),
    measured: measure && measures && { measure, measures },
    constants: {
      HAS_SLOTS: count === 0 ? 0 : 1,
      STEP_SCALE: stepScale,
      // Where nothing is drawn, parameters share their pipelines.
      STREAM: update.wgsl.includes('drawing') ? stream : 0,
      TABLE_ROWS: table.shape[0] ?? 1,
    },
  };
}

/** Bound where a kernel has a binding that this call doesn't use: no two written bindings may be the same buffer. */
function placeholder(b: ProgramBuilder): Tensor {
  return b.transient('placeholder', [1], 'f32');
}

/** Most parts that the squares of a gradient are added up in. */
const MOST_PARTS = 64;
/** Elements that are a part of their own. */
const PART = 4096;

/**
 * Gradients as an optimizer is to have them: `norm` multiplies all of them by one number where their length together is more
 * (Pascanu et al. 2013), `value` brings every element to at most that from zero.
 * @param gradients f32, of any shapes
 * @returns new tensors of these shapes
 * @throws OptionError unless the most is positive and finite, ShapeError for gradients that aren't floats
 */
export function clipGradients(
  b: ProgramBuilder,
  gradients: readonly Tensor[],
  clip: { readonly norm: number } | { readonly value: number },
): Tensor[] {
  const where = 'clipGradients';
  const most = 'norm' in clip ? clip.norm : clip.value;
  if (!(most > 0 && Number.isFinite(Math.fround(most)))) {
    throw new OptionError('Gradients are clipped to a positive number.', { given: String(most), where });
  }
  for (const gradient of gradients) assertFloats(gradient, gradient.shape, where);
  const outOf = ({ shape }: Tensor) => b.transient('clipped gradient', shape, 'f32');
  if ('value' in clip) {
    return gradients.map((grad) => {
      const out = outOf(grad);
      b.dispatch(clipValue, { grad, out }, { SIZE: grad.size, MOST: most });
      return out;
    });
  }
  const parts = gradients.map(({ size }) => Math.min(MOST_PARTS, Math.ceil(size / PART)));
  const count = parts.reduce((sum, part) => sum + part, 0);
  const sums = b.transient('squares of gradients', [Math.max(1, count)], 'f32');
  let offset = 0;
  for (const [i, grad] of gradients.entries()) {
    const PARTS = parts[i] ?? 1;
    b.dispatch(squareSums, { grad, sums }, { SIZE: grad.size, PARTS, OFFSET: offset });
    offset += PARTS;
  }
  const factor = b.transient('factor of gradients', [1], 'f32');
  b.dispatch(clipFactor, { sums, factor }, { COUNT: count, MOST: most });
  return gradients.map((grad) => {
    const out = outOf(grad);
    b.dispatch(clipNorm, { grad, factor, out }, { SIZE: grad.size });
    return out;
  });
}
