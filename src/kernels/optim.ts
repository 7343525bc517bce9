/** Optimizers: every kernel takes any number of channels, or whole vec4s. */
import adamSource from '../../shaders/optim/adam.wgsl';
import adamBinarySource from '../../shaders/optim/adam-binary.wgsl';
import adamBinarySource4 from '../../shaders/optim/adam-binary4.wgsl';
import adamSource4 from '../../shaders/optim/adam4.wgsl';
import bopSource from '../../shaders/optim/bop.wgsl';
import bopSource4 from '../../shaders/optim/bop4.wgsl';
import sgdSource from '../../shaders/optim/sgd.wgsl';
import sgdBinarySource from '../../shaders/optim/sgd-binary.wgsl';
import sgdBinarySource4 from '../../shaders/optim/sgd-binary4.wgsl';
import sgdSource4 from '../../shaders/optim/sgd4.wgsl';
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

/** Values of the constant GATE. */
export const WEIGHT_GATES = { none: 0, steSign: 1, approxSign: 2, swishSign: 3 } as const;

const PACKED = ['ROWS', 'CHANNELS', 'FILTER_ROWS'] as const;
const LATENT = [...PACKED, 'STEP_SCALE', 'GATE', 'GATE_CLIP', 'CLIP'] as const;

const eachWord = ({ ROWS, CHANNELS }: Readonly<Record<'ROWS' | 'CHANNELS', number>>) =>
  linearWorkgroups(ROWS * wordsFor(CHANNELS), 64);
const eachLane = ({ LANES }: Readonly<Record<'LANES', number>>) => linearWorkgroups(LANES, 64);

/* @__NO_SIDE_EFFECTS__ */
const adamBinary = (name: string, source: string) =>
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
const sgdBinary = (name: string, source: string) =>
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
const bop = (name: string, source: string) =>
  defineKernel({
    name,
    source,
    bindings: { grad: 'read', state: 'read', latent: 'write', bits: 'write', m: 'write', flips: 'write' },
    constants: [...PACKED, 'HAS_LATENT'],
    workgroups: eachWord,
  });

/* @__NO_SIDE_EFFECTS__ */
const adam = (name: string, source: string) =>
  defineKernel({
    name,
    source,
    bindings: { grad: 'read', state: 'read', parameter: 'write', m: 'write', v: 'write' },
    constants: ['LANES', 'GAIN1', 'GAIN2', 'EPSILON'],
    workgroups: eachLane,
  });

/* @__NO_SIDE_EFFECTS__ */
const sgd = (name: string, source: string) =>
  defineKernel({
    name,
    source,
    bindings: { grad: 'read', state: 'read', parameter: 'write', velocity: 'write' },
    constants: ['LANES', 'MOMENTUM', 'HAS_VELOCITY'],
    workgroups: eachLane,
  });

/** Adam on latent weights and their packed signs. */
export const updateAdamBinary = adamBinary('optim/adam-binary', adamBinarySource);
export const updateAdamBinary4 = adamBinary('optim/adam-binary4', adamBinarySource4);
/** SGD with momentum on latent weights and their packed signs. */
export const updateSgdBinary = sgdBinary('optim/sgd-binary', sgdBinarySource);
export const updateSgdBinary4 = sgdBinary('optim/sgd-binary4', sgdBinarySource4);
/** Bop on packed weights. */
export const updateBop = bop('optim/bop', bopSource);
export const updateBop4 = bop('optim/bop4', bopSource4);
/** Adam on real parameters. */
export const updateAdam = adam('optim/adam', adamSource);
export const updateAdam4 = adam('optim/adam4', adamSource4);
/** SGD with momentum on real parameters. */
export const updateSgd = sgd('optim/sgd', sgdSource);
export const updateSgd4 = sgd('optim/sgd4', sgdSource4);
