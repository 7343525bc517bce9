/** `webgpu-bnn data`: which data sets are here, and gets those that aren't. */

import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { Argument, Command } from 'commander';
import {
  DATASET_NAMES,
  type DatasetStatus,
  datasetStatus,
  fetchDataset,
  loadDataset,
} from '../node/index.ts';
import { npx } from '../npx.ts';
import { inspectDataCommand } from './inspect-data.ts';
import { jsonOption } from './options.ts';
import { emit, jsonText } from './output.ts';

interface Flags {
  readonly from?: string;
  readonly json?: string;
}

export function dataCommand(): Command {
  return new Command('data')
    .description('list the data sets, get one, or inspect data of your own')
    .addArgument(
      new Argument('[name]', 'what to get; without it, all are listed').choices([...DATASET_NAMES]),
    )
    .option('--from <folder>', 'take the published files from here instead of downloading')
    .addOption(jsonOption())
    .addCommand(inspectDataCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn data
  $ webgpu-bnn data cifar10
  $ webgpu-bnn data inspect ./flowers --size 32
  $ webgpu-bnn data fashion-mnist --from ~/downloads/fashion-mnist`,
    )
    .action(async (name: string | undefined, flags: Flags, command: Command) => {
      if (name !== undefined) await get(name, flags);
      else if (flags.from !== undefined) command.error('error: --from needs the name of a data set');
      else await list(await datasetStatus(), flags);
    });
}

async function list(sets: readonly DatasetStatus[], flags: Flags): Promise<void> {
  await emit(jsonText(sets, 2), flags.json);
  if (flags.json === '-') return;
  const table = new Table({ head: ['name', 'images', 'here', 'folder'], style: { head: [], border: [] } });
  for (const { name, about, here, folder } of sets) {
    table.push([name, about, here ? 'yes' : `no: ${npx(`data ${name}`)}`, folder]);
  }
  console.log(table.toString());
}

async function get(name: string, flags: Flags): Promise<void> {
  const bar =
    flags.json !== '-' && process.stdout.isTTY
      ? new SingleBar({ format: '{bar} {value}/{total}  {what}', hideCursor: true }, Presets.shades_classic)
      : undefined;
  const from = flags.from === undefined ? {} : { from: flags.from };
  let started = false;
  try {
    await fetchDataset(name, {
      ...from,
      onProgress: ({ what, done, total }) => {
        if (bar === undefined && flags.json !== '-') console.log(`${done}/${total}  ${what}`);
        else if (!started) bar?.start(total, done, { what });
        else bar?.update(done, { what });
        started = true;
      },
    });
  } finally {
    bar?.stop();
  }
  // Loading checks every file once more, from where training will read it.
  const { train, test, image } = await loadDataset(name);
  const folder = (await datasetStatus()).find((set) => set.name === name)?.folder;
  const result = { name, train: train.count, test: test.count, image, folder };
  await emit(jsonText(result, 2), flags.json);
  if (flags.json !== '-') {
    console.log(
      `${name}: ${train.count} training and ${test.count} test images of ${image.join('x')}, checked, in ${folder}`,
    );
  }
}
