/** Methods: what a researcher varies, each an object, and the points by which anybody adds one. */

export {
  type Augmentation,
  type AugmentationDefinition,
  type AugmentationFactory,
  defineAugmentation,
} from './augmentation.ts';
export {
  AUGMENTATION_NAMES,
  AUGMENTATIONS,
  type AugmentationLike,
  type AugmentationName,
  type NamedAugmentation,
} from './augmentations/index.ts';
export { defineQuantizer } from './define-quantizer.ts';
export {
  defineLoss,
  type Loss,
  type LossDefinition,
  type LossFactory,
  type LossOfRow,
  type LossRow,
  type TargetKind,
} from './loss.ts';
export * from './losses/index.ts';
export type {
  Method,
  MethodFactory,
  MethodNote,
  NumberParameter,
  Parameters,
  Provenance,
  ScheduleParameter,
  Values,
} from './method.ts';
export { isPlainSign, notedConfig } from './note.ts';
export {
  defineOptimizer,
  type Measure,
  type Optimizer,
  type OptimizerDefinition,
  type OptimizerFactory,
  type RatedTime,
  type TwinStep,
} from './optimizer.ts';
export * from './optimizers/index.ts';
export * from './penalties/index.ts';
export { definePenalty, type Penalty, type PenaltyDefinition, type PenaltyFactory } from './penalty.ts';
export type {
  AnyQuantizerFactory,
  LearnedNumber,
  Quantizer,
  QuantizerDefinition,
  QuantizerFactory,
} from './quantizer.ts';
export * from './quantizers/index.ts';
export {
  quantizedRow,
  type RowRule,
  type RowRuleDefinition,
  type RowStatistics,
  type RuleMoment,
  statisticsOf,
  type Through,
} from './row.ts';
export {
  assertSchedule,
  type Decay,
  type Halving,
  type LearningRate,
  type Schedule,
  type StepTime,
  scheduledAt,
} from './schedules.ts';
