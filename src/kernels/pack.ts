/** Packing signs into words, and back. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const shaders = () => import('../../shaders/products.ts');

/** f32 [ROWS, CHANNELS] to bits [ROWS, CHANNELS]. */
export const pack = defineKernel({
  name: 'pack/pack',
  source: shaders,
  bindings: { x: 'read', bits: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
});

/** bits [ROWS, CHANNELS] to f32 [ROWS, CHANNELS]. */
export const unpack = defineKernel({
  name: 'pack/unpack',
  source: shaders,
  bindings: { bits: 'read', x: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * CHANNELS, 64),
});
