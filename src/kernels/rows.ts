/** Statistics of the rows of weights; frames that a quantizer's rule for rows fills; and the columns of their products. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const source = () => import('../../shaders/rows.ts');
const library = () => import('../../shaders/library.ts');

/** f32 [ROWS, LENGTH] to f32 [ROWS, 10], `RowStatistics`. */
export const rowStatisticsKernel = defineKernel({
  name: 'rows/statistics',
  source,
  bindings: { x: 'read', statistics: 'write' },
  constants: ['ROWS', 'LENGTH', 'MEDIANS', 'HALVES'],
  workgroups: ({ ROWS }) => linearWorkgroups(ROWS, 1),
});

/** The same, to the bit, for software adapters: without workgroups whose invocations wait for each other. */
export const rowStatisticsAloneKernel = defineKernel({
  name: 'rows/statistics_alone',
  source,
  bindings: { x: 'read', statistics: 'write' },
  constants: ['ROWS', 'LENGTH', 'MEDIANS', 'HALVES'],
  workgroups: ({ ROWS }) => linearWorkgroups(ROWS, 64),
});

/** Statistics to scales and offsets, f32 [ROWS] each. */
export const rowAffineFrame = defineKernel({
  name: 'rows/affine',
  source,
  library,
  bindings: { statistics: 'read', learned: 'read', scales: 'write', offsets: 'write' },
  constants: ['ROWS', 'HAS_STATISTICS', 'LEARNED_BY'],
  workgroups: ({ ROWS }) => linearWorkgroups(ROWS, 64),
});

/** f32 [ROWS, CHANNELS] to the signs of the rule's arguments; counts what changed, by filter. */
export const rowPackFrame = defineKernel({
  name: 'rows/pack',
  source,
  library,
  bindings: { x: 'read', statistics: 'read', learned: 'read', state: 'read', bits: 'write', flips: 'write' },
  constants: [
    'ROWS',
    'CHANNELS',
    'FILTER_ROWS',
    'HAS_STATISTICS',
    'LEARNED_BY',
    'RANDOM',
    'STREAM',
    'COUNTS',
  ],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
});

/** f32 [SIZE] times what the quantizer passes. */
export const rowGradientFrame = defineKernel({
  name: 'rows/gradient',
  source,
  library,
  bindings: {
    g: 'read',
    x: 'read',
    statistics: 'read',
    learned: 'read',
    table: 'read',
    state: 'read',
    out: 'write',
  },
  constants: ['SIZE', 'LENGTH', 'CHANNELS', 'HAS_STATISTICS', 'LEARNED_BY', 'STRAIGHT', 'TABLE_ROWS'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** What values [OUTER, GROUPS, INNER] add to the gradient of learned numbers, in chunks: vec4f [CHUNKS, GROUPS]. */
export const rowLearningFrame = defineKernel({
  name: 'rows/learning',
  source,
  library,
  bindings: {
    g: 'read',
    x: 'read',
    statistics: 'read',
    learned: 'read',
    table: 'read',
    state: 'read',
    parts: 'write',
  },
  constants: [
    'OUTER',
    'GROUPS',
    'INNER',
    'CHUNKS',
    'LENGTH',
    'HAS_STATISTICS',
    'LEARNED_BY',
    'STRAIGHT',
    'TABLE_ROWS',
  ],
  workgroups: ({ CHUNKS, GROUPS }) => linearWorkgroups(CHUNKS * GROUPS, 1),
});

/** vec4f [CHUNKS, GROUPS] to f32 [GROUPS, FIELDS]. */
export const rowLearned = defineKernel({
  name: 'rows/learned',
  source,
  bindings: { parts: 'read', out: 'write' },
  constants: ['CHUNKS', 'GROUPS', 'FIELDS'],
  workgroups: ({ GROUPS }) => linearWorkgroups(GROUPS, 64),
});

/** f32 [SIZE] less what signs, scales and offsets make of them. */
export const rowRemainder = defineKernel({
  name: 'rows/remainder',
  source,
  bindings: { x: 'read', bits: 'read', scales: 'read', offsets: 'read', out: 'write' },
  constants: ['SIZE', 'CHANNELS', 'LENGTH', 'HAS_SCALE', 'HAS_OFFSET', 'BY_ROW'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** f32 [SIZE] times scales of samples, plus their offsets times constants [LENGTH], plus f32 [SIZE]. */
export const rowSamples = defineKernel({
  name: 'rows/samples',
  source,
  bindings: { x: 'read', scales: 'read', offsets: 'read', constants: 'read', added: 'read', y: 'write' },
  constants: ['SIZE', 'LENGTH', 'BY_ROW', 'HAS_SCALE', 'HAS_OFFSET', 'HAS_ADDED'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** f32 [ROWS, COLUMNS] times scales plus offsets times sums [ROWS, GROUPS]. */
export const rowColumns = defineKernel({
  name: 'rows/columns',
  source,
  bindings: { x: 'read', scales: 'read', offsets: 'read', sums: 'read', y: 'write' },
  constants: ['ROWS', 'COLUMNS', 'GROUPS', 'HAS_SCALE', 'HAS_OFFSET'],
  workgroups: ({ ROWS, COLUMNS }) => linearWorkgroups(ROWS * COLUMNS, 64),
});
