/** Data of jobs: how they are named to other machines, and how a worker gets what is named. */
import { DataUnavailableError, OptionError } from '../errors.ts';
import type { TrainingData } from '../index.ts';
import { type NamedData, namedData } from '../nats/index.ts';
import { nameBelow, pathBelow } from '../node/below.ts';
import { fetchDataset, loadDataset } from '../node/index.ts';
import type { OwnRun } from '../reports/story.ts';
import { isNamed, readOwnData } from './own-data.ts';

/** One split of the data for all trainings of a call: their seeds are of the trainings. */
export const SPLIT_SEED = 1;

const MODULE = /\.[cm]?[jt]s$/;

/**
 * Names data to workers.
 * @param dataset a name, or a path below `root`
 * @param read how data of one's own are read
 * @throws OptionError for a path that isn't below `root`, and for a module, which is code
 */
export function nameData(
  dataset: string,
  read: OwnRun['read'],
  root: string,
  data: TrainingData,
  more: Pick<NamedData, 'trainSamples' | 'testSamples'>,
): NamedData {
  const { trainSamples, testSamples } = more;
  const counts = {
    ...(trainSamples === undefined ? {} : { trainSamples }),
    ...(testSamples === undefined ? {} : { testSamples }),
  };
  if (isNamed(dataset)) return namedData({ dataset, ...counts }, data);
  assertNoModule(dataset);
  const { labels } = read;
  const own = labels === undefined ? read : { ...read, labels: nameBelow(root, labels) };
  return namedData({ dataset: nameBelow(root, dataset), own, ...counts }, data);
}

/**
 * Data that a job names: sets with names are fetched where they are missing, others lie below `root`.
 * @throws DataUnavailableError with the command that helps; OptionError for a name that leads elsewhere, or to code
 */
export async function dataOfJob(
  { dataset, own }: NamedData,
  root: string | undefined,
): Promise<TrainingData> {
  if (own === undefined) {
    return await loadDataset(dataset).catch(async (cause: unknown) => {
      if (!(cause instanceof DataUnavailableError)) throw cause;
      await fetchDataset(dataset);
      return await loadDataset(dataset);
    });
  }
  assertNoModule(dataset);
  const { labels } = own;
  const read = labels === undefined ? own : { ...own, labels: pathBelow(root, labels) };
  return await readOwnData(pathBelow(root, dataset), read, SPLIT_SEED);
}

function assertNoModule(dataset: string): void {
  if (!MODULE.test(dataset)) return;
  throw new OptionError('Workers take data, and no code.', {
    given: dataset,
    expected: 'a data set with a name, or files of data',
    where: '--dataset',
    remedy: 'write the samples into files, as .npz for example; or train in one process: without --nats',
  });
}
