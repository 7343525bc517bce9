/** Picking batches out of a data set in GPU memory, and the state of a training run. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

const shaders = () => import('../../shaders/training.ts');

const NORMALISATION = [
  'SCALE_0',
  'SCALE_1',
  'SCALE_2',
  'SCALE_3',
  'SHIFT_0',
  'SHIFT_1',
  'SHIFT_2',
  'SHIFT_3',
] as const;

/** What each row of a batch holds: rows vec4u [BATCH] (place, top, left, mirrored) and classes u32 [BATCH]. */
export const batchRows = defineKernel({
  name: 'data/rows',
  source: shaders,
  bindings: { labels: 'read', state: 'read', rows: 'write', rowLabels: 'write' },
  constants: [
    'SAMPLES',
    'BATCH',
    'SHUFFLE',
    'HALF_BITS',
    'PAD',
    'AUGMENT',
    'FLIP',
    'SLOTS',
    'SLOT',
    'CLASSES',
  ],
  workgroups: ({ BATCH }) => [Math.ceil(BATCH / 64), 1, 1],
});

/** Bytes or reals to f32 [BATCH, HEIGHT, WIDTH, CHANNELS], any shape, with augmentation. */
export const gather = defineKernel({
  name: 'data/gather',
  source: shaders,
  bindings: { images: 'read', rows: 'read', x: 'write' },
  constants: ['BATCH', 'HEIGHT', 'WIDTH', 'CHANNELS', 'PAD', 'REALS', ...NORMALISATION],
  workgroups: ({ BATCH, HEIGHT, WIDTH }) => linearWorkgroups(BATCH * HEIGHT * WIDTH, 64),
});

/** Bytes to f32 [BATCH, 4 * WORDS], without augmentation. */
export const gatherFlat = defineKernel({
  name: 'data/gather_flat',
  source: shaders,
  bindings: { images: 'read', rows: 'read', x: 'write' },
  constants: ['BATCH', 'WORDS', 'CHANNELS', ...NORMALISATION],
  workgroups: ({ BATCH, WORDS }) => linearWorkgroups(BATCH * WORDS, 64),
});

/** What belongs to samples: reals to f32 [BATCH, LENGTH], bytes to bits [BATCH, LENGTH + 1]. */
export const pickTargets = defineKernel({
  name: 'data/targets',
  source: shaders,
  bindings: { values: 'read', rows: 'read', picked: 'write' },
  constants: ['BATCH', 'LENGTH', 'BYTES'],
  workgroups: ({ BATCH, LENGTH, BYTES }) =>
    linearWorkgroups(BATCH * (BYTES === 1 ? Math.ceil((LENGTH + 1) / 32) : LENGTH), 64),
});

/** u8 [COUNT] to f32 [COUNT]. */
export const realsOfBytes = defineKernel({
  name: 'data/bytes',
  source: shaders,
  bindings: { bytes: 'read', reals: 'write' },
  constants: ['COUNT', 'SCALE', 'SHIFT'],
  workgroups: ({ COUNT }) => linearWorkgroups(Math.ceil(COUNT / 4), 64),
});

/** Whether any of f32 [COUNT] is NaN or infinite, into one of u32 [places]. */
export const nonFinite = defineKernel({
  name: 'data/non_finite',
  source: () => import('../../shaders/diagnosis.ts'),
  bindings: { x: 'read', found: 'write' },
  constants: ['COUNT', 'PLACE'],
  workgroups: ({ COUNT }) => linearWorkgroups(COUNT, 64),
});

/** Counts the step. */
export const advance = defineKernel({
  name: 'data/advance',
  source: shaders,
  bindings: { state: 'write' },
  constants: [],
  workgroups: () => [1, 1, 1],
});
