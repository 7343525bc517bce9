/**
 * Operations that only training needs: gradients, and forward passes that keep what those read. Layers are handed them by
 * who trains, so that a page that only runs networks doesn't carry them.
 */

export { affineColumns } from './columns.ts';
export {
  binaryConv2dGradInput,
  binaryConv2dGradWeights,
  conv2dGradInput,
  signConv2dGradWeights,
} from './conv-gradients.ts';
export { binaryMatMulGradInput, binaryMatMulGradWeights, signMatMulGradWeights } from './dense.ts';
export { add, biasGrad, concatGrad, dropout, dropoutGrad } from './elementwise.ts';
export { sliceGrad } from './movement.ts';
export {
  batchNormGradInput,
  batchNormGradSums,
  batchStatistics,
  updateRunningStatistics,
} from './norm.ts';
export { TRAINING_PASSES } from './passes/index.ts';
export { clampGrad, curveGrad, preluGrad, slopesGrad } from './pointwise.ts';
export { averagePool2dGrad, globalAveragePool2dGrad, maxPool2dGrad } from './pool.ts';
export { binarize, binarizeGrad } from './quantize.ts';
export { learnedGradient, rowGradient, statisticsFor } from './rows.ts';
