/** Sums, copies, bias and dropout. Most kernels take elements one by one, or four each where the shape allows. */
import { defineKernel, linearWorkgroups, type ShaderSource } from '../gpu/index.ts';

const shaders = () => import('../../shaders/others.ts');
const trainingShaders = () => import('../../shaders/training.ts');

/** Elements an invocation takes. */
type Width = 1 | 4;

const eachLane = ({ LANES }: Readonly<Record<'LANES', number>>) => linearWorkgroups(LANES, 64);

/* @__NO_SIDE_EFFECTS__ */
const addOf = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { x: 'read', y: 'read', out: 'write' },
    constants: ['LANES'],
    workgroups: eachLane,
  });

/* @__NO_SIDE_EFFECTS__ */
const addIntoOf = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { x: 'read', sum: 'write' },
    constants: ['LANES'],
    workgroups: eachLane,
  });

/* @__NO_SIDE_EFFECTS__ */
const fillOf = (name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { out: 'write' },
    constants: ['LANES', 'VALUE'],
    workgroups: eachLane,
  });

/* @__NO_SIDE_EFFECTS__ */
const addBiasOf = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { x: 'read', bias: 'read', out: 'write' },
    constants: ['ROWS', 'CHANNELS'],
    workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups((ROWS * CHANNELS) / width, 64),
  });

/* @__NO_SIDE_EFFECTS__ */
const columnSumsOf = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { x: 'read', sums: 'write' },
    constants: ['ROWS', 'CHANNELS', 'CHUNKS'],
    workgroups: ({ CHANNELS, CHUNKS }) => linearWorkgroups((CHUNKS * CHANNELS) / width, 64),
  });

/* @__NO_SIDE_EFFECTS__ */
const copyColumnsOf = (width: Width, name: string, source: ShaderSource) =>
  defineKernel({
    name,
    source,
    bindings: { x: 'read', out: 'write' },
    constants: ['ROWS', 'COLUMNS', 'FROM_COLUMNS', 'FROM', 'TO_COLUMNS', 'TO'],
    workgroups: ({ ROWS, COLUMNS }) => linearWorkgroups((ROWS * COLUMNS) / width, 64),
  });

/** out = x + y. */
export const add1 = addOf('elementwise/add', shaders);
export const add4 = addOf('elementwise/add4', shaders);
/** sum += x. */
export const addInto1 = addIntoOf('elementwise/add_into', shaders);
export const addInto4 = addIntoOf('elementwise/add_into4', shaders);
/** out = VALUE. */
export const fill1 = fillOf('elementwise/fill', shaders);
export const fill4 = fillOf('elementwise/fill4', shaders);
/** out = x + bias, a bias a channel. */
export const addBias1 = addBiasOf(1, 'elementwise/add_bias', shaders);
export const addBias4 = addBiasOf(4, 'elementwise/add_bias4', shaders);
/** Sums of each channel over chunks of rows. */
export const columnSums1 = columnSumsOf(1, 'elementwise/column_sums', shaders);
export const columnSums4 = columnSumsOf(4, 'elementwise/column_sums4', shaders);
/** A block of columns from one matrix to another. */
export const copyColumns1 = copyColumnsOf(1, 'elementwise/copy_columns', shaders);
export const copyColumns4 = copyColumnsOf(4, 'elementwise/copy_columns4', shaders);

/** Random zeros; the mask is drawn from (seed, STREAM, element, step). */
export const dropoutMask = defineKernel({
  name: 'elementwise/dropout',
  source: trainingShaders,
  bindings: { x: 'read', state: 'read', out: 'write' },
  constants: ['SIZE', 'STREAM', 'THRESHOLD', 'SCALE'],
  workgroups: ({ SIZE }) => linearWorkgroups(Math.ceil(SIZE / 4), 64),
});
