/** Runs: what a training is made of, and where it is kept, so that `--resume` and `eval` need nothing else. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FormatError, StorageError } from '../errors.ts';
import {
  type Dataset,
  decodeCheckpoint,
  type LearningRate,
  type LossName,
  type Model,
  modelByName,
  type OptimizerName,
  type TrainerOptions,
  takeFirst,
} from '../index.ts';
import { loadDataset, readFileChecked } from '../node/index.ts';
import type { TrainReport } from './report.ts';

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
  readonly loss: LossName;
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

/** The data set and the model of a run. */
export async function loadRun(run: RunOptions): Promise<{ data: Dataset; model: Model }> {
  const data = takeFirst(await loadDataset(run.dataset), run.trainSamples, run.testSamples);
  return { data, model: modelByName(run.model, { input: data.image, classes: data.classes.length }) };
}

/** A run's options as the trainer takes them. */
export function trainerOptions(run: RunOptions): TrainerOptions {
  return {
    batch: run.batch,
    epochs: run.epochs,
    optimizer: run.optimizer,
    learningRate: run.lr,
    loss: run.loss,
    seed: run.seed,
    fanScaledSteps: run.fanScaled,
    ...(run.augment ? { augment: { pad: 4, flip: true } } : {}),
  };
}

/** The run that a folder or a checkpoint file holds. */
export async function readRun(path: string) {
  const { file, folder } = await checkpointPath(path);
  const { checkpoint, metadata } = decodeCheckpoint(await readFileChecked(file), file);
  if (metadata.story === undefined) {
    throw new FormatError('This checkpoint was not written by webgpu-bnn train.', {
      given: 'no record of a run',
      where: file,
      remedy: 'restore it with Trainer.restore in a program of your own',
    });
  }
  return { folder, checkpoint, ...(JSON.parse(metadata.story) as RunStory) };
}

/** The checkpoint of a run folder, or the checkpoint file itself. @throws StorageError where there is none */
async function checkpointPath(path: string): Promise<{ file: string; folder: string }> {
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    (cause: unknown) => {
      throw new StorageError('There is no run here.', {
        given: path,
        expected: 'a folder that webgpu-bnn train wrote, or its checkpoint.safetensors',
        remedy: 'see what there is with: ls runs',
        cause,
      });
    },
  );
  return isFolder
    ? { file: join(path, 'checkpoint.safetensors'), folder: path }
    : { file: path, folder: dirname(path) };
}
