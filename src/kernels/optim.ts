/** Optimizers: every kernel takes any number of channels, or whole vec4s. */
import { defineKernel, linearWorkgroups, type ShaderSource, wordsFor } from '../gpu/index.ts';

const shaders = () => import('../../shaders/optim.ts');

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
export const updateAdamBinary = adamBinary('optim/adam-binary', shaders);
export const updateAdamBinary4 = adamBinary('optim/adam-binary4', shaders);
/** SGD with momentum on latent weights and their packed signs. */
export const updateSgdBinary = sgdBinary('optim/sgd-binary', shaders);
export const updateSgdBinary4 = sgdBinary('optim/sgd-binary4', shaders);
/** Bop on packed weights. */
export const updateBop = bop('optim/bop', shaders);
export const updateBop4 = bop('optim/bop4', shaders);
/** Adam on real parameters. */
export const updateAdam = adam('optim/adam', shaders);
export const updateAdam4 = adam('optim/adam4', shaders);
/** SGD with momentum on real parameters. */
export const updateSgd = sgd('optim/sgd', shaders);
export const updateSgd4 = sgd('optim/sgd4', shaders);
