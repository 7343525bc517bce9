/** Statistics of the rows of weights; frames that a quantizer's rule for rows fills; and the columns of their products. */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';

const source = () => import('../../shaders/rows.ts');
const library = () => import('../../shaders/library.ts');

/** f32 [ROWS, LENGTH] to f32 [ROWS, 6], `RowStatistics`. */
export const rowStatisticsKernel = defineKernel({
  name: 'rows/statistics',
  source,
  bindings: { x: 'read', statistics: 'write' },
  constants: ['ROWS', 'LENGTH', 'MEDIANS'],
  workgroups: ({ ROWS }) => linearWorkgroups(ROWS, 1),
});

/** Statistics to scales and offsets, f32 [ROWS] each. */
export const rowAffineFrame = defineKernel({
  name: 'rows/affine',
  source,
  library,
  bindings: { statistics: 'read', scales: 'write', offsets: 'write' },
  constants: ['ROWS'],
  workgroups: ({ ROWS }) => linearWorkgroups(ROWS, 64),
});

/** f32 [ROWS, CHANNELS] to the signs of the rule's arguments; counts what changed, by filter. */
export const rowPackFrame = defineKernel({
  name: 'rows/pack',
  source,
  library,
  bindings: { x: 'read', statistics: 'read', bits: 'write', flips: 'write' },
  constants: ['ROWS', 'CHANNELS', 'FILTER_ROWS'],
  workgroups: ({ ROWS, CHANNELS }) => linearWorkgroups(ROWS * wordsFor(CHANNELS), 64),
});

/** f32 [SIZE] times what the quantizer passes. */
export const rowGradientFrame = defineKernel({
  name: 'rows/gradient',
  source,
  library,
  bindings: { g: 'read', x: 'read', statistics: 'read', out: 'write' },
  constants: ['SIZE', 'LENGTH'],
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
