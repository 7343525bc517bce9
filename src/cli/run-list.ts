/** `webgpu-bnn runs` lists trainings and comparisons, `webgpu-bnn report` lays several trainings beside each other. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { BnnError, listed, StorageError } from '../errors.ts';
import { DESCRIPTION, readComparison } from '../node/comparison.ts';
import { storageError } from '../node/files.ts';
import { writeFileAtomic } from '../node/index.ts';
import { openSafetensors } from '../node/tensors.ts';
import { npx } from '../npx.ts';
import { differences, type ListedRun, renderRuns, resultOf } from '../reports/several-runs.ts';
import { parseStory } from '../reports/story.ts';
import { optionText } from '../reports/training.ts';
import { duration, percent } from '../reports/words.ts';
import { madeNow } from './made.ts';
import { jsonOption } from './options.ts';
import { emit, jsonText, OutputOption } from './output.ts';
import { checkpointPath } from './runs.ts';

const CHECKPOINT = 'checkpoint.safetensors';
/** Folders within folders that are looked into. */
const DEPTH = 3;

export function runsCommand(): Command {
  return new Command('runs')
    .description(
      'list trainings and comparisons: what they were made of, how far they are, what they came to',
    )
    .argument('[folder]', 'where they lie', 'runs')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn runs
  $ webgpu-bnn runs --json runs.json`,
    )
    .action(async (folder: string, flags: { readonly json?: string }) => {
      const { runs, comparisons, broken } = await runsBelow(folder);
      if (runs.length + comparisons.length + broken.length === 0) {
        throw new StorageError('There are no runs here.', {
          given: folder,
          expected: `a folder that holds folders of ${npx('train')}`,
          remedy: `train one: ${npx('train')}`,
        });
      }
      const differing = differences(runs);
      const rows = runs.map((listed, i) => ({
        ...resultOf(listed),
        options: Object.fromEntries([...differing].map(([name, values]) => [name, values[i]])),
      }));
      if (flags.json !== '-' && rows.length > 0) {
        const table = new Table({
          head: ['run', 'data set', 'model', 'epochs', 'test', 'best', 'time', 'what differs'],
          style: { head: [], border: [] },
        });
        for (const row of rows) {
          const value = (number: number | undefined) =>
            number === undefined ? '-' : row.testAccuracy === undefined ? number.toFixed(4) : percent(number);
          const known = ['dataset', 'model', 'epochs'];
          const options = Object.entries(row.options)
            .filter(([name, own]) => own !== undefined && !known.includes(name))
            .map(([name, own]) => `${name} ${optionText(own)}`);
          table.push([
            ...[row.name, row.dataset, row.model, `${row.epoch} of ${row.epochs}`],
            ...[value(row.testAccuracy ?? row.testLoss), value(row.best), duration(row.seconds)],
            options.join('\n'),
          ]);
        }
        console.log(table.toString());
      }
      if (flags.json !== '-') {
        for (const { name, methods, seeds, over } of comparisons) {
          console.log(
            `${name}: a comparison of ${listed(methods)}, ${seeds} seeds; ${over} trainings are over`,
          );
          if (over < methods.length * seeds) console.log(`  go on: ${npx(`compare --resume ${name}`)}`);
        }
        for (const { name, why } of broken) console.log(`${name}: ${why}`);
      }
      await emit(jsonText({ runs: rows, comparisons, broken }, 2), flags.json);
    });
}

export function reportCommand(): Command {
  return new Command('report')
    .description('lay trainings beside each other in one page: results, options that differ, curves')
    .argument('<run...>', 'run folders, or checkpoints')
    .addOption(new OutputOption('--html <file>', 'where the page goes').default('report.html'))
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn report runs/adam runs/sgd --html optimizers.html`,
    )
    .action(async (paths: readonly string[], { html }: { readonly html: string }) => {
      const runs: ListedRun[] = [];
      for (const path of paths) {
        const { file } = await checkpointPath(path);
        runs.push(await listedRun(file, path));
      }
      await writeFileAtomic(html, renderRuns(runs, madeNow()));
      console.log(`written   ${html}`);
    });
}

interface ListedComparison {
  readonly name: string;
  readonly methods: readonly string[];
  readonly seeds: number;
  /** Trainings that came to a result. */
  readonly over: number;
}

/** Runs and comparisons in a folder and those below it, in the order of their names; and what is none, though it is called so. */
async function runsBelow(folder: string): Promise<{
  runs: ListedRun[];
  comparisons: ListedComparison[];
  broken: { readonly name: string; readonly why: string }[];
}> {
  const runs: ListedRun[] = [];
  const comparisons: ListedComparison[] = [];
  const broken: { readonly name: string; readonly why: string }[] = [];
  /** One that is damaged must not hide the others. */
  const listing = async (path: string, list: () => Promise<unknown>) => {
    try {
      await list();
    } catch (cause) {
      if (!(cause instanceof BnnError)) throw cause;
      broken.push({ name: path, why: cause.message.split('\n')[0] ?? '' });
    }
  };
  const visit = async (path: string, depth: number): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
      throw storageError('The folder can not be read.', path, cause);
    });
    const has = (name: string) => entries.some((entry) => entry.name === name && entry.isFile());
    if (has(CHECKPOINT))
      await listing(path, async () => runs.push(await listedRun(join(path, CHECKPOINT), path)));
    if (has(DESCRIPTION)) await listing(path, async () => comparisons.push(await listedComparison(path)));
    if (depth === 0) return;
    const inner = entries.filter((entry) => entry.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const { name } of inner) await visit(join(path, name), depth - 1);
  };
  await visit(folder, DEPTH);
  return { runs, comparisons, broken };
}

/** What the folder of a comparison says of it. */
async function listedComparison(folder: string): Promise<ListedComparison> {
  const { methods, seeds = [] } = await readComparison(folder);
  const results = await readdir(join(folder, 'results')).catch(() => []);
  return {
    ...{ name: folder, methods, seeds: seeds.length },
    over: results.filter((name) => name.endsWith('.json')).length,
  };
}

/** What the header of a checkpoint says of its run; its tensors are not read. */
async function listedRun(file: string, name: string): Promise<ListedRun> {
  const reader = await openSafetensors(file);
  await reader.close();
  const { run, epochs } = parseStory(reader.header.metadata.story ?? '', file);
  return { name, run, epochs };
}
