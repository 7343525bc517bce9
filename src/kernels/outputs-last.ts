/** Filters whose outputs are their last axis: Keras' and TensorFlow's layout. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const shaders = () => import('../../shaders/products.ts');

/** f32 [TAPS, CHANNELS, OUTPUTS] to bits [OUTPUTS, TAPS, CHANNELS]. */
export const packOutputsLast = defineKernel({
  name: 'pack/pack_outputs_last',
  source: shaders,
  bindings: { w: 'read', bits: 'write' },
  constants: ['TAPS', 'CHANNELS', 'OUTPUTS'],
  workgroups: ({ TAPS, CHANNELS, OUTPUTS }) => linearWorkgroups(TAPS * wordsFor(CHANNELS) * OUTPUTS, 64),
});
