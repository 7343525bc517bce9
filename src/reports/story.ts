/** What a training keeps of itself beside its weights: what it is made of, and what was measured while it ran. */
import type { LearningRate, LossKind, OptimizerName } from '../index.ts';
import type { TrainReport } from './training.ts';

export type EpochRecord = TrainReport['epochs'][number];
export type InitialRecord = TrainReport['initial'];
export type SampleRecord = NonNullable<TrainReport['samples']>[number];

/** What a run is; kept in its checkpoint. */
export interface RunOptions {
  readonly dataset: string;
  readonly model: string;
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: OptimizerName;
  readonly lr: LearningRate;
  readonly loss: LossKind;
  readonly seed: number;
  readonly fanScaled: boolean;
  readonly augment: boolean;
  readonly trainSamples?: number;
  readonly testSamples?: number;
}

/** What a checkpoint tells of its run beside the weights. */
export interface RunStory {
  readonly run: RunOptions;
  readonly initial: InitialRecord;
  readonly epochs: readonly EpochRecord[];
  /** Geometry within epochs, where it was tapped. */
  readonly samples?: readonly SampleRecord[];
}
