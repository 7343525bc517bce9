/** Values that only move: axes in another order, frames around images. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

const shaders = () => import('../../shaders/movement.ts');

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
