export type { FitHooks, FitResult } from './fit.ts';
export type { StepMetrics } from './metrics.ts';
export {
  binarynet,
  cnn,
  MODEL_NAMES,
  type ModelName,
  type ModelOptions,
  mlp,
  modelByName,
} from './models.ts';
export type { Override, TrainerOptions } from './options.ts';
export type {
  Checkpoint,
  CheckpointTensor,
  EpochInfo,
  Evaluation,
  Progress,
  StepsInfo,
} from './progress.ts';
export type { StepTap } from './run.ts';
export type { TrainingData, TrainingPlan, TrainingSplit } from './step.ts';
export { Trainer } from './trainer.ts';
