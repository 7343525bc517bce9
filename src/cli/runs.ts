/** Runs: what a training is made of, and where it is kept, so that `--resume` and `eval` need nothing else. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FormatError, StorageError } from '../errors.ts';
import {
  type Checkpoint,
  type Dataset,
  decodeCheckpoint,
  type Model,
  modelByName,
  type TrainerOptions,
  takeFirst,
} from '../index.ts';
import { loadDataset, readFileChecked } from '../node/index.ts';
import { parseStory, type RunOptions, type RunStory } from '../reports/story.ts';

/** The data set and the model of a run. */
export async function loadRun(run: RunOptions): Promise<{ data: Dataset; model: Model }> {
  const data = takeFirst(await loadDataset(run.dataset), run.trainSamples, run.testSamples);
  return { data, model: modelByName(run.model, { input: data.image, classes: data.classes.length }) };
}

/** A mirrored digit is another one, or none. */
const DIGITS = ['mnist'];

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
    ...(run.augment ? { augment: { pad: 4, flip: !DIGITS.includes(run.dataset) } } : {}),
  };
}

/** A run as its files say it. */
export interface SavedRun extends RunStory {
  /** Where its files lie: of the path that was given. */
  readonly folder: string;
  readonly checkpoint: Checkpoint;
}

/** A checkpoint for a training that is longer than the one which left it: its schedule spans all epochs of the longer one. */
export function withEpochs({ tensors, progress }: Checkpoint, epochs: number): Checkpoint {
  // The values of the schedule are others then.
  const { scheduleDigest: _, ...fixed } = progress.fixed;
  return { tensors, progress: { ...progress, fixed: { ...fixed, epochs } } };
}

/** The run that a folder or a checkpoint file holds. */
export async function readRun(path: string): Promise<SavedRun> {
  const { file, folder } = await checkpointPath(path);
  const { checkpoint, metadata } = decodeCheckpoint(await readFileChecked(file), file);
  if (metadata.story === undefined) {
    throw new FormatError('This checkpoint was not written by webgpu-bnn train.', {
      given: 'no record of a run',
      where: file,
      remedy: 'restore it with Trainer.restore in a program of your own',
    });
  }
  const { run, initial, epochs, samples } = parseStory(metadata.story, file);
  // Where files go follows from the path that was given, never from what stands in it.
  return { folder, checkpoint, run, initial, epochs, ...(samples === undefined ? {} : { samples }) };
}

/** The checkpoint of a run folder, or the checkpoint file itself. @throws StorageError where there is none */
export async function checkpointPath(path: string): Promise<{ file: string; folder: string }> {
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
