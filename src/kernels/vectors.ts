/** Hypervectors: memories, binding, bundling, rotation, search. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';
import type { Family } from './variants.ts';

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

type Search = Readonly<Record<'QUERIES' | 'KEYS' | 'WORDS' | 'K' | 'CHUNKS' | 'SPAN', number>>;

/** bits [QUERIES, ...] and bits [KEYS, ...] to u32 [QUERIES, CHUNKS, K, 2]: distance and key. */
/* @__NO_SIDE_EFFECTS__ */
const search = (name: string, perInvocation: number) =>
  defineKernel({
    name,
    source: shaders,
    bindings: { queries: 'read', keys: 'read', best: 'write' },
    constants: ['QUERIES', 'KEYS', 'WORDS', 'K', 'CHUNKS', 'SPAN'],
    workgroups: ({ QUERIES, CHUNKS }) => linearWorkgroups(Math.ceil(QUERIES / perInvocation) * CHUNKS, 64),
    work: ({ QUERIES, KEYS, WORDS }) => QUERIES * KEYS * WORDS,
    splits: 'line',
  });

const searchKeys = search('vectors/search', 1);
const inFours = ({ WORDS }: Search) => WORDS % 4 === 0;

/** The nearest keys of chunks; all give the same. */
export const SEARCH: Family<typeof searchKeys, Search> & { readonly general: typeof searchKeys } = {
  name: 'nearest',
  exact: true,
  operands: ({ QUERIES, KEYS, WORDS, K, CHUNKS }) => ({
    queries: { shape: [QUERIES, 32 * WORDS], dtype: 'bits' },
    keys: { shape: [KEYS, 32 * WORDS], dtype: 'bits' },
    best: { shape: [QUERIES, CHUNKS, K, 2], dtype: 'u32' },
  }),
  variants: [
    // Below that, what is read for queries that aren't there costs more than it spares; software adapters have no such use of it.
    {
      kernel: search('vectors/search_tile', 4),
      canApply: inFours,
      isDefault: ({ QUERIES }, { adapter }) => QUERIES >= 2 && !adapter.software,
    },
    { kernel: search('vectors/search4', 1), canApply: inFours },
  ],
  general: searchKeys,
};

/** u32 [QUERIES, CHUNKS, K, 2] to u32 [QUERIES, RESULTS, K, 2]. */
export const mergeNearest = defineKernel({
  name: 'vectors/merge_nearest',
  source: shaders,
  bindings: { best: 'read', merged: 'write' },
  constants: ['QUERIES', 'CHUNKS', 'RESULTS', 'K', 'SPAN'],
  workgroups: ({ QUERIES, RESULTS }) => linearWorkgroups(QUERIES * RESULTS, 64),
});
