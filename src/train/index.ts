export type { LossKind } from '../ops/loss.ts';
export type { StepMetrics } from './metrics.ts';
export {
  type AdamOptions,
  type BopOptions,
  OPTIMIZER_NAMES,
  type OptimizerName,
  type OptimizerOptions,
  type SgdOptions,
} from './optimizers.ts';
export type { Decay, Halving, LearningRate } from './schedules.ts';
export type { TrainingData, TrainingPlan, TrainingSplit } from './step.ts';
export {
  type Checkpoint,
  type CheckpointTensor,
  type EpochInfo,
  type Evaluation,
  type FitHooks,
  type FitResult,
  LOSS_NAMES,
  type Progress,
  type StepsInfo,
  type StepTap,
  type Trained,
  Trainer,
  type TrainerOptions,
} from './trainer.ts';
