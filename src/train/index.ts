export {
  bestEpoch,
  type EarlyStopping,
  earlyStopping,
  isPatienceOver,
  type KeepBest,
  keepBest,
  MONITORS,
  type Monitor,
  monitored,
} from './callbacks.ts';
export type { Keeper } from './checkpoint.ts';
export type { CheckedData } from './data.ts';
export type { FitHooks, FitResult } from './fit.ts';
export type { Hook, HookContext, HookVerdict } from './hooks.ts';
export type { StepMetrics } from './metrics.ts';
export type { OutputLoss, Override, TrainerOptions } from './options.ts';
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
export type { ClassScores, OutputScores, Scores } from './scores.ts';
export { type StartingValues, startFrom } from './start.ts';
export type { TrainingPlan, Vote } from './step.ts';
export { Trainer } from './trainer.ts';
