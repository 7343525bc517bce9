/** Values that only move: axes in another order, parts of tensors, frames around images. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

const shaders = () => import('../../shaders/others.ts');

/** A tensor of up to five axes with its axes in another order. */
export const permute = defineKernel({
  name: 'movement/permute',
  source: shaders,
  bindings: { x: 'read', y: 'write' },
  constants: [
    ...(['SIZE', 'EXTENT_1', 'EXTENT_2', 'EXTENT_3', 'EXTENT_4'] as const),
    ...(['STRIDE_0', 'STRIDE_1', 'STRIDE_2', 'STRIDE_3', 'STRIDE_4'] as const),
  ],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** Every so many places of each axis of a tensor of up to five, from one on. */
export const slice = defineKernel({
  name: 'movement/slice',
  source: shaders,
  bindings: { x: 'read', y: 'write' },
  constants: [
    ...(['SIZE', 'EXTENT_1', 'EXTENT_2', 'EXTENT_3', 'EXTENT_4', 'FIRST'] as const),
    ...(['STRIDE_0', 'STRIDE_1', 'STRIDE_2', 'STRIDE_3', 'STRIDE_4'] as const),
  ],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** Gradient of `slice`, which takes all of the first axis. */
export const sliceGrad = defineKernel({
  name: 'movement/slice_grad',
  source: shaders,
  bindings: { g: 'read', out: 'write' },
  constants: [
    ...(['SIZE', 'EXTENT_1', 'EXTENT_2', 'EXTENT_3', 'EXTENT_4'] as const),
    ...(['BEGIN_1', 'BEGIN_2', 'BEGIN_3', 'BEGIN_4'] as const),
    ...(['STEP_1', 'STEP_2', 'STEP_3', 'STEP_4'] as const),
    ...(['TAKEN_1', 'TAKEN_2', 'TAKEN_3', 'TAKEN_4'] as const),
  ],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** f32 images with VALUE around them. */
export const pad = defineKernel({
  name: 'movement/pad',
  source: shaders,
  bindings: { x: 'read', y: 'write' },
  constants: [
    ...(['SIZE', 'HEIGHT', 'WIDTH', 'CHANNELS', 'OUT_HEIGHT', 'OUT_WIDTH'] as const),
    ...(['TOP', 'LEFT', 'VALUE'] as const),
  ],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});
