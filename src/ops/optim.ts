/**
 * Optimizer steps. The step size and Bop's numbers come from the train state, so that a schedule costs no new program;
 * a halted run is left as it is.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import {
  updateAdam,
  updateAdam4,
  updateAdamBinary,
  updateAdamBinary4,
  updateBop,
  updateBop4,
  updateSgd,
  updateSgd4,
  updateSgdBinary,
  updateSgdBinary4,
  WEIGHT_GATES,
} from '../kernels/optim.ts';
import type { WeightGate } from '../reference/optim.ts';
import { assertFloats } from './checks.ts';
import { assertState } from './data.ts';

export type { WeightGate } from '../reference/optim.ts';

/** Numbers of the optimizers that don't change during a run; Keras' defaults. */
export interface OptimizerNumbers {
  /** Adam: share of m that stays. Default 0.9. */
  readonly beta1?: number;
  /** Adam: share of v that stays. Default 0.999. */
  readonly beta2?: number;
  /** Adam: added to the square root of v; positive. Default 1e-7. */
  readonly epsilon?: number;
  /** SGD: share of the velocity that stays. Default 0. */
  readonly momentum?: number;
}

export interface UpdateBinaryOptions extends OptimizerNumbers {
  readonly optimizer: 'adam' | 'sgd' | 'bop';
  /** f32 [O, ..., C], with respect to the binary weights. */
  readonly grad: Tensor;
  /** f32 [O, ..., C]. Bop needs none; if it is given, it becomes the new signs as floats. */
  readonly latent?: Tensor;
  /** bits [O, ..., C]: the signs of the latent weights. */
  readonly packed: Tensor;
  /** f32 [O, ..., C] each. Adam: m and v; SGD: the velocity, or none without momentum; Bop: m. */
  readonly slots: readonly Tensor[];
  /** u32 [O]: goes up by the signs of the filter that changed. */
  readonly flips: Tensor;
  /** u32 [12]. `hyper` holds (step size, Bop's gamma, Bop's threshold, unused). */
  readonly state: Tensor;
  /** Multiplies the step size (Courbariaux et al. 2016: 1 / sqrt(1.5 / (fan_in + fan_out))). Default 1. */
  readonly stepScale?: number;
  /** What the gradient is multiplied by, as a function of the latent weight. Default none. */
  readonly weightGate?: WeightGate;
  /** `steSign` passes the gradient where |w| <= clip. Default 1. */
  readonly clip?: number;
  /** Clip latent weights to [-1, 1] after the step. Default true. */
  readonly clipLatent?: boolean;
}

/**
 * One step of an optimizer on binary weights, their latent weights and the counters of flipped signs, in one kernel.
 * - `adam` (Kingma & Ba 2015, Keras' form): m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 *   w = w - rate m / (sqrt(v) + epsilon), where rate = hyper.x includes the bias correction.
 * - `sgd`: v = momentum v + g; w = w - rate v.
 * - `bop` (Helwegen et al. 2019): m = (1 - gamma) m + gamma g; the weight flips where w * m > threshold.
 * @throws ShapeError, OptionError
 */
export function updateBinary(b: ProgramBuilder, options: UpdateBinaryOptions): void {
  const { optimizer, grad, latent, packed, slots, flips, state } = options;
  const where = 'updateBinary';
  assertState(state, where);
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
  for (const tensor of [grad, ...slots, ...(latent === undefined ? [] : [latent])])
    assertFloats(tensor, shape, where);
  if (flips.dtype !== 'u32' || flips.size !== filters) {
    throw new ShapeError('There is one counter of flips for every filter.', {
      given: `${flips.label}: ${describe(flips.shape, flips.dtype)}`,
      expected: `[${filters}] u32`,
      where,
    });
  }
  const { beta1, beta2, epsilon, momentum } = numbersOf(options, where);
  const { stepScale = 1, weightGate = 'none', clip = 1, clipLatent = true } = options;
  if (!Object.hasOwn(WEIGHT_GATES, weightGate)) {
    throw new OptionError('There is no gradient gate of this name.', {
      given: String(weightGate),
      expected: Object.keys(WEIGHT_GATES).join(', '),
      where,
    });
  }
  if (!Number.isFinite(stepScale) || !(clip >= 0)) {
    throw new OptionError('The step scale is finite, and the gate ends at a positive weight.', {
      given: `stepScale = ${stepScale}, clip = ${clip}`,
      where,
    });
  }
  const vec4 = channels % 4 === 0;
  const rows = packed.size / channels;
  const words = { ROWS: rows, CHANNELS: channels, FILTER_ROWS: rows / filters };
  if (optimizer === 'bop') {
    const [m] = takeSlots(slots, 1, optimizer, where);
    b.dispatch(
      vec4 ? updateBop4 : updateBop,
      { grad, state, latent: latent ?? placeholder(b), bits: packed, m, flips },
      { ...words, HAS_LATENT: latent === undefined ? 0 : 1 },
    );
    return;
  }
  if (latent === undefined) {
    throw new OptionError('This optimizer moves latent weights.', {
      given: `${optimizer} without options.latent`,
      where,
      remedy: 'give the latent weights, or use bop',
    });
  }
  const constants = {
    ...words,
    STEP_SCALE: stepScale,
    GATE: WEIGHT_GATES[weightGate],
    // Infinity (no end) is no f32 constant.
    GATE_CLIP: Math.min(clip, 3e38),
    CLIP: clipLatent ? 1 : 0,
  };
  if (optimizer === 'adam') {
    const [m, v] = takeSlots(slots, 2, optimizer, where);
    b.dispatch(
      vec4 ? updateAdamBinary4 : updateAdamBinary,
      { grad, state, latent, bits: packed, m, v, flips },
      { ...constants, GAIN1: 1 - beta1, GAIN2: 1 - beta2, EPSILON: epsilon },
    );
    return;
  }
  assertSgd(optimizer, where);
  const velocity = takeVelocity(slots, momentum, where);
  b.dispatch(
    vec4 ? updateSgdBinary4 : updateSgdBinary,
    { grad, state, latent, bits: packed, velocity: velocity ?? placeholder(b), flips },
    { ...constants, MOMENTUM: momentum, HAS_VELOCITY: velocity === undefined ? 0 : 1 },
  );
}

export interface UpdateRealOptions extends OptimizerNumbers {
  readonly optimizer: 'adam' | 'sgd';
  /** f32, any shape. */
  readonly grad: Tensor;
  /** f32, shape of `grad`. */
  readonly parameter: Tensor;
  /** f32, shape of `grad`. Adam: m and v; SGD: the velocity, or none without momentum. */
  readonly slots: readonly Tensor[];
  /** u32 [12]. */
  readonly state: Tensor;
}

/** One step of an optimizer on real parameters; formulas as in `updateBinary`. @throws ShapeError, OptionError */
export function updateReal(b: ProgramBuilder, options: UpdateRealOptions): void {
  const { optimizer, grad, parameter, slots, state } = options;
  const where = 'updateReal';
  assertState(state, where);
  for (const tensor of [grad, parameter, ...slots]) assertFloats(tensor, parameter.shape, where);
  const { beta1, beta2, epsilon, momentum } = numbersOf(options, where);
  const vec4 = parameter.size % 4 === 0;
  const LANES = vec4 ? parameter.size / 4 : parameter.size;
  if (optimizer === 'adam') {
    const [m, v] = takeSlots(slots, 2, optimizer, where);
    b.dispatch(
      vec4 ? updateAdam4 : updateAdam,
      { grad, state, parameter, m, v },
      { LANES, GAIN1: 1 - beta1, GAIN2: 1 - beta2, EPSILON: epsilon },
    );
    return;
  }
  assertSgd(optimizer, where);
  const velocity = takeVelocity(slots, momentum, where);
  b.dispatch(
    vec4 ? updateSgd4 : updateSgd,
    { grad, state, parameter, velocity: velocity ?? placeholder(b) },
    { LANES, MOMENTUM: momentum, HAS_VELOCITY: velocity === undefined ? 0 : 1 },
  );
}

/** Bound where a kernel has a slot that this call doesn't use: no two written bindings may be the same buffer. */
function placeholder(b: ProgramBuilder): Tensor {
  return b.transient('placeholder', [1], 'f32');
}

function numbersOf(options: OptimizerNumbers, where: string): Required<OptimizerNumbers> {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, momentum = 0 } = options;
  for (const [name, value] of Object.entries({ beta1, beta2, momentum })) {
    if (!(value >= 0 && value < 1)) {
      throw new OptionError('The share of an average that stays is at least 0 and below 1.', {
        given: `${name} = ${value}`,
        where,
      });
    }
  }
  if (!(epsilon > 0) || !Number.isFinite(epsilon)) {
    throw new OptionError("Adam's epsilon is positive.", { given: `epsilon = ${epsilon}`, where });
  }
  return { beta1, beta2, epsilon, momentum };
}

function takeSlots(slots: readonly Tensor[], count: 1, optimizer: string, where: string): [Tensor];
function takeSlots(slots: readonly Tensor[], count: 2, optimizer: string, where: string): [Tensor, Tensor];
function takeSlots(slots: readonly Tensor[], count: number, optimizer: string, where: string): Tensor[] {
  if (slots.length !== count) {
    throw new OptionError('The optimizer keeps another number of values for each weight.', {
      given: `${slots.length} slots`,
      expected: `${count} for ${optimizer}`,
      where,
    });
  }
  return [...slots];
}

function takeVelocity(slots: readonly Tensor[], momentum: number, where: string): Tensor | undefined {
  if (slots.length === 0 && momentum === 0) return undefined;
  return takeSlots(slots, 1, 'sgd with momentum', where)[0];
}

function assertSgd(optimizer: string, where: string): void {
  if (optimizer !== 'sgd') {
    throw new OptionError('There is no optimizer of this name here.', { given: optimizer, where });
  }
}
