/** `webgpu-bnn data inspect PATH`: what a data set holds, before it trains. */
import Table from 'cli-table3';
import { Command } from 'commander';
import { printable } from '../errors.ts';
import { loadDataset, type OwnData, writeFileAtomic } from '../node/index.ts';
import { type Contents, contentsOf, sheetOf } from '../reports/contents.ts';
import { counted } from '../reports/words.ts';
import { checkData } from '../train/data.ts';
import { jsonOption, seedNumber } from './options.ts';
import { emit, jsonText, OutputOption } from './output.ts';
import {
  describeData,
  isNamed,
  OWN_DATA,
  type OwnFlags,
  readingOf,
  readOwnData,
  withOwnData,
} from './own-data.ts';

interface Flags extends OwnFlags {
  readonly seed: number;
  readonly sheet?: string;
  readonly json?: string;
}

export function inspectDataCommand(): Command {
  return withOwnData(new Command('inspect'))
    .description('say what a data set holds')
    .argument('<data>', OWN_DATA)
    .option('--seed <n>', 'the split and the order follow from it', seedNumber, 1)
    .addOption(new OutputOption('--sheet <file.png>', 'draw samples of each class, one class a row'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn data inspect ./flowers --size 32 --sheet flowers.png
  $ webgpu-bnn data inspect iris.csv --label species`,
    )
    .action(async (path: string, _: unknown, command: Command) => {
      // What the command above takes, too, is found there.
      const flags = command.optsWithGlobals<Flags>();
      const data: OwnData = isNamed(path)
        ? await loadDataset(path)
        : await readOwnData(path, readingOf(flags), flags.seed);
      checkData(data);
      const contents = contentsOf(data);
      const sheet = flags.sheet === undefined ? undefined : sheetOf(data);
      if (flags.sheet !== undefined && sheet !== undefined) await writeFileAtomic(flags.sheet, sheet);
      await emit(jsonText(contents, 2), flags.json);
      if (flags.json === '-') return;
      console.log(describeData(data).join('\n'));
      console.log(`\n${classTable(contents)}\n\n${channelTable(contents, data.table)}${copiesOf(contents)}`);
      if (flags.sheet === undefined) return;
      console.log(sheet === undefined ? '\nno sheet: these are no pictures' : `\nsheet     ${flags.sheet}`);
    });
}

/** Copies that are printed; the JSON has more. */
const MOST_COPIES = 5;

/** Says which samples are there more than once, where some are. */
function copiesOf({ copies, targets }: Contents): string {
  if (copies === undefined || copies.first.length === 0) return '';
  const { training, otherTargets, inTest, first } = copies;
  const other = targets === 'classes' ? 'class' : 'target';
  const lines = [
    ...(training > 0 ? [`${counted(training, 'copy', 'copies')} within the training`] : []),
    ...(inTest > 0
      ? [`${counted(inTest, 'copy', 'copies')} of training samples in the tests: accuracies say less`]
      : []),
    ...(otherTargets > 0
      ? [`${otherTargets} of them with another ${other}, which no network can learn`]
      : []),
    ...first
      .slice(0, MOST_COPIES)
      .map(({ sample, of, otherTarget }) =>
        printable(`${sample} is ${of}${otherTarget ? `, with another ${other}` : ''}`),
      ),
    ...(first.length > MOST_COPIES ? ['...'] : []),
  ];
  return `\n\ncopies    ${lines.join('\n          ')}`;
}

const STYLE = { head: [], border: [] };

function classTable({ classes, targets, train, test }: Contents): string {
  const isReal = targets === 'reals';
  const table = new Table({
    head: isReal ? ['output', 'mean', 'standard deviation'] : ['class', 'training', 'test'],
    style: STYLE,
  });
  for (const [i, name] of classes.entries()) {
    const { mean = 0, sd = 0 } = train.targets?.[i] ?? {};
    table.push(
      isReal
        ? [printable(name), mean.toPrecision(5), sd.toPrecision(5)]
        : [printable(name), train.perClass?.[i] ?? '?', test?.perClass?.[i] ?? '?'],
    );
  }
  return table.toString();
}

/** The most columns of which numbers are printed; all of them are in the JSON. */
const MOST_COLUMNS = 40;

function channelTable(
  { kind, train, shape }: Contents,
  table: { columns: readonly object[] } | undefined,
): string {
  const { channels } = train;
  if (channels === undefined) return 'A stream: what it holds is known when it is read.';
  const rows = new Table({
    head: [table === undefined ? 'channel' : 'number', 'mean', 'standard deviation', 'least', 'most'],
    style: STYLE,
  });
  for (const [i, own] of channels.slice(0, MOST_COLUMNS).entries()) {
    rows.push([i, ...[own.mean, own.sd, own.least, own.most].map((value) => Number(value.toPrecision(5)))]);
  }
  const more = channels.length > MOST_COLUMNS ? `\n... and ${channels.length - MOST_COLUMNS} more` : '';
  return `${kind} of shape ${shape.join(' x ')}\n${rows.toString()}${more}`;
}
