/**
 * Methods side by side, what is trained otherwise, and what networks are asked: comparisons, pages of methods as data, training
 * regimes, statistics of activations and predictors. It is what
 * `webgpu-bnn compare` and `webgpu-bnn methods` are made of, for programs and pages of one's own.
 */
export * from './compare/index.ts';
export { type LayerGates, openGates } from './geometry/gates.ts';
export { type HybridCandidate, rankForHybrid } from './geometry/hybrid.ts';
export {
  type FlippedOverlap,
  type LayerOverlap,
  overlapAgainstFlips,
  overlapsByDepth,
} from './geometry/overlaps.ts';
export {
  type LayerHulls,
  type LayerTwins,
  measurePredictors,
  type PairOverlaps,
  type Predictors,
} from './geometry/predictors.ts';
export {
  type DescribedMethod,
  describeMethod,
  type MethodDescription,
  type MethodFigure,
} from './methods/describe.ts';
export { METHODS, methodByName } from './methods/table.ts';
export { distanceToHull, type NearestHull, nearestHull } from './numerics/hulls.ts';
export { type GruWeights, type MemoizedRun, memoizedGru } from './numerics/memoized-gru.ts';
export {
  memoizedShare,
  type Skippable,
  type TwinPrediction,
  twinPrediction,
} from './numerics/twin-predictor.ts';
export * from './regimes/index.ts';
