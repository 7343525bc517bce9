/** Optimizers: every kernel takes any number of channels, or whole vec4s. */
import { defineKernel, linearWorkgroups, type ShaderSource, wordsFor } from '../gpu/index.ts';

/** Values of the constant GATE. */
export const WEIGHT_GATES = { none: 0, steSign: 1, approxSign: 2, swishSign: 3 } as const;

const PACKED = ['ROWS', 'CHANNELS', 'FILTER_ROWS'] as const;
const LATENT = [...PACKED, 'STEP_SCALE', 'GATE', 'GATE_CLIP', 'CLIP'] as const;

const eachWord = ({ ROWS, CHANNELS }: Readonly<Record<'ROWS' | 'CHANNELS', number>>) =>
  linearWorkgroups(ROWS * wordsFor(CHANNELS), 64);
const eachLane = ({ LANES }: Readonly<Record<'LANES', number>>) => linearWorkgroups(LANES, 64);

/* @__NO_SIDE_EFFECTS__ */
const adamBinary = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: {
      grad: 'read',
      state: 'read',
      latent: 'write',
      bits: 'write',
      m: 'write',
      v: 'write',
      flips: 'write',
    },
    constants: [...LATENT, 'GAIN1', 'GAIN2', 'EPSILON'],
    workgroups: eachWord,
  });

/* @__NO_SIDE_EFFECTS__ */
const sgdBinary = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: {
      grad: 'read',
      state: 'read',
      latent: 'write',
      bits: 'write',
      velocity: 'write',
      flips: 'write',
    },
    constants: [...LATENT, 'MOMENTUM', 'HAS_VELOCITY'],
    workgroups: eachWord,
  });

/* @__NO_SIDE_EFFECTS__ */
const bop = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { grad: 'read', state: 'read', latent: 'write', bits: 'write', m: 'write', flips: 'write' },
    constants: [...PACKED, 'HAS_LATENT'],
    workgroups: eachWord,
  });

/* @__NO_SIDE_EFFECTS__ */
const adam = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { grad: 'read', state: 'read', parameter: 'write', m: 'write', v: 'write' },
    constants: ['LANES', 'GAIN1', 'GAIN2', 'EPSILON'],
    workgroups: eachLane,
  });

/* @__NO_SIDE_EFFECTS__ */
const sgd = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { grad: 'read', state: 'read', parameter: 'write', velocity: 'write' },
    constants: ['LANES', 'MOMENTUM', 'HAS_VELOCITY'],
    workgroups: eachLane,
  });

/** Adam on latent weights and their packed signs. */
export const updateAdamBinary = adamBinary(
  'optim/adam-binary',
  () => import('../../shaders/optim/adam-binary.wgsl'),
);
export const updateAdamBinary4 = adamBinary(
  'optim/adam-binary4',
  () => import('../../shaders/optim/adam-binary4.wgsl'),
);
/** SGD with momentum on latent weights and their packed signs. */
export const updateSgdBinary = sgdBinary(
  'optim/sgd-binary',
  () => import('../../shaders/optim/sgd-binary.wgsl'),
);
export const updateSgdBinary4 = sgdBinary(
  'optim/sgd-binary4',
  () => import('../../shaders/optim/sgd-binary4.wgsl'),
);
/** Bop on packed weights. */
export const updateBop = bop('optim/bop', () => import('../../shaders/optim/bop.wgsl'));
export const updateBop4 = bop('optim/bop4', () => import('../../shaders/optim/bop4.wgsl'));
/** Adam on real parameters. */
export const updateAdam = adam('optim/adam', () => import('../../shaders/optim/adam.wgsl'));
export const updateAdam4 = adam('optim/adam4', () => import('../../shaders/optim/adam4.wgsl'));
/** SGD with momentum on real parameters. */
export const updateSgd = sgd('optim/sgd', () => import('../../shaders/optim/sgd.wgsl'));
export const updateSgd4 = sgd('optim/sgd4', () => import('../../shaders/optim/sgd4.wgsl'));
