/** Batch normalisation: two-stage statistics, application, gradients. Every kernel takes any channels, or four each. */
import { defineKernel, linearWorkgroups, type ShaderSource, wordsFor } from '../gpu/index.ts';

const shaders = () => import('../../shaders/products.ts');
const trainingShaders = () => import('../../shaders/training.ts');

/** Channels an invocation takes. */
type Width = 1 | 4;

/* @__NO_SIDE_EFFECTS__ */
const moments = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { x: 'read', means: 'write', deviations: 'write', totals: 'write' },
    constants: ['ROWS', 'CHANNELS', 'CHUNKS', 'INTEGERS'],
    workgroups: ({ CHANNELS, CHUNKS }) => linearWorkgroups((CHANNELS / width) * CHUNKS, 64),
  });

/* @__NO_SIDE_EFFECTS__ */
const combine = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: {
      x: 'read',
      means: 'read',
      deviations: 'read',
      totals: 'read',
      mean: 'write',
      variance: 'write',
      inverseStd: 'write',
    },
    constants: ['ROWS', 'CHANNELS', 'CHUNKS', 'INTEGERS', 'EPSILON'],
    workgroups: ({ CHANNELS }) => [Math.ceil(CHANNELS / width / 64), 1, 1],
  });

/* @__NO_SIDE_EFFECTS__ */
const apply = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { x: 'read', mean: 'read', variance: 'read', gamma: 'read', beta: 'read', y: 'write' },
    constants: ['ROWS', 'CHANNELS', 'ROWS_EACH', 'EPSILON', 'HAS_GAMMA', 'HAS_BETA'],
    workgroups: ({ ROWS, CHANNELS, ROWS_EACH }) =>
      linearWorkgroups((CHANNELS / width) * Math.ceil(ROWS / ROWS_EACH), 64),
  });

/* @__NO_SIDE_EFFECTS__ */
const signs = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: {
      x: 'read',
      mean: 'read',
      inverseStd: 'read',
      gamma: 'read',
      beta: 'read',
      bits: 'write',
      gate: 'write',
    },
    constants: ['ROWS', 'CHANNELS', 'CLIP', 'HAS_GAMMA', 'HAS_BETA'],
    workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
  });

/** The bindings of both stages of the gradient, with pooling before and without. */
const GRAD_SUMS = { grad: 'read', x: 'read', mean: 'read', grads: 'write', products: 'write' } as const;
const GRAD_APPLY = {
  grad: 'read',
  x: 'read',
  mean: 'read',
  inverseStd: 'read',
  gamma: 'read',
  gradGamma: 'read',
  gradBeta: 'read',
  gradX: 'write',
} as const;

/* @__NO_SIDE_EFFECTS__ */
const gradSums = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: GRAD_SUMS,
    constants: ['ROWS', 'CHANNELS', 'CHUNKS'],
    workgroups: ({ CHANNELS, CHUNKS }) => linearWorkgroups((CHANNELS / width) * CHUNKS, 64),
  });

/* @__NO_SIDE_EFFECTS__ */
const gradCombine = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { grads: 'read', products: 'read', inverseStd: 'read', gradGamma: 'write', gradBeta: 'write' },
    constants: ['CHANNELS', 'CHUNKS'],
    workgroups: ({ CHANNELS }) => [Math.ceil(CHANNELS / width / 64), 1, 1],
  });

/* @__NO_SIDE_EFFECTS__ */
const gradApply = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: GRAD_APPLY,
    constants: ['ROWS', 'CHANNELS', 'ROWS_EACH', 'HAS_GAMMA'],
    workgroups: ({ ROWS, CHANNELS, ROWS_EACH }) =>
      linearWorkgroups((CHANNELS / width) * Math.ceil(ROWS / ROWS_EACH), 64),
  });

/** The override constants of `lib/norm/pooled.wgsl`. They aren't those of `lib/window/pool.wgsl`: WIDTH is that of a lane here. */
const POOLED = [
  'BATCH',
  'IMAGE_HEIGHT',
  'IMAGE_WIDTH',
  'CHANNELS',
  'OUT_HEIGHT',
  'OUT_WIDTH',
  'POOL_HEIGHT',
  'POOL_WIDTH',
  'PAD_TOP',
  'PAD_LEFT',
] as const;

export type PooledConstants = Readonly<Record<(typeof POOLED)[number], number>>;

/* @__NO_SIDE_EFFECTS__ */
const gradSumsPooled = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: GRAD_SUMS,
    constants: [...POOLED, 'CHUNKS'],
    workgroups: ({ CHANNELS, CHUNKS }) => linearWorkgroups((CHANNELS / width) * CHUNKS, 64),
  });

/* @__NO_SIDE_EFFECTS__ */
const gradApplyPooled = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: GRAD_APPLY,
    constants: [...POOLED, 'HAS_GAMMA'],
    workgroups: (c) => {
      const cells =
        Math.ceil((c.IMAGE_HEIGHT + c.PAD_TOP) / c.POOL_HEIGHT) *
        Math.ceil((c.IMAGE_WIDTH + c.PAD_LEFT) / c.POOL_WIDTH);
      return linearWorkgroups(c.BATCH * cells * (c.CHANNELS / width), 64);
    },
  });

/** Mean and sum of squared deviations of every chunk of rows. */
export const normMoments = moments(1, 'norm/moments', trainingShaders);
export const normMoments4 = moments(4, 'norm/moments4', trainingShaders);
/** Chunks to mean, variance and 1 / sqrt(variance + epsilon). */
export const normCombine = combine(1, 'norm/combine', trainingShaders);
export const normCombine4 = combine(4, 'norm/combine4', trainingShaders);
/** y = (x - mean) * gamma / sqrt(variance + epsilon) + beta. */
export const normApply = apply(1, 'norm/apply', shaders);
export const normApply4 = apply(4, 'norm/apply4', shaders);
/** Signs and gates of what `normApply` would write. */
export const normSigns = signs('norm/signs', trainingShaders);
export const normSigns4 = signs('norm/signs4', trainingShaders);
/** Sums of g and g * (x - mean) of every chunk of rows. */
export const normGradSums = gradSums(1, 'norm/grad_sums', trainingShaders);
export const normGradSums4 = gradSums(4, 'norm/grad_sums4', trainingShaders);
/** Chunks to the gradients of gamma and beta. */
export const normGradCombine = gradCombine(1, 'norm/grad_combine', trainingShaders);
export const normGradCombine4 = gradCombine(4, 'norm/grad_combine4', trainingShaders);
/** Gradient with respect to x. */
export const normGradApply = gradApply(1, 'norm/grad_apply', trainingShaders);
export const normGradApply4 = gradApply(4, 'norm/grad_apply4', trainingShaders);
/** The same for rows that max pooling made, from what was pooled. */
export const normGradSumsPooled = gradSumsPooled(1, 'norm/grad_sums_pooled', trainingShaders);
export const normGradSumsPooled4 = gradSumsPooled(4, 'norm/grad_sums_pooled4', trainingShaders);
export const normGradApplyPooled = gradApplyPooled(1, 'norm/grad_apply_pooled', trainingShaders);
export const normGradApplyPooled4 = gradApplyPooled(4, 'norm/grad_apply_pooled4', trainingShaders);

/** Moves the running statistics towards the batch's, unless the run is halted. */
export const normRunning = defineKernel({
  name: 'norm/running',
  source: trainingShaders,
  bindings: {
    mean: 'read',
    variance: 'read',
    state: 'read',
    runningMean: 'write',
    runningVariance: 'write',
  },
  constants: ['CHANNELS', 'GAIN'],
  workgroups: ({ CHANNELS }) => [Math.ceil(CHANNELS / 64), 1, 1],
});
