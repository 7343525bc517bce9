/** `webgpu-bnn runs` lists trainings and comparisons, `webgpu-bnn report` lays several trainings beside each other. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { type ComparedMethod, comparedMethods, FLOAT, overSeeds } from '../compare/index.ts';
import { BnnError, printable, StorageError } from '../errors.ts';
import { CHECKPOINT_FILE } from '../formats/checkpoint.ts';
import {
  assertNoComparison,
  comparisonFolder,
  DESCRIPTION,
  isComparison,
  readComparison,
} from '../node/comparison.ts';
import { storageError } from '../node/files.ts';
import { writeFileAtomic } from '../node/index.ts';
import { openSafetensors } from '../node/tensors.ts';
import { npx } from '../npx.ts';
import type { KeptComparison } from '../reports/compared.ts';
import { accuracyText } from '../reports/comparison.ts';
import { differences, type ListedRun, renderRuns, resultOf } from '../reports/several-runs.ts';
import { parseStory } from '../reports/story.ts';
import { optionText } from '../reports/training.ts';
import { counted, duration, percent } from '../reports/words.ts';
import { madeNow } from './made.ts';
import { jsonOption } from './options.ts';
import { emit, jsonText, OutputOption } from './output.ts';
import { checkpointPath } from './runs.ts';

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
    .action(async (folder: string, flags: { readonly json?: string }, { args }: Command) => {
      const isSaid = args.length > 0;
      const found = isSaid || existsSync(folder) ? await runsBelow(folder) : undefined;
      const { runs, comparisons, broken } = found ?? { runs: [], comparisons: [], broken: [] };
      const isNone = runs.length + comparisons.length + broken.length === 0;
      if (isNone && !isSaid && flags.json !== '-') {
        console.log(`Nothing is trained yet in this folder. Begin with: ${npx('train')}`);
      }
      if (isNone && isSaid) {
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
        for (const { name, dataset, model, epochs, seeds, done, trainings, results } of comparisons) {
          const of = `${counted(results.length, 'method')}, ${counted(seeds, 'seed')}, ${counted(epochs, 'epoch')}`;
          console.log(`\n${name}: a comparison on ${dataset}, ${model}: ${of}`);
          console.log(resultTable(results));
          if (done < trainings) {
            console.log(
              `${done} of ${counted(trainings, 'training')} done; go on: ${npx(`compare --resume ${name}`)}`,
            );
          }
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
      const comparisons = paths.filter(isComparison);
      if (comparisons.length === paths.length) for (const path of paths) assertNoComparison(path);
      for (const path of comparisons) {
        console.log(
          `left out  ${path}: a comparison; its page: ${npx(`compare --resume ${path} --html FILE`)}`,
        );
      }
      for (const path of paths) {
        if (comparisons.includes(path)) continue;
        const { file } = await checkpointPath(path);
        runs.push(await listedRun(file, path));
      }
      await writeFileAtomic(html, renderRuns(runs, madeNow()));
      console.log(`written   ${html}`);
    });
}

interface ListedComparison
  extends Pick<Required<KeptComparison>, 'dataset' | 'model' | 'methods' | 'epochs'> {
  readonly name: string;
  readonly seeds: number;
  /** Trainings that came to their end, of all there are. */
  readonly done: number;
  readonly trainings: number;
  /** Of each method, in the order of the comparison, as far as it is. */
  readonly results: readonly Pick<ComparedMethod, 'method' | 'done' | 'failed' | 'accuracy'>[];
}

/** Methods of a comparison with their accuracies over the seeds. */
function resultTable(results: ListedComparison['results']): string {
  const table = new Table({
    head: ['method', 'test accuracy', 'done', 'failed'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { method, done, failed, accuracy } of results)
    table.push([printable(method), accuracyText(accuracy), done, failed]);
  return table.toString();
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
    if (has(CHECKPOINT_FILE))
      await listing(path, async () => runs.push(await listedRun(join(path, CHECKPOINT_FILE), path)));
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
  const { methods, seeds = [], float = false, dataset, model, epochs = 3 } = await readComparison(folder);
  const store = comparisonFolder(folder);
  const names = await readdir(join(folder, 'results')).catch(() => []);
  const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
  const results = (await Promise.all(ids.sort().map((id) => store.result(id)))).flatMap((one) => one ?? []);
  const made = comparedMethods(results);
  // The float twin is an entry, too, where another learns from it.
  const all = new Set([...methods, ...(float ? [FLOAT] : []), ...made.map(({ method }) => method)]);
  const none = { done: 0, failed: 0, accuracy: overSeeds([]) };
  const entries = [...all].map((method) => made.find((one) => one.method === method) ?? { method, ...none });
  return {
    ...{ name: folder, dataset, model, methods, epochs, seeds: seeds.length },
    done: entries.reduce((sum, { done }) => sum + done, 0),
    trainings: entries.length * seeds.length,
    results: entries.map(({ method, done, failed, accuracy }) => ({ method, done, failed, accuracy })),
  };
}

/** What the header of a checkpoint says of its run; its tensors are not read. */
async function listedRun(file: string, name: string): Promise<ListedRun> {
  const reader = await openSafetensors(file);
  await reader.close();
  const { run, epochs } = parseStory(reader.header.metadata.story ?? '', file);
  return { name, run, epochs };
}
