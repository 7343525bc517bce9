/** Data of a person's own on the command line: the options that say how they are read, and what a run keeps of them. */
import { existsSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { dtypeOf } from '../data/source.ts';
import { printable } from '../errors.ts';
import { OptionError, type TrainingData } from '../index.ts';
import { DATASET_NAMES, loadOwnData, type OwnData } from '../node/index.ts';
import type { OwnRun } from '../reports/story.ts';
import { notOneOf } from './options.ts';

export interface OwnFlags {
  readonly size?: readonly [number, number];
  readonly grey?: boolean;
  readonly colour?: boolean;
  readonly split?: number;
  readonly label?: string;
  readonly labels?: string;
  readonly regression?: boolean;
  readonly sampleWeights?: string;
  readonly skipBroken?: boolean;
  readonly stream?: boolean;
}

/** What may be said of data sets that have no names, for help. */
export const OWN_DATA =
  'a folder with a folder of pictures for each class, a table (.csv), arrays (.npz, .npy), idx files, or a module (.js)';

export const anyDatasetOption = (fallback?: string) => {
  const option = new Option(
    '--dataset <name or path>',
    `${DATASET_NAMES.join(', ')}; or data of your own: ${OWN_DATA}`,
  ).argParser(datasetName);
  return fallback === undefined ? option : option.default(fallback);
};

export const labelsOption = () => new Option('--labels <file>', 'arrays: the file of the labels');

/** Adds the options that say how data of one's own are read. */
export function withOwnData(command: Command): Command {
  return command
    .option(
      '--size <pixels>',
      'pictures: the size that they are brought to, as 32 or 32x48 (height x width)',
      imageSize,
    )
    .addOption(new Option('--grey', 'pictures: make them grey').conflicts('colour'))
    .option('--colour', 'pictures: keep colours, also where all are grey')
    .option('--split <share>', 'the share that is kept for tests (default: 0.2; of each class)', shareOf)
    .option('--label <column>', 'table: the column that is predicted, or several of a regression, as a,b')
    .addOption(labelsOption())
    .option('--regression', 'predict numbers, and no classes')
    .option('--sample-weights <column>', 'table: the column of what each row weighs')
    .option('--skip-broken', 'pictures: leave out those that can not be read')
    .option(
      '--stream',
      'pictures: decode them while training, and keep none (default: where they would take more than 256 MB)',
    );
}

export function isNamed(dataset: string): boolean {
  return (DATASET_NAMES as readonly string[]).includes(dataset);
}

/** Reads the data set at a path, as the flags say or as a run did. */
export async function readOwnData(path: string, read: OwnRun['read'], seed: number): Promise<OwnData> {
  const { label, ...options } = read;
  const columns = label?.split(',').map((name) => name.trim()) ?? [];
  const [only] = columns;
  return loadOwnData(path, {
    ...options,
    ...(only === undefined ? {} : { label: columns.length === 1 ? only : columns }),
    seed,
  });
}

/** How the flags say that data are read. */
export function readingOf(flags: OwnFlags): OwnRun['read'] {
  const { size, grey, colour, split, label, labels, regression, sampleWeights, skipBroken, stream } = flags;
  return {
    ...(size === undefined ? {} : { size }),
    ...(grey === true ? { channels: 1 as const } : colour === true ? { channels: 3 as const } : {}),
    ...(split === undefined ? {} : { split }),
    ...(label === undefined ? {} : { label }),
    ...(labels === undefined ? {} : { labels }),
    ...(regression === undefined ? {} : { regression }),
    ...(sampleWeights === undefined ? {} : { weights: sampleWeights }),
    ...(skipBroken === undefined ? {} : { skipBroken }),
    ...(stream === undefined ? {} : { stream }),
  };
}

/** What a run keeps of its data, so that its network can be used without them. Paths are not kept. */
export function keptOf(
  { image, classes, targets = 'classes', normalise, table, train }: OwnData,
  read: OwnRun['read'],
): OwnRun {
  const { scale, shift } = normalise ?? {};
  const { labels: _, ...kept } = read;
  return {
    ...{ input: image, classes, targets, read: kept },
    ...(dtypeOf(train) === 'u8' ? { pixels: { scale: scale ?? [1], shift: shift ?? [0] } } : {}),
    ...(table === undefined ? {} : { table }),
  };
}

/** What was read, in a line or a few. */
export function describeData({
  name,
  train,
  test,
  image,
  classes,
  targets,
  skipped = [],
}: OwnData): string[] {
  const kinds = { classes: 'classes', bits: 'labels', reals: 'numbers' }[targets ?? 'classes'];
  const first = classes.slice(0, 6).map((own) => printable(own));
  return [
    `${name}: ${train.count} training and ${test?.count ?? 0} test samples of ${image.join(' x ')}; ${classes.length} ${kinds}: ${first.join(', ')}${classes.length > 6 ? ', ...' : ''}`,
    ...(skipped.length === 0 ? [] : [`${skipped.length} pictures that can not be read were left out:`]),
    ...skipped.slice(0, 10).map(({ path, why }) => `  ${printable(path)}: ${why}`),
  ];
}

/** @throws OptionError for a place within a folder of data: what is written there would be read as more of them */
export function assertBeside(out: string, dataset: string): void {
  if (isNamed(dataset) || statSync(dataset, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  const way = relative(resolve(dataset), resolve(out));
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) return;
  throw new OptionError('What is written into a folder of data would be read as more of them.', {
    given: out,
    expected: `a folder that is not in ${dataset}`,
    where: '--out',
    remedy: 'name another folder',
  });
}

/** @throws OptionError for data without a test part, which a report needs */
export function assertTested(data: TrainingData): void {
  if ((data.test?.count ?? 0) > 0) return;
  throw new OptionError('This data set has no samples to test on.', {
    given: data.name,
    where: '--dataset',
    remedy: 'keep a part for tests: let the module give `test`',
  });
}

function datasetName(text: string): string {
  if (isNamed(text) || existsSync(text) || /[/\\.]/.test(text)) return text;
  throw notOneOf(text, DATASET_NAMES, `, or a path to ${OWN_DATA}`);
}

function imageSize(text: string): [number, number] {
  const [, height, width] = /^(\d{1,5})(?:x(\d{1,5}))?$/i.exec(text.trim()) ?? [];
  if (height === undefined || Number(height) < 1 || Number(width ?? 1) < 1) {
    throw new InvalidArgumentError('A size in pixels is expected, as 32 or 32x48.');
  }
  return [Number(height), Number(width ?? height)];
}

export function shareOf(text: string): number {
  const share = Number(text);
  if (share > 0 && share < 1) return share;
  throw new InvalidArgumentError('A share between 0 and 1 is expected, as 0.2.');
}
