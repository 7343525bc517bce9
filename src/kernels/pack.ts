/** Packing signs into words. */
import source from '../../shaders/pack/pack.wgsl';
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

/** f32 [ROWS, CHANNELS] to bits [ROWS, CHANNELS]. */
export const pack = defineKernel({
  name: 'pack/pack',
  source,
  bindings: { x: 'read', bits: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
});
