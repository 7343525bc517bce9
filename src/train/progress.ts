/** Where a training is, what is kept of it, and what it tells of itself. */
import type { TableEncoding } from '../data/index.ts';
import type { Shape } from '../gpu/index.ts';
import type { Model, ParameterValues } from '../graph/index.ts';
import type { StepMetrics } from './metrics.ts';
import type { Scores } from './scores.ts';

/** Everything that decides how training goes on: the same bits as if it had never stopped. */
export interface Checkpoint {
  /** By name: parameters, what the optimizer keeps of them, what taps and hooks keep. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Where the training was. */
  readonly progress: Progress;
}

/** A tensor of a checkpoint. */
export interface CheckpointTensor {
  /** Type of an element. */
  readonly dtype: 'F32' | 'U32';
  /** Extent of each axis. */
  readonly shape: Shape;
  /** Elements in row-major order. */
  readonly data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

/** What a training has learned, with all that is needed to use it; `saveTraining` makes a file of it. */
export interface Trained {
  /** Its layers. */
  readonly model: Model;
  /** Latent weights where they are binary, or packed signs where those are of something else. */
  readonly values: ParameterValues;
  /** Names of the classes, or of the outputs. */
  readonly classes: readonly string[];
  /** How the network takes bytes: a pixel is byte·scale[c] + shift[c]. Absent where it was trained with reals. */
  readonly pixels: { readonly scale: readonly number[]; readonly shift: readonly number[] } | undefined;
  /** How the network takes the rows of a table, where it was trained with one. */
  readonly table: TableEncoding | undefined;
}

/** Where a training is; plain JSON. */
export interface Progress {
  /** Steps done since the start. */
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /** Steps done in the epoch. */
  readonly batch: number;
  /** Sums over the epoch so far. */
  readonly lossSum: number;
  /** Samples that were right in the epoch so far. */
  readonly correct: number;
  /** Samples that were seen in the epoch so far. */
  readonly count: number;
  /** Time that the steps of the epoch took so far. */
  readonly seconds: number;
  /** The epochs that are over. */
  readonly history: readonly EpochInfo[];
  /** Names of the parameters that hooks have frozen, where there are some. */
  readonly frozen?: readonly string[];
  /** What must not change between a stop and a resume. */
  readonly fixed: Readonly<Record<string, unknown>>;
}

/** What a network gets right of samples. */
export interface Evaluation {
  /** Mean loss of a sample. */
  readonly loss: number;
  /** Share of the samples, 0 to 1. */
  readonly accuracy: number;
  /** Samples that were right. */
  readonly correct: number;
  /** Samples that were looked at. */
  readonly count: number;
  /** What was counted beside: the best five, each class or output by itself. */
  readonly scores: Scores;
}

/** What is known after some steps. */
export interface StepsInfo {
  /** Epoch that is under way, from 1. */
  readonly epoch: number;
  /** Epochs of the whole training. */
  readonly epochs: number;
  /** Steps of this epoch done, and in all. */
  readonly batch: number;
  /** Steps of an epoch. */
  readonly batches: number;
  /** Steps done since the start. */
  readonly step: number;
  /** Means over the epoch so far. */
  readonly loss: number;
  /** Share of the samples of the epoch so far that were right, 0 to 1. */
  readonly accuracy: number;
  /** Metrics of the steps since the last call. */
  readonly latest: readonly StepMetrics[];
  /** Samples that trained in a second, over the epoch so far. */
  readonly imagesPerSecond: number;
}

/** What is known after an epoch. */
export interface EpochInfo {
  /** From 1. */
  readonly epoch: number;
  /** Mean loss over the epoch's steps. */
  readonly trainLoss: number;
  /** Share of the epoch's samples that were right while they trained, 0 to 1. */
  readonly trainAccuracy: number;
  /** On the test split; undefined where there is none. */
  readonly testLoss: number | undefined;
  /** Share of the test samples that were right, 0 to 1; undefined where there are none. */
  readonly testAccuracy: number | undefined;
  /** On the samples for validation, where there are some. */
  readonly validationLoss?: number;
  /** Share of those samples that were right, 0 to 1. */
  readonly validationAccuracy?: number;
  /** Other scores by name: `top5` and `f1` of classes, `f1` of bits, `meanSquare` and `meanAbsolute` of reals. */
  readonly testScores?: Readonly<Record<string, number>>;
  /** The same of the samples for validation. */
  readonly validationScores?: Readonly<Record<string, number>>;
  /** Of the last step of the epoch. */
  readonly learningRate: number;
  /** Wall time of the epoch's steps, evaluation apart. */
  readonly seconds: number;
  /** Samples that trained in a second, evaluation apart. */
  readonly imagesPerSecond: number;
}

/** The progress of a training that hasn't begun, or of its next epoch. */
export function freshProgress(fixed: Record<string, unknown>): Progress {
  return { step: 0, epoch: 0, batch: 0, lossSum: 0, correct: 0, count: 0, seconds: 0, history: [], fixed };
}

/** The progress after some more steps, that took some milliseconds. */
export function progressAfter(before: Progress, done: readonly StepMetrics[], elapsed: number): Progress {
  return {
    ...before,
    step: before.step + done.length,
    batch: before.batch + done.length,
    lossSum: done.reduce((sum, { loss }) => sum + loss, before.lossSum),
    correct: done.reduce((sum, { correct }) => sum + correct, before.correct),
    count: done.reduce((sum, { count }) => sum + count, before.count),
    seconds: before.seconds + elapsed / 1000,
  };
}

/** A checkpoint for a training that is longer than the one which left it: its schedule spans all epochs of the longer one. */
export function withEpochs({ tensors, progress }: Checkpoint, epochs: number): Checkpoint {
  // The values of the schedule are others then.
  const { scheduleDigest: _, ...fixed } = progress.fixed;
  return { tensors, progress: { ...progress, fixed: { ...fixed, epochs } } };
}
