/**
 * Updates of parameters: two frames that optimizers, quantizers and penalties fill, each for any number of channels and for
 * whole vec4s, and again for optimizers that measure their steps.
 */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const source = () => import('../../shaders/training.ts');
const library = () => import('../../shaders/library.ts');

const BINARY = {
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
    'STREAM',
    'TABLE_ROWS',
    'CLIP_LATENT',
  ],
  workgroups: ({ ROWS, CHANNELS }: { ROWS: number; CHANNELS: number }) =>
    linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
} as const;

const REAL = {
  source,
  library,
  bindings: { grad: 'read', state: 'read', table: 'read', parameter: 'write', slots: 'write' },
  constants: ['LANES', 'HAS_SLOTS', 'STEP_SCALE', 'STREAM', 'TABLE_ROWS'],
  workgroups: ({ LANES }: { LANES: number }) => linearWorkgroups(LANES, 64),
} as const;

/* @__NO_SIDE_EFFECTS__ */
const binary = (name: string) => defineKernel({ ...BINARY, name });
/* @__NO_SIDE_EFFECTS__ */
const real = (name: string) => defineKernel({ ...REAL, name });
/* @__NO_SIDE_EFFECTS__ */
const binaryMeasured = (name: string) =>
  defineKernel({
    ...BINARY,
    name,
    bindings: { ...BINARY.bindings, measures: 'write' },
    constants: [...BINARY.constants, 'MEASURE_START'],
  });
/* @__NO_SIDE_EFFECTS__ */
const realMeasured = (name: string) =>
  defineKernel({
    ...REAL,
    name,
    bindings: { ...REAL.bindings, measures: 'write' },
    constants: [...REAL.constants, 'MEASURE_START'],
  });

/** Latent weights, their packed signs and the counters of flips. */
export const updateBinaryFrame = binary('optim/binary');
export const updateBinaryFrame4 = binary('optim/binary4');
export const updateBinaryMeasuredFrame = binaryMeasured('optim/binary_measured');
export const updateBinaryMeasuredFrame4 = binaryMeasured('optim/binary_measured4');
/** Real parameters. */
export const updateRealFrame = real('optim/real');
export const updateRealFrame4 = real('optim/real4');
export const updateRealMeasuredFrame = realMeasured('optim/real_measured');
export const updateRealMeasuredFrame4 = realMeasured('optim/real_measured4');

/** What the invocations of an update measured, added up for the next step. */
export const measuredMean = defineKernel({
  name: 'optim/measured',
  source,
  bindings: { state: 'read', measures: 'write' },
  constants: ['PARTS', 'WEIGHTS'],
  workgroups: () => [1, 1, 1],
});

/** Sums of squares of a gradient, in parts. */
export const squareSums = defineKernel({
  name: 'optim/square_sums',
  source,
  bindings: { grad: 'read', sums: 'write' },
  constants: ['SIZE', 'PARTS', 'OFFSET'],
  workgroups: ({ PARTS }) => [PARTS, 1, 1],
  work: ({ SIZE }) => SIZE,
});

/** The factor that makes all gradients together short enough. */
export const clipFactor = defineKernel({
  name: 'optim/clip_factor',
  source,
  bindings: { sums: 'read', factor: 'write' },
  constants: ['COUNT', 'MOST'],
  workgroups: () => [1, 1, 1],
});

/** A gradient times that factor. */
export const clipNorm = defineKernel({
  name: 'optim/clip_norm',
  source,
  bindings: { grad: 'read', factor: 'read', out: 'write' },
  constants: ['SIZE'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** A gradient with elements that are at most a number from zero. */
export const clipValue = defineKernel({
  name: 'optim/clip_value',
  source,
  bindings: { grad: 'read', out: 'write' },
  constants: ['SIZE', 'MOST'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});
