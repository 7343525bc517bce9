/**
 * Convolutions and their gradients. The kernels without a suffix take any geometry; those named `…Tile` compute several
 * outputs an invocation in registers and take the geometries that `canTile` names.
 */
import binaryForwardSource from '../../shaders/conv/binary_forward.wgsl';
import binaryGradInputSource from '../../shaders/conv/binary_grad_input.wgsl';
import binaryGradWeightsSource from '../../shaders/conv/binary_grad_weights.wgsl';
import realForwardSource from '../../shaders/conv/real_forward.wgsl';
import realGradInputSource from '../../shaders/conv/real_grad_input.wgsl';
import realGradWeightsSource from '../../shaders/conv/real_grad_weights.wgsl';
import signForwardSource from '../../shaders/conv/sign_forward.wgsl';
import sumSlicesSource from '../../shaders/conv/sum_slices.wgsl';
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

/** The override constants of `lib/conv.wgsl`. */
const GEOMETRY = [
  'BATCH',
  'HEIGHT',
  'WIDTH',
  'CHANNELS',
  'OUT_HEIGHT',
  'OUT_WIDTH',
  'OUT_CHANNELS',
  'KERNEL_HEIGHT',
  'KERNEL_WIDTH',
  'STRIDE_Y',
  'STRIDE_X',
  'DILATION_Y',
  'DILATION_X',
  'PAD_TOP',
  'PAD_LEFT',
  'GROUPS',
  'PAD_VALUE',
] as const;

export type ConvConstants = Readonly<Record<(typeof GEOMETRY)[number], number>>;

const outputs = (c: ConvConstants) => c.BATCH * c.OUT_HEIGHT * c.OUT_WIDTH * c.OUT_CHANNELS;
const inputs = (c: ConvConstants) => c.BATCH * c.HEIGHT * c.WIDTH * c.CHANNELS;
const weights = (c: ConvConstants) =>
  (c.OUT_CHANNELS * c.KERNEL_HEIGHT * c.KERNEL_WIDTH * c.CHANNELS) / c.GROUPS;

/** bits * bits to i32 or f32, any geometry. */
export const binaryForward = defineKernel({
  name: 'conv/binary_forward',
  source: binaryForwardSource,
  bindings: { a: 'read', w: 'read', out: 'write' },
  constants: [...GEOMETRY, 'INTEGER'],
  workgroups: (c) => linearWorkgroups(outputs(c), 64),
});

/** f32 * bits to f32, any geometry. */
export const signForward = defineKernel({
  name: 'conv/sign_forward',
  source: signForwardSource,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: GEOMETRY,
  workgroups: (c) => linearWorkgroups(outputs(c), 64),
});

/** f32 * f32 to f32, any geometry. */
export const realForward = defineKernel({
  name: 'conv/real_forward',
  source: realForwardSource,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: GEOMETRY,
  workgroups: (c) => linearWorkgroups(outputs(c), 64),
});

/** Input gradient through binary filters, any geometry. */
export const binaryGradInput = defineKernel({
  name: 'conv/binary_grad_input',
  source: binaryGradInputSource,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: [...GEOMETRY, 'GATED'],
  workgroups: (c) => linearWorkgroups(inputs(c), 64),
});

/** Input gradient through real filters, any geometry. */
export const realGradInput = defineKernel({
  name: 'conv/real_grad_input',
  source: realGradInputSource,
  bindings: { g: 'read', w: 'read', out: 'write' },
  constants: GEOMETRY,
  workgroups: (c) => linearWorkgroups(inputs(c), 64),
});

/** Filter gradient from packed activations, any geometry, in slices. */
export const binaryGradWeights = defineKernel({
  name: 'conv/binary_grad_weights',
  source: binaryGradWeightsSource,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: [...GEOMETRY, 'CHUNKS'],
  workgroups: (c) => linearWorkgroups(weights(c) * c.CHUNKS, 64),
});

/** Filter gradient from real activations, any geometry, in slices. */
export const realGradWeights = defineKernel({
  name: 'conv/real_grad_weights',
  source: realGradWeightsSource,
  bindings: { g: 'read', x: 'read', out: 'write' },
  constants: [...GEOMETRY, 'CHUNKS'],
  workgroups: (c) => linearWorkgroups(weights(c) * c.CHUNKS, 64),
});

/** Adds the slices of a split sum in order. */
export const sumSlices = defineKernel({
  name: 'conv/sum_slices',
  source: sumSlicesSource,
  bindings: { slices: 'read', out: 'write' },
  constants: ['SIZE', 'CHUNKS'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});
