/** Losses, their gradient and the step's metrics. */
import { defineKernel } from '../gpu/index.ts';

const shaders = () => import('../../shaders/training.ts');

/** Values of the constant TARGETS. */
export const TARGET_KINDS = { classes: 0, reals: 1, bits: 2, shares: 3 } as const;

/** Loss, hit and gradient of every row of outputs: a frame that a loss fills. */
export const lossFrame = defineKernel({
  name: 'loss/rows',
  source: shaders,
  library: () => import('../../shaders/library.ts'),
  bindings: {
    logits: 'read',
    targets: 'read',
    teacher: 'read',
    weights: 'read',
    rowLosses: 'write',
    grad: 'write',
  },
  constants: ['BATCH', 'OUTPUTS', 'GRADIENT', 'TARGETS', 'HAS_TEACHER', 'HAS_WEIGHTS', 'WEIGHT', 'ADDED'],
  workgroups: ({ BATCH }) => [Math.ceil(BATCH / 64), 1, 1],
});

/** Rows to one entry of the metrics ring. */
export const lossReduce = defineKernel({
  name: 'loss/reduce',
  source: shaders,
  bindings: { rowLosses: 'read', metrics: 'write', state: 'write' },
  constants: ['BATCH', 'RING', 'EVALUATE'],
  workgroups: () => [1, 1, 1],
});

/** Rows of a batch by class and answer, added to the counts of an evaluation. */
export const tallyClasses = defineKernel({
  name: 'loss/tally_classes',
  source: shaders,
  bindings: { logits: 'read', targets: 'read', tally: 'write' },
  constants: ['BATCH', 'OUTPUTS', 'BEST', 'MATRIX'],
  workgroups: ({ BATCH }) => [Math.ceil(BATCH / 64), 1, 1],
});

/** Counts of bits and sums of errors of each output, added to those of an evaluation. */
export const tallyOutputs = defineKernel({
  name: 'loss/tally_outputs',
  source: shaders,
  bindings: { logits: 'read', targets: 'read', tally: 'write' },
  constants: ['BATCH', 'OUTPUTS', 'REALS'],
  workgroups: ({ OUTPUTS }) => [Math.ceil(OUTPUTS / 64), 1, 1],
});
