/** Batch normalisation over all axes but the last, and its gradient. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, sizeOf, type Tensor } from '../gpu/index.ts';
import {
  normApply,
  normApply4,
  normCombine,
  normCombine4,
  normGradApply,
  normGradApply4,
  normGradApplyPooled,
  normGradApplyPooled4,
  normGradCombine,
  normGradCombine4,
  normGradSums,
  normGradSums4,
  normGradSumsPooled,
  normGradSumsPooled4,
  normMoments,
  normMoments4,
  normRunning,
  normSigns,
  normSigns4,
  type PooledConstants,
} from '../kernels/norm.ts';
import { assertState } from './data.ts';
import { type Pool2dOptions, resolvePool2d } from './pool.ts';

/** Chunks of rows of a reduction: never so many that merging them is slower than making them. */
const MOST_CHUNKS = 256;

/** What the gradient needs of the forward pass; f32 [C] each. */
export interface SavedStatistics {
  /** Of the batch. */
  readonly mean: Tensor;
  /** Of the batch, biased. */
  readonly variance: Tensor;
  /** 1 / sqrt(variance + epsilon). */
  readonly inverseStd: Tensor;
}

/** What a batch normalisation is computed of. */
export interface BatchNormOptions {
  /** f32 [..., C]. */
  readonly x: Tensor;
  /** f32 [C]; 1 when absent. */
  readonly gamma?: Tensor;
  /** f32 [C]; 0 when absent. */
  readonly beta?: Tensor;
  /** f32 [C]. */
  readonly runningMean: Tensor;
  /** f32 [C]; of biased variances, as Keras keeps them. */
  readonly runningVariance: Tensor;
  /** Share of the old running statistics that stays at each step, 0 to 1. */
  readonly momentum: number;
  /** Added to the variance; positive. */
  readonly epsilon: number;
  /** Batch statistics when true, running statistics when false. */
  readonly training: boolean;
  /** u32 [8]; needed when training updates the running statistics. */
  readonly state?: Tensor;
  /**
   * Don't move the running statistics: `updateRunningStatistics` is recorded later. After the loss, a batch that halts
   * the run then leaves no trace in them.
   */
  readonly deferRunning?: boolean;
  /**
   * x holds whole numbers of at most 2²⁴ in size, as sums of signs are: of every one of them x − mean has the sign that it has
   * in exact arithmetic, 0 included. Not checked.
   */
  readonly integers?: boolean | undefined;
}

/**
 * y = gamma * (x - mean) / sqrt(variance + epsilon) + beta per channel (Ioffe & Szegedy 2015).
 *
 * Training takes mean and biased variance of the batch, and moves the running ones: running = momentum * running +
 * (1 - momentum) * batch, with the biased variance too (Keras' non-fused layer; PyTorch and TensorFlow's fused kernel
 * take the unbiased one). A halted run leaves them untouched.
 * @returns y f32 [..., C], and when training what `batchNormGrad` needs
 * @throws ShapeError, OptionError
 */
export function batchNorm(
  b: ProgramBuilder,
  options: BatchNormOptions,
): { y: Tensor; saved?: SavedStatistics } {
  const { x, runningMean, runningVariance, momentum, epsilon, training, state } = options;
  const where = 'batchNorm';
  const { channels } = matrixOf(x, where);
  for (const tensor of [runningMean, runningVariance]) assertChannels(tensor, channels, where);
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new OptionError('Batch normalisation has a momentum from 0 to 1.', {
      given: `momentum = ${momentum}`,
      where,
    });
  }
  if (!training) return { y: normalize(b, { ...options, mean: runningMean, variance: runningVariance }) };
  const saved = batchStatistics(b, { x, epsilon, integers: options.integers });
  if (!options.deferRunning) {
    if (state === undefined) {
      throw new OptionError(
        'Training moves the running statistics, and asks the train state whether it may.',
        {
          given: 'no state',
          expected: 'options.state, or options.deferRunning',
          where,
        },
      );
    }
    updateRunningStatistics(b, { saved, runningMean, runningVariance, momentum, state });
  }
  return { y: normalize(b, { ...options, ...saved }), saved };
}

/**
 * Mean, biased variance and 1 / sqrt(variance + epsilon) of each channel of a batch.
 * @param options.x f32 [..., C]
 * @param options.integers x holds whole numbers; see `BatchNormOptions`
 * @returns f32 [C] each
 * @throws ShapeError, OptionError
 */
export function batchStatistics(
  b: ProgramBuilder,
  { x, epsilon, integers = false }: Pick<BatchNormOptions, 'x' | 'epsilon' | 'integers'>,
): SavedStatistics {
  const where = 'batchNorm';
  const { rows: ROWS, channels: CHANNELS, vec4 } = matrixOf(x, where);
  assertEpsilon(epsilon, where);
  const CHUNKS = chunksFor(ROWS);
  const means = b.transient('chunk means', [CHUNKS, CHANNELS], 'f32');
  const deviations = b.transient('chunk deviations', [CHUNKS, CHANNELS], 'f32');
  const totals = b.transient('chunk totals', [integers ? CHUNKS : 1, CHANNELS], 'i32');
  const INTEGERS = integers ? 1 : 0;
  const saved = {
    mean: b.transient('mean', [CHANNELS], 'f32'),
    variance: b.transient('variance', [CHANNELS], 'f32'),
    inverseStd: b.transient('inverse standard deviation', [CHANNELS], 'f32'),
  };
  const chunks = { x, means, deviations, totals };
  b.dispatch(vec4 ? normMoments4 : normMoments, chunks, { ROWS, CHANNELS, CHUNKS, INTEGERS });
  b.dispatch(
    vec4 ? normCombine4 : normCombine,
    { ...chunks, ...saved },
    { ROWS, CHANNELS, CHUNKS, INTEGERS, EPSILON: epsilon },
  );
  return saved;
}

/**
 * y = gamma * (x - mean) / sqrt(variance + epsilon) + beta per channel, with statistics that are there: what `batchNorm`
 * does when it isn't training.
 * @param options.mean f32 [C]
 * @param options.variance f32 [C]
 * @returns f32 [..., C]
 * @throws ShapeError, OptionError
 */
export function normalize(
  b: ProgramBuilder,
  options: Pick<BatchNormOptions, 'x' | 'gamma' | 'beta' | 'epsilon'> &
    Pick<SavedStatistics, 'mean' | 'variance'>,
): Tensor {
  const { x, gamma, beta, mean, variance, epsilon } = options;
  const where = 'batchNorm';
  const { rows, channels, vec4 } = matrixOf(x, where);
  for (const tensor of [gamma, beta, mean, variance]) assertChannels(tensor, channels, where);
  assertEpsilon(epsilon, where);
  const y = b.transient('normalised', x.shape, 'f32');
  b.dispatch(
    vec4 ? normApply4 : normApply,
    { x, mean, variance, gamma: gamma ?? mean, beta: beta ?? mean, y },
    {
      ROWS: rows,
      CHANNELS: channels,
      ROWS_EACH: rowsEach(rows),
      EPSILON: epsilon,
      HAS_GAMMA: gamma === undefined ? 0 : 1,
      HAS_BETA: beta === undefined ? 0 : 1,
    },
  );
  return y;
}

/**
 * What `binarize` with `steSign` makes of `normalize`'s result, without that result: signs, and where the gradient passes.
 * @param options.mean f32 [C]
 * @param options.inverseStd f32 [C]
 * @param options.clip half width of the gate's window; 1 when absent
 * @returns bits [..., C] and gate bits [..., C], 1 where |y| <= clip
 * @throws ShapeError, OptionError
 */
export function normalizedSigns(
  b: ProgramBuilder,
  options: Pick<BatchNormOptions, 'x' | 'gamma' | 'beta'> &
    Pick<SavedStatistics, 'mean' | 'inverseStd'> & { readonly clip?: number | undefined },
): { bits: Tensor; gate: Tensor } {
  const { x, gamma, beta, mean, inverseStd, clip = 1 } = options;
  const where = 'normalizedSigns';
  const { rows: ROWS, channels: CHANNELS, vec4 } = matrixOf(x, where);
  for (const tensor of [gamma, beta, mean, inverseStd]) assertChannels(tensor, CHANNELS, where);
  if (!(clip > 0) || !Number.isFinite(clip)) {
    throw new OptionError('The option clip is a positive number.', { given: `${clip}`, where });
  }
  const bits = b.transient('signs', x.shape, 'bits');
  const gate = b.transient('gate', x.shape, 'bits');
  b.dispatch(
    vec4 ? normSigns4 : normSigns,
    { x, mean, inverseStd, gamma: gamma ?? mean, beta: beta ?? mean, bits, gate },
    {
      ROWS,
      CHANNELS,
      CLIP: clip,
      HAS_GAMMA: gamma === undefined ? 0 : 1,
      HAS_BETA: beta === undefined ? 0 : 1,
    },
  );
  return { bits, gate };
}

/**
 * Moves the running statistics towards those of a batch, unless the run is halted: running = momentum * running +
 * (1 - momentum) * batch.
 * @throws ShapeError
 */
export function updateRunningStatistics(
  b: ProgramBuilder,
  options: {
    readonly saved: Pick<SavedStatistics, 'mean' | 'variance'>;
    /** f32 [C]. */
    readonly runningMean: Tensor;
    readonly runningVariance: Tensor;
    readonly momentum: number;
    /** u32 [8]. */
    readonly state: Tensor;
  },
): void {
  const { saved, runningMean, runningVariance, momentum, state } = options;
  const where = 'updateRunningStatistics';
  const channels = saved.mean.size;
  for (const tensor of [saved.variance, runningMean, runningVariance])
    assertChannels(tensor, channels, where);
  assertState(state, where);
  b.dispatch(
    normRunning,
    { mean: saved.mean, variance: saved.variance, state, runningMean, runningVariance },
    { CHANNELS: channels, GAIN: 1 - momentum },
  );
}

/** What the gradient of a batch normalisation is computed of. */
export interface BatchNormGradOptions {
  /** f32 [..., C], with respect to y. */
  readonly gradOutput: Tensor;
  /** f32 [..., C], as given to `batchNorm`; with `pooling` f32 [N, H, W, C], what was pooled for it. */
  readonly x: Tensor;
  /** What `batchNorm` gave beside its result. */
  readonly saved: Pick<SavedStatistics, 'mean' | 'inverseStd'>;
  /** f32 [C]; 1 when absent. */
  readonly gamma?: Tensor;
  /**
   * `batchNorm` was given `maxPool2d` of x with these options. The gradient goes through both, and the pooled values aren't
   * needed. For windows that don't overlap; see `canPoolInGradient`.
   */
  readonly pooling?: Pool2dOptions;
}

/** What a gradient through batch normalisation subtracts; f32 [C] each. */
export interface NormGradSums {
  /** Σ gradOutput·x̂, the gradient of gamma. */
  readonly gradGamma: Tensor;
  /** Σ gradOutput, the gradient of beta. */
  readonly gradBeta: Tensor;
}

/** Whether `batchNormGrad` can go through a pooling. */
export function canPoolInGradient(inputShape: Shape, pooling: Pool2dOptions): boolean {
  const { strideX, strideY, poolWidth, poolHeight } = resolvePool2d(inputShape, pooling, 'batchNormGrad');
  return strideX === poolWidth && strideY === poolHeight;
}

/**
 * Gradients through `batchNorm` in training, where mean and variance depend on x.
 * @returns gradInput f32, shape of x; gradGamma and gradBeta f32 [C]
 * @throws ShapeError, OptionError
 */
export function batchNormGrad(
  b: ProgramBuilder,
  options: BatchNormGradOptions,
): NormGradSums & { readonly gradInput: Tensor } {
  const sums = batchNormGradSums(b, options);
  return { ...sums, gradInput: batchNormGradInput(b, { ...options, ...sums }) };
}

/**
 * The first half of `batchNormGrad`: the gradients of gamma and beta.
 * @throws ShapeError, OptionError
 */
export function batchNormGradSums(
  b: ProgramBuilder,
  options: Omit<BatchNormGradOptions, 'gamma'>,
): NormGradSums {
  const { gradOutput, x, saved } = options;
  const { rows, channels: CHANNELS, vec4, pooled } = gradMatrixOf(options);
  const CHUNKS = chunksFor(rows);
  const grads = b.transient('chunk gradients', [CHUNKS, CHANNELS], 'f32');
  const products = b.transient('chunk products', [CHUNKS, CHANNELS], 'f32');
  const gradGamma = b.transient('gradient of gamma', [CHANNELS], 'f32');
  const gradBeta = b.transient('gradient of beta', [CHANNELS], 'f32');
  const { mean, inverseStd } = saved;
  const bindings = { grad: gradOutput, x, mean, grads, products };
  if (pooled === undefined) {
    b.dispatch(vec4 ? normGradSums4 : normGradSums, bindings, { ROWS: rows, CHANNELS, CHUNKS });
  } else {
    b.dispatch(vec4 ? normGradSumsPooled4 : normGradSumsPooled, bindings, { ...pooled, CHUNKS });
  }
  b.dispatch(
    vec4 ? normGradCombine4 : normGradCombine,
    { grads, products, inverseStd, gradGamma, gradBeta },
    { CHANNELS, CHUNKS },
  );
  return { gradGamma, gradBeta };
}

/**
 * The second half of `batchNormGrad`.
 * @returns f32, shape of x
 * @throws ShapeError, OptionError
 */
export function batchNormGradInput(b: ProgramBuilder, options: BatchNormGradOptions & NormGradSums): Tensor {
  const { gradOutput, x, saved, gamma, gradGamma, gradBeta } = options;
  const { rows: ROWS, channels: CHANNELS, vec4, pooled } = gradMatrixOf(options);
  const gradX = b.transient('gradient', x.shape, 'f32');
  const { mean, inverseStd } = saved;
  const bindings = {
    grad: gradOutput,
    x,
    mean,
    inverseStd,
    gamma: gamma ?? mean,
    gradGamma,
    gradBeta,
    gradX,
  };
  const HAS_GAMMA = gamma === undefined ? 0 : 1;
  if (pooled === undefined) {
    const ROWS_EACH = rowsEach(ROWS);
    b.dispatch(vec4 ? normGradApply4 : normGradApply, bindings, { ROWS, CHANNELS, ROWS_EACH, HAS_GAMMA });
  } else {
    b.dispatch(vec4 ? normGradApplyPooled4 : normGradApplyPooled, bindings, { ...pooled, HAS_GAMMA });
  }
  return gradX;
}

/** Rows and channels of what was normalised, once the shapes are found to fit. */
function gradMatrixOf({ gradOutput, x, saved, gamma, pooling }: BatchNormGradOptions): {
  rows: number;
  channels: number;
  vec4: boolean;
  pooled: PooledConstants | undefined;
} {
  const where = 'batchNormGrad';
  const matrix = matrixOf(gradOutput, where);
  const { channels } = matrixOf(x, where);
  const window = pooling && resolvePool2d(x.shape, pooling, where);
  const rows = window === undefined ? x.size / channels : sizeOf(window.outputShape) / channels;
  if (matrix.rows !== rows || matrix.channels !== channels) {
    throw new ShapeError('The gradient has another shape than what was normalised.', {
      given: describe(gradOutput.shape),
      expected: describe(window?.outputShape ?? x.shape),
      where,
    });
  }
  for (const tensor of [saved.mean, saved.inverseStd, gamma]) assertChannels(tensor, channels, where);
  if (pooling === undefined || window === undefined) return { ...matrix, pooled: undefined };
  if (!canPoolInGradient(x.shape, pooling)) {
    throw new OptionError('The gradient goes through windows that lie side by side.', {
      given: `windows of ${window.poolHeight}x${window.poolWidth}, strides ${window.strideY}x${window.strideX}`,
      where,
      remedy: 'take maxPool2dGrad of batchNormGrad',
    });
  }
  const pooled = {
    BATCH: window.batch,
    IMAGE_HEIGHT: window.height,
    IMAGE_WIDTH: window.width,
    CHANNELS: channels,
    OUT_HEIGHT: window.outHeight,
    OUT_WIDTH: window.outWidth,
    POOL_HEIGHT: window.poolHeight,
    POOL_WIDTH: window.poolWidth,
    PAD_TOP: window.padTop,
    PAD_LEFT: window.padLeft,
  };
  return { ...matrix, pooled };
}

/** Rows that one invocation normalises: what it reads of its channels is read once for all of them. */
function rowsEach(rows: number): number {
  return Math.min(32, Math.max(8, Math.ceil(rows / 256)));
}

/** About the square root of the rows: both stages of a reduction are then equally long. */
function chunksFor(rows: number): number {
  return Math.min(MOST_CHUNKS, Math.ceil(Math.sqrt(rows)));
}

function matrixOf(x: Tensor, where: string): { rows: number; channels: number; vec4: boolean } {
  const channels = x.shape.at(-1) ?? 1;
  if (x.dtype !== 'f32' || x.shape.length < 1) {
    throw new ShapeError('Batch normalisation takes floats.', {
      given: `${x.label}: ${describe(x.shape, x.dtype)}`,
      expected: '[..., C] f32',
      where,
    });
  }
  return { rows: x.size / channels, channels, vec4: channels % 4 === 0 };
}

function assertEpsilon(epsilon: number, where: string): void {
  if (epsilon > 0 && Number.isFinite(epsilon)) return;
  throw new OptionError('Batch normalisation has a positive epsilon.', {
    given: `epsilon = ${epsilon}`,
    where,
  });
}

function assertChannels(tensor: Tensor | undefined, channels: number, where: string): void {
  if (tensor === undefined) return;
  if (tensor.dtype !== 'f32' || tensor.size !== channels) {
    throw new ShapeError('There is one number for every channel.', {
      given: `${tensor.label}: ${describe(tensor.shape, tensor.dtype)}`,
      expected: `[${channels}] f32`,
      where,
    });
  }
}
