/** Losses, their gradient and the step's metrics. */
import { defineKernel } from '../gpu/index.ts';

const shaders = () => import('../../shaders/training.ts');

/** Values of the constant KIND. */
export const LOSS_KINDS = { squaredHinge: 0, crossEntropy: 1 } as const;

/** Loss, hit and gradient of every row of logits. */
export const lossRows = defineKernel({
  name: 'loss/rows',
  source: shaders,
  bindings: { logits: 'read', labels: 'read', rowLosses: 'write', grad: 'write' },
  constants: ['BATCH', 'CLASSES', 'KIND', 'GRADIENT'],
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
