export type { LossKind } from '../ops/loss.ts';
export type { CheckedData, TrainingData, TrainingSplit } from './data.ts';
export type { FitHooks, FitResult } from './fit.ts';
export type { StepMetrics } from './metrics.ts';
export {
  type AdamOptions,
  type BopOptions,
  OPTIMIZER_NAMES,
  type OptimizerName,
  type OptimizerOptions,
  type SgdOptions,
} from './optimizers.ts';
export { LOSS_NAMES, type TrainerOptions } from './options.ts';
export type {
  Checkpoint,
  CheckpointTensor,
  EpochInfo,
  Evaluation,
  Progress,
  StepsInfo,
  Trained,
} from './progress.ts';
export type { StepTap } from './run.ts';
export type { Decay, Halving, LearningRate } from './schedules.ts';
export type { TrainingPlan } from './step.ts';
export { Trainer } from './trainer.ts';
