/** What trained networks need to run: thresholds in place of normalisation and sign, and per-channel scales. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const shaders = () => import('../../shaders/others.ts');

/** f32 or i32 [ROWS, CHANNELS] to sign bits [ROWS, CHANNELS]. */
export const threshold = defineKernel({
  name: 'inference/threshold',
  source: shaders,
  bindings: { x: 'read', direction: 'read', threshold: 'read', bits: 'write' },
  constants: ['ROWS', 'CHANNELS', 'INTEGER'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
});

/** f32 [ROWS, CHANNELS], scaled and shifted by channel. */
export const affine = defineKernel({
  name: 'inference/affine',
  source: shaders,
  bindings: { x: 'read', scale: 'read', shift: 'read', y: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * CHANNELS, 64),
});

/** f32 [ROWS, CHANNELS], scaled and shifted by channel, to integers from LOW to HIGH, less OFFSET. */
export const requantize = defineKernel({
  name: 'inference/requantize',
  source: shaders,
  bindings: { x: 'read', scale: 'read', shift: 'read', y: 'write' },
  constants: ['ROWS', 'CHANNELS', 'LOW', 'HIGH', 'OFFSET'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * CHANNELS, 64),
});
