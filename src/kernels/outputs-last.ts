/** Filters whose outputs are their last axis: Keras' and TensorFlow's layout. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

/** f32 [TAPS, CHANNELS, OUTPUTS] to bits [OUTPUTS, TAPS, CHANNELS]. */
export const packOutputsLast = defineKernel({
  name: 'pack/pack_outputs_last',
  source: () => import('../../shaders/pack/pack_outputs_last.wgsl'),
  bindings: { w: 'read', bits: 'write' },
  constants: ['TAPS', 'CHANNELS', 'OUTPUTS'],
  workgroups: ({ TAPS, CHANNELS, OUTPUTS }) => linearWorkgroups(TAPS * wordsFor(CHANNELS) * OUTPUTS, 64),
});
