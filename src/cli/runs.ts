/** Runs: what a training is made of, and where it is kept, so that `--resume` and `eval` need nothing else. */

import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { FormatError, OptionError, StorageError } from '../errors.ts';
import { CHECKPOINT_FILE } from '../formats/checkpoint.ts';
import {
  type Checkpoint,
  type Dataset,
  decodeCheckpoint,
  type Model,
  type Shape,
  type TrainerOptions,
  takeFirst,
  withValidation,
} from '../index.ts';
import { EVERY } from '../methods/table.ts';
import { assertNoComparison } from '../node/comparison.ts';
import { howToBegin } from '../node/files.ts';
import { DATASET_NAMES, loadDataset, type OwnData, readFileChecked } from '../node/index.ts';
import { npx } from '../npx.ts';
import { shareOf } from '../regimes/index.ts';
import { type OwnRun, parseStory, type RunOptions, type RunStory } from '../reports/story.ts';
import { isNamed, readOwnData } from './own-data.ts';
import { modelOfRun, type OwnModel } from './own-models.ts';
import { overridesOf } from './parameter-names.ts';

/** What a run is, for errors. */
const RUN = `a folder that ${npx('train')} wrote, or its ${CHECKPOINT_FILE}`;

/** The best epoch of a run, where it was kept. */
export const BEST_FILE = 'best.safetensors';

/** Where data of a person's own lie: runs do not keep it. */
export interface DataPlace {
  readonly dataset?: string;
  /** The file of the labels of arrays. */
  readonly labels?: string;
}

/**
 * The data set and the model of a run; of one whose trainers vote, the share of one of them.
 * @param own such data, or where they lie
 * @param ownModel makes a network of a person's own, which the run does not keep yet
 * @param rank of the trainer
 * @returns the run with such a network
 * @throws OptionError for a run of such data where nobody says it
 */
export async function loadRun(
  run: RunOptions,
  own: DataPlace | { readonly data: OwnData },
  ownModel?: (made: { readonly input: Shape; readonly classes: number }) => Promise<OwnModel>,
  rank = 0,
): Promise<{ data: OwnData; model: Model; run: RunOptions }> {
  const whole = 'data' in own ? takeSamples(own.data, run) : await dataOf(run, own);
  const judged = run.validation === undefined ? whole : withValidation(whole, run.validation, run.seed);
  const data = shareOf(judged, rank, run.votes ?? 1);
  const made = { input: data.image, classes: data.classes.length };
  const whose = ownModel === undefined ? run : { ...run, ...(await ownModel(made)) };
  return { data, model: await modelOfRun(whose, made), run: whose };
}

/** The same of a run of a data set that has a name. @throws OptionError for another one */
export async function loadNamedRun(run: RunOptions): Promise<{ data: Dataset; model: Model }> {
  const { dataset, own } = run;
  if (own !== undefined) {
    throw new OptionError('This is about networks of the data sets that have names.', {
      given: `a run of data of your own, ${dataset}`,
      expected: DATASET_NAMES.join(', '),
      where: 'paper',
    });
  }
  const data = takeSamples(await loadDataset(dataset), run);
  return { data, model: await modelOf(run, data.image, data.classes) };
}

function takeSamples<D extends OwnData>(data: D, { trainSamples, testSamples }: RunOptions): D {
  return takeFirst(data, trainSamples, testSamples);
}

function modelOf(run: RunOptions, input: Shape, classes: readonly string[]): Promise<Model> {
  return modelOfRun(run, { input, classes: classes.length });
}

async function dataOf(run: RunOptions, { dataset: path, labels }: DataPlace): Promise<OwnData> {
  const { own, dataset, seed } = run;
  if (own === undefined) return takeSamples(await loadDataset(dataset), run);
  if (path === undefined || isNamed(path)) {
    throw new OptionError('This run was trained with data of your own, and does not keep where they lie.', {
      given: `run of ${dataset}`,
      where: '--dataset',
      remedy: 'say it again: --dataset PATH',
    });
  }
  // It may have been moved, or lie elsewhere on another machine.
  const read = labels === undefined ? own.read : { ...own.read, labels };
  return takeSamples({ ...(await readOwnData(path, read, seed)), name: dataset }, run);
}

/** What is needed to use the network of a run: its model, and what its data said. */
export async function loadNetwork(run: RunOptions): Promise<{
  readonly model: Model;
  readonly classes: readonly string[];
  readonly pixels: OwnRun['pixels'];
  readonly table: OwnRun['table'];
}> {
  const { own } = run;
  if (own === undefined) {
    const { data, model } = await loadNamedRun(run);
    return { model, classes: data.classes, pixels: data.normalise, table: undefined };
  }
  const { input, classes, pixels, table } = own;
  return { model: await modelOf(run, input, classes), classes, pixels, table };
}

/** A mirrored digit is another one, or none. */
const DIGITS = ['mnist'];

/** What is augmented: what the run says, or the usual. */
function augmentOf({ augment, dataset }: RunOptions): Pick<TrainerOptions, 'augment'> {
  if (augment === false) return {};
  if (augment === true) return { augment: DIGITS.includes(dataset) ? ['crop'] : ['crop', 'flip'] };
  return { augment: augment as NonNullable<TrainerOptions['augment']> };
}

/**
 * A run's options as a trainer takes them.
 * @param rank of one among several that vote: each has its share of the batch, and an order of its own
 * @throws OptionError for a batch that can't be shared evenly
 */
export function trainerOptions(run: RunOptions, rank = 0): TrainerOptions {
  const { votes = 1 } = run;
  if (run.batch % votes !== 0) {
    throw new OptionError('Trainers that vote have shares of a batch that are equal.', {
      given: `--batch ${run.batch} --votes ${votes}`,
      expected: `a batch that is a multiple of ${votes}`,
      where: '--batch',
    });
  }
  return {
    batch: run.batch / votes,
    epochs: run.epochs,
    optimizer: EVERY.optimizer[run.optimizer](),
    learningRate: run.lr,
    loss: run.loss,
    seed: (run.seed + rank) % 2 ** 32,
    fanScaledSteps: run.fanScaled,
    ...(run.votes === undefined ? {} : { votes: 'alone' }),
    ...(run.classWeights === undefined ? {} : { classWeights: run.classWeights }),
    ...augmentOf(run),
    ...(run.clip === undefined ? {} : { clip: run.clip }),
    ...(run.refitStatistics === undefined ? {} : { refitStatistics: run.refitStatistics }),
    ...(run.freeze === undefined && run.rates === undefined ? {} : { overrides: overridesOf(run) }),
  };
}

/** A run as its files say it. */
export interface SavedRun extends RunStory {
  /** Where its files lie: of the path that was given. */
  readonly folder: string;
  readonly checkpoint: Checkpoint;
}

/**
 * The run that a folder or a checkpoint file holds.
 * @param which of a folder, what it stopped with, or the best epoch where that was kept
 */
export async function readRun(path: string, which: 'last' | 'best' = 'last'): Promise<SavedRun> {
  const { file, folder } = await checkpointPath(path, which);
  if (/\.(onnx|tflite|zip)$/i.test(file)) {
    throw new FormatError('This is the file of a model, and no run.', {
      given: path,
      expected: RUN,
      where: 'run',
      remedy: `${npx('run FILE --dataset NAME')}, or ${npx('run FILE --input PICTURES')}`,
    });
  }
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
export async function checkpointPath(
  path: string,
  which: 'last' | 'best' = 'last',
): Promise<{ file: string; folder: string }> {
  const entry = await stat(path).catch(() => undefined);
  if (entry !== undefined && !entry.isDirectory()) return { file: path, folder: dirname(path) };
  assertNoComparison(path);
  const file = await checkpointIn(path, which);
  if (existsSync(file)) return { file, folder: path };
  const place = extname(path) === '' ? path : dirname(path);
  throw new StorageError('There is no run here.', {
    given: path,
    expected: RUN,
    remedy: howToBegin('train', place),
  });
}

/** The checkpoint of a run folder: the one that it stopped with, or that of the best epoch where it was kept. */
export async function checkpointIn(folder: string, which: 'last' | 'best'): Promise<string> {
  const best = join(folder, BEST_FILE);
  const isKept = which === 'best' && (await stat(best).catch(() => undefined))?.isFile() === true;
  return isKept ? best : join(folder, CHECKPOINT_FILE);
}
