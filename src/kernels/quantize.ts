/** Binarizing activations and the surrogate gradients of sign. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const shaders = () => import('../../shaders/others.ts');

/** f32 [ROWS, CHANNELS] to sign bits and gate bits [ROWS, CHANNELS]. */
export const binarizeGated = defineKernel({
  name: 'quantize/binarize',
  source: shaders,
  bindings: { x: 'read', bits: 'write', gate: 'write' },
  constants: ['ROWS', 'CHANNELS', 'CLIP'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
});

/** f32 [ROWS, CHANNELS], passed where gate bits [ROWS, CHANNELS] are 1. */
export const gateGrad = defineKernel({
  name: 'quantize/gate_grad',
  source: shaders,
  bindings: { g: 'read', gate: 'read', out: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * CHANNELS, 64),
});

/** f32 [SIZE], multiplied by the gradient that fills the frame. */
export const gradientFrame = defineKernel({
  name: 'quantize/gradient',
  source: shaders,
  library: () => import('../../shaders/library.ts'),
  bindings: { g: 'read', x: 'read', out: 'write' },
  constants: ['SIZE'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});
