/** Pooling and its gradients. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const shaders = () => import('../../shaders/convolutions.ts');
const gradientShaders = () => import('../../shaders/training.ts');

/** The override constants of `lib/window/pool.wgsl`. */
const WINDOWS = [
  'BATCH',
  'HEIGHT',
  'WIDTH',
  'CHANNELS',
  'OUT_HEIGHT',
  'OUT_WIDTH',
  'POOL_HEIGHT',
  'POOL_WIDTH',
  'STRIDE_Y',
  'STRIDE_X',
  'PAD_TOP',
  'PAD_LEFT',
] as const;

export type PoolConstants = Readonly<Record<(typeof WINDOWS)[number], number>>;

const outputs = (c: PoolConstants) => c.BATCH * c.OUT_HEIGHT * c.OUT_WIDTH * c.CHANNELS;
const inputs = (c: PoolConstants) => c.BATCH * c.HEIGHT * c.WIDTH * c.CHANNELS;

export const maxPool = defineKernel({
  name: 'pool/max',
  source: shaders,
  bindings: { x: 'read', out: 'write' },
  constants: WINDOWS,
  workgroups: (c) => linearWorkgroups(outputs(c), 64),
});

export const maxPoolGrad = defineKernel({
  name: 'pool/max_grad',
  source: gradientShaders,
  bindings: { g: 'read', x: 'read', out: 'write' },
  constants: WINDOWS,
  workgroups: (c) => linearWorkgroups(inputs(c), 64),
});

/** Of packed signs; the largest, or the smallest of the channels whose direction is −1. */
export const signPool = defineKernel({
  name: 'pool/signs',
  source: shaders,
  bindings: { x: 'read', direction: 'read', out: 'write' },
  constants: [...WINDOWS, 'DIRECTED'],
  workgroups: (c) => linearWorkgroups(c.BATCH * c.OUT_HEIGHT * c.OUT_WIDTH * wordsFor(c.CHANNELS), 64),
});

export const averagePool = defineKernel({
  name: 'pool/average',
  source: shaders,
  bindings: { x: 'read', out: 'write' },
  constants: WINDOWS,
  workgroups: (c) => linearWorkgroups(outputs(c), 64),
});

export const averagePoolGrad = defineKernel({
  name: 'pool/average_grad',
  source: gradientShaders,
  bindings: { g: 'read', out: 'write' },
  constants: WINDOWS,
  workgroups: (c) => linearWorkgroups(inputs(c), 64),
});

export const globalAveragePool = defineKernel({
  name: 'pool/global_average',
  source: shaders,
  bindings: { x: 'read', out: 'write' },
  constants: ['BATCH', 'PIXELS', 'CHANNELS'],
  workgroups: ({ BATCH, CHANNELS }) => linearWorkgroups(BATCH * CHANNELS, 64),
});

export const globalAveragePoolGrad = defineKernel({
  name: 'pool/global_average_grad',
  source: gradientShaders,
  bindings: { g: 'read', out: 'write' },
  constants: ['BATCH', 'PIXELS', 'CHANNELS'],
  workgroups: ({ BATCH, PIXELS, CHANNELS }) => linearWorkgroups(BATCH * PIXELS * CHANNELS, 64),
});
