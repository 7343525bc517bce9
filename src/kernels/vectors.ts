/** Hypervectors: memories, binding, bundling, rotation, search. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const shaders = () => import('../../shaders/vectors.ts');

type Rows = Readonly<Record<'ROWS' | 'BITS', number>>;
const perWord = ({ ROWS, BITS }: Rows) => linearWorkgroups(ROWS * wordsFor(BITS), 64);

/** bits [ROWS, BITS], random by SEED. */
export const items = defineKernel({
  name: 'vectors/items',
  source: shaders,
  bindings: { out: 'write' },
  constants: ['ROWS', 'BITS', 'SEED'],
  workgroups: perWord,
});

/** bits [ROWS, BITS]: levels whose similarity falls with their distance. */
export const levels = defineKernel({
  name: 'vectors/levels',
  source: shaders,
  bindings: { out: 'write' },
  constants: ['ROWS', 'BITS', 'SEED', 'CIRCULAR', 'HALF_BITS'],
  workgroups: perWord,
  work: ({ ROWS, BITS }) => ROWS * BITS * 32,
  splits: 'line',
});

/** bits [ROWS, BITS] and bits [OTHERS, BITS] to bits [ROWS, BITS]. */
export const bindVectors = defineKernel({
  name: 'vectors/bind',
  source: shaders,
  bindings: { x: 'read', y: 'read', out: 'write' },
  constants: ['ROWS', 'OTHERS', 'BITS', 'NEGATE'],
  workgroups: perWord,
});

/** bits [ROWS, BITS] to bits [ROWS, BITS], SHIFT places on. */
export const rotateVectors = defineKernel({
  name: 'vectors/rotate',
  source: shaders,
  bindings: { x: 'read', out: 'write' },
  constants: ['ROWS', 'BITS', 'SHIFT'],
  workgroups: perWord,
});

/** bits [GROUPS, ROWS, BITS] and i32 [GROUPS, ROWS] to bits [GROUPS, BITS]. */
export const bundleVectors = defineKernel({
  name: 'vectors/bundle',
  source: shaders,
  bindings: { x: 'read', weights: 'read', out: 'write' },
  constants: ['GROUPS', 'ROWS', 'BITS', 'WEIGHTED', 'SEED'],
  workgroups: ({ GROUPS, BITS }) => linearWorkgroups(GROUPS * wordsFor(BITS), 64),
  work: ({ GROUPS, ROWS, BITS }) => GROUPS * ROWS * BITS,
  splits: 'line',
});

/* @__NO_SIDE_EFFECTS__ */
const search = (name: string) =>
  defineKernel({
    name,
    source: shaders,
    bindings: { queries: 'read', keys: 'read', best: 'write' },
    constants: ['QUERIES', 'KEYS', 'WORDS', 'K', 'CHUNKS', 'SPAN'],
    workgroups: ({ QUERIES, CHUNKS }) => linearWorkgroups(QUERIES * CHUNKS, 64),
    work: ({ QUERIES, KEYS, WORDS }) => QUERIES * KEYS * WORDS,
    splits: 'line',
  });

/** bits [QUERIES, ...] and bits [KEYS, ...] to u32 [QUERIES, CHUNKS, K, 2]: distance and key. */
export const searchKeys = search('vectors/search');
/** The same where WORDS is a multiple of 4. */
export const searchKeys4 = search('vectors/search4');

/** u32 [QUERIES, CHUNKS, K, 2] to u32 [QUERIES, RESULTS, K, 2]. */
export const mergeNearest = defineKernel({
  name: 'vectors/merge_nearest',
  source: shaders,
  bindings: { best: 'read', merged: 'write' },
  constants: ['QUERIES', 'CHUNKS', 'RESULTS', 'K', 'SPAN'],
  workgroups: ({ QUERIES, RESULTS }) => linearWorkgroups(QUERIES * RESULTS, 64),
});
