/** Packing signs into words, and back. */
import packSource from '../../shaders/pack/pack.wgsl';
import unpackSource from '../../shaders/pack/unpack.wgsl';
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

/** f32 [ROWS, CHANNELS] to bits [ROWS, CHANNELS]. */
export const pack = defineKernel({
  name: 'pack/pack',
  source: packSource,
  bindings: { x: 'read', bits: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
});

/** bits [ROWS, CHANNELS] to f32 [ROWS, CHANNELS]. */
export const unpack = defineKernel({
  name: 'pack/unpack',
  source: unpackSource,
  bindings: { bits: 'read', x: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * CHANNELS, 64),
});
