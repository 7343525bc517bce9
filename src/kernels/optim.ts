/**
 * Updates of parameters: two frames that optimizers, quantizers and penalties fill, each for any number of channels and for
 * whole vec4s.
 */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const source = () => import('../../shaders/training.ts');
const library = () => import('../../shaders/library.ts');

/* @__NO_SIDE_EFFECTS__ */
const binary = (name: string) =>
  defineKernel({
    name,
    source,
    library,
    bindings: {
      grad: 'read',
      state: 'read',
      table: 'read',
      latent: 'write',
      bits: 'write',
      slots: 'write',
      flips: 'write',
    },
    constants: [
      'ROWS',
      'CHANNELS',
      'FILTER_ROWS',
      'HAS_LATENT',
      'HAS_SLOTS',
      'STEP_SCALE',
      'TABLE_ROWS',
      'CLIP_LATENT',
    ],
    workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
  });

/* @__NO_SIDE_EFFECTS__ */
const real = (name: string) =>
  defineKernel({
    name,
    source,
    library,
    bindings: { grad: 'read', state: 'read', table: 'read', parameter: 'write', slots: 'write' },
    constants: ['LANES', 'HAS_SLOTS', 'STEP_SCALE', 'TABLE_ROWS'],
    workgroups: ({ LANES }) => linearWorkgroups(LANES, 64),
  });

/** Latent weights, their packed signs and the counters of flips. */
export const updateBinaryFrame = binary('optim/binary');
export const updateBinaryFrame4 = binary('optim/binary4');
/** Real parameters. */
export const updateRealFrame = real('optim/real');
export const updateRealFrame4 = real('optim/real4');
