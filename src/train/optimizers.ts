/**
 * Optimizers: what they keep for each parameter, and how their update is recorded. Binary parameters are updated on
 * their latent weights, which are clipped and packed in the same kernel; Bop has no latent weights and flips the packed
 * ones.
 */
import { OptionError } from '../errors.ts';
import { type ProgramBuilder, Tensor } from '../gpu/index.ts';
import type { Parameter } from '../layers/index.ts';
import { updateBinary, updateReal } from '../ops/optim.ts';
import { type LearningRate, learningRateAt } from './schedules.ts';

/** Adam (Kingma & Ba 2015) in Keras' form: the bias correction is folded into the rate. */
export interface AdamOptions {
  readonly kind: 'adam';
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** Stochastic gradient descent with momentum (v ← μv + g, w ← w − lr·v). */
export interface SgdOptions {
  readonly kind: 'sgd';
  readonly momentum?: number;
}

/**
 * Bop (Helwegen et al. 2019): m ← (1 − γ)m + γg, and a weight flips when w·m > τ. Parameters that aren't binary are
 * trained by Adam.
 */
export interface BopOptions {
  readonly kind: 'bop';
  readonly gamma?: LearningRate;
  readonly threshold?: number;
}

export type OptimizerOptions = AdamOptions | SgdOptions | BopOptions;
export type OptimizerName = OptimizerOptions['kind'];

export const OPTIMIZER_NAMES: readonly OptimizerName[] = ['adam', 'sgd', 'bop'];

const ADAM_DEFAULTS = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
const SGD_MOMENTUM = 0.9;
const BOP_DEFAULTS = { gamma: 1e-4, threshold: 1e-8 };

/** @throws OptionError for an unknown name, listing the known ones */
export function resolveOptimizer(given: OptimizerName | OptimizerOptions): OptimizerOptions {
  const options = typeof given === 'string' ? { kind: given } : given;
  if (!OPTIMIZER_NAMES.includes(options.kind)) {
    throw new OptionError('There is no optimizer of this name.', {
      given: String(options.kind),
      expected: OPTIMIZER_NAMES.join(', '),
    });
  }
  return options;
}

/** What an optimizer keeps of one parameter. */
export interface Slots {
  readonly parameter: Parameter;
  /** f32, shape of the parameter. Adam: m and v. SGD: velocity. Bop: m. */
  readonly moments: readonly Tensor[];
  /** u32 [filters]: signs flipped since the counters were reset; binary parameters only. */
  readonly flips: Tensor | undefined;
}

/** All tensors of some slots. */
export function tensorsOf(slots: readonly Slots[]): Tensor[] {
  return slots.flatMap(({ moments, flips }) => (flips ? [...moments, flips] : [...moments]));
}

/** Declares the slots of a parameter; they get memory later. */
export function declareSlots(optimizer: OptimizerOptions, parameter: Parameter): Slots {
  const binary = parameter.spec.role === 'binary';
  const names =
    optimizer.kind === 'sgd' ? ['velocity'] : optimizer.kind === 'bop' && binary ? ['m'] : ['m', 'v'];
  const { shape } = parameter.spec;
  return {
    parameter,
    moments: names.map((name) => new Tensor(`${parameter.name}.${name}`, shape, 'f32')),
    flips: binary ? new Tensor(`${parameter.name}.flips`, [shape[0] ?? 1], 'u32') : undefined,
  };
}

/** The numbers that a step's update kernels read from the train state: (rate, γ, τ, 0). */
export function hyperParameters(
  optimizer: OptimizerOptions,
  learningRate: LearningRate,
  step: number,
  steps: number,
  epochSteps: number,
): readonly [number, number, number, number] {
  const rate = learningRateAt(learningRate, step, steps, epochSteps);
  if (optimizer.kind === 'sgd') return [rate, 0, 0, 0];
  const { beta1 = ADAM_DEFAULTS.beta1, beta2 = ADAM_DEFAULTS.beta2 } =
    optimizer.kind === 'adam' ? optimizer : {};
  const corrected = (rate * Math.sqrt(1 - beta2 ** (step + 1))) / (1 - beta1 ** (step + 1));
  if (optimizer.kind === 'adam') return [corrected, 0, 0, 0];
  const gamma = learningRateAt(optimizer.gamma ?? BOP_DEFAULTS.gamma, step, steps, epochSteps);
  return [corrected, gamma, optimizer.threshold ?? BOP_DEFAULTS.threshold, 0];
}

/**
 * Records the update of one parameter.
 * @param fanScaled scale the step by 1/√(1.5/(fanIn + fanOut)) (Courbariaux et al. 2016); binary parameters only
 */
export function recordUpdate(
  builder: ProgramBuilder,
  optimizer: OptimizerOptions,
  { parameter, moments, flips }: Slots,
  gradient: Tensor,
  state: Tensor,
  fanScaled: boolean,
): void {
  const { spec, value, packed } = parameter;
  const { beta1, beta2, epsilon } = { ...ADAM_DEFAULTS, ...(optimizer.kind === 'adam' ? optimizer : {}) };
  const momentum = optimizer.kind === 'sgd' ? (optimizer.momentum ?? SGD_MOMENTUM) : SGD_MOMENTUM;
  const common = { grad: gradient, slots: [...moments], state, beta1, beta2, epsilon, momentum };
  if (packed === undefined || flips === undefined) {
    updateReal(builder, {
      ...common,
      optimizer: optimizer.kind === 'sgd' ? 'sgd' : 'adam',
      parameter: value,
    });
    return;
  }
  const quantizer = spec.quantizer ?? 'steSign';
  updateBinary(builder, {
    ...common,
    optimizer: optimizer.kind,
    latent: value,
    packed,
    flips,
    stepScale: fanScaled ? 1 / Math.sqrt(1.5 / (spec.fanIn + spec.fanOut)) : 1,
    weightGate: quantizer === 'steIdentity' ? 'none' : quantizer,
    ...(spec.clip === undefined ? {} : { clip: spec.clip }),
    clipLatent: spec.weightClip ?? true,
  });
}
