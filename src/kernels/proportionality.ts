/** Dot-product proportionality: pairs of dot products, and the data that they are taken with. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';
import { realForward } from './conv.ts';

const shaders = () => import('../../shaders/geometry.ts');

/** f32 [ROWS, COLUMNS] twice to moments of SPAN rows a part. */
export const pairMomentParts = defineKernel({
  name: 'geometry/pair_moments',
  source: shaders,
  bindings: { x: 'read', y: 'read', parts: 'write' },
  constants: ['ROWS', 'COLUMNS', 'SPAN'],
  workgroups: ({ ROWS, COLUMNS, SPAN }) => linearWorkgroups(Math.ceil(ROWS / SPAN) * COLUMNS, 64),
});

/** Those parts to f32 [6, COLUMNS]. */
export const mergePairMoments = defineKernel({
  name: 'geometry/merge_pair_moments',
  source: shaders,
  bindings: { parts: 'read', moments: 'write' },
  constants: ['ROWS', 'COLUMNS', 'SPAN'],
  workgroups: ({ COLUMNS }) => [Math.ceil(COLUMNS / 64), 1, 1],
});

/** f32 [SIZE] twice, added to u32 [BINS, BINS]. */
export const pairHistogram = defineKernel({
  name: 'geometry/pair_histogram',
  source: shaders,
  bindings: { x: 'read', y: 'read', grid: 'read', counts: 'write' },
  constants: ['SIZE', 'BINS'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** f32 [SIZE] in another order. */
export const permuteElements = defineKernel({
  name: 'geometry/permute_elements',
  source: shaders,
  bindings: { x: 'read', out: 'write' },
  constants: ['SIZE', 'SEED', 'HALF_BITS'],
  workgroups: ({ SIZE }) => linearWorkgroups(SIZE, 64),
});

/** f32 NHWC to f32 [PATCHES, patch]. */
export const samplePatches = defineKernel({
  name: 'geometry/sample_patches',
  source: shaders,
  bindings: { x: 'read', patches: 'write' },
  constants: [...realForward.constants, 'PATCHES', 'SEED', 'HALF_BITS'],
  workgroups: ({ PATCHES, KERNEL_HEIGHT, KERNEL_WIDTH }) =>
    linearWorkgroups(PATCHES * KERNEL_HEIGHT * KERNEL_WIDTH, 64),
});
