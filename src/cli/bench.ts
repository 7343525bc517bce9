/**
 * `webgpu-bnn bench`: what the adapter can do at most, how near this library's kernels come to it, how they compare with
 * f32 kernels (its own, and other libraries'), and the training step of each model. It parses, calls `src/bench`, prints.
 */
import Table from 'cli-table3';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  BENCH_MODELS,
  type BenchFigures,
  type BenchModel,
  type BenchOptions,
  planBench,
  runBench,
  SUITES,
  type Suite,
} from '../bench/index.ts';
import { OptionError } from '../errors.ts';
import type { Gpu } from '../index.ts';
import { benchByWorkers, openQueue } from '../nats/index.ts';
import { benchInChrome } from '../node/bench-page.ts';
import { writeFileAtomic } from '../node/index.ts';
import { type BenchReport, renderBench } from '../reports/bench.ts';
import {
  acrossAdapters,
  leftOutOf,
  SECTIONS,
  seconds,
  type TextTable,
  tablesOf,
} from '../reports/bench-tables.ts';
import { EXIT } from './exit.ts';
import { madeNow } from './made.ts';
import { type NatsFlags, sayQueue, serverOf, withNats } from './nats.ts';
import {
  type AdapterOptions,
  acquire,
  describeAdapter,
  jsonOption,
  positiveInteger,
  withAdapter,
} from './options.ts';
import { emit, jsonText, OutputOption } from './output.ts';
import { interruption } from './train.ts';

interface Flags extends AdapterOptions, NatsFlags {
  readonly in: 'node' | 'chrome';
  readonly suite: Suite | 'all';
  readonly models: readonly BenchModel[];
  readonly batch?: number;
  readonly shapes?: readonly string[];
  readonly quick: boolean;
  readonly peers: boolean;
  readonly tune?: boolean;
  readonly json?: string;
  readonly html?: string;
  readonly markdown?: string;
}

export function benchCommand(): Command {
  return withNats(
    withAdapter(new Command('bench')),
    'measure the GPUs of all workers that this server has, into one table',
  )
    .description('measure the kernels and the training steps on this machine, beside other libraries')
    .addOption(
      new Option('--in <program>', 'where: in Node, or in a headless Chrome')
        .choices(['node', 'chrome'])
        .default('node'),
    )
    .addOption(new Option('--suite <name>', 'what to measure').choices([...SUITES, 'all']).default('all'))
    .option(
      '--shapes <list>',
      'products and filters by name, separated by commas, with * for any letters',
      (text) => text.split(','),
    )
    .addOption(
      new Option('--models <list>', 'whose training step to measure, separated by commas')
        .argParser(modelList)
        .default([...BENCH_MODELS], BENCH_MODELS.join(',')),
    )
    .option('--batch <n>', 'images a training step (default: by network and adapter)', positiveInteger)
    .option('--peers', 'measure other libraries as well, on the same device', true)
    .option('--no-peers', 'leave other libraries out')
    .option(
      '--tune',
      'measure first which kernels are the fastest here (the default on hardware, unless --quick)',
    )
    .option('--no-tune', 'take the kernels that were chosen earlier, or the defaults')
    .option(
      '--quick',
      'two minutes or little more: fewer repetitions, smaller batches, less on a slow machine',
      false,
    )
    .addOption(jsonOption())
    .addOption(new OutputOption('--html <file>', 'write a report with plots here'))
    .addOption(new OutputOption('--markdown <file>', 'write the tables here'))
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn bench --quick
  $ webgpu-bnn bench --json figures.json --html report.html
  $ webgpu-bnn bench --in chrome --quick
  $ webgpu-bnn bench --quick --no-peers --nats nats://host
  $ webgpu-bnn bench --suite kernels --shapes 'conv-*-b1,matmul-4096x4096x4096'
  $ webgpu-bnn bench --suite kernels --no-peers --toggles disable_robustness
  $ webgpu-bnn bench --suite training --models binarynet --batch 50 --json figures.json`,
    )
    .action(bench);
}

async function bench(flags: Flags): Promise<void> {
  const options: BenchOptions = {
    suites: flags.suite === 'all' ? SUITES : [flags.suite],
    models: flags.models,
    batch: flags.batch,
    shapes: flags.shapes,
    quick: flags.quick,
    peers: flags.peers,
    tune: flags.tune,
  };
  // What is named wrongly is said at once.
  planBench(options, true);
  const say = (text: string) => {
    if (flags.json !== '-') console.log(text);
  };
  if (serverOf(flags) !== undefined) {
    await byWorkers(flags, options, say);
    return;
  }
  const start = performance.now();
  const measured = await (flags.in === 'chrome' ? inChrome : inNode)(flags, options, say);
  const report: BenchReport = { ...measured, seconds: (performance.now() - start) / 1000 };
  say(`Took ${seconds(report.seconds)}.`);
  await emit(jsonText(report, 2), flags.json);
  if (flags.html !== undefined) await writeFileAtomic(flags.html, renderBench(report));
  if (flags.markdown !== undefined) await writeFileAtomic(flags.markdown, markdownOf(report));
}

/** The bench of a worker's GPU. */
export async function benchOfWorker(
  gpu: Gpu,
  options: BenchOptions,
  measuring: () => void,
  flags: AdapterOptions,
): Promise<BenchReport> {
  const start = performance.now();
  const figures = await runBench(gpu, options, { measuring });
  return { ...figures, ...aboutNode(gpu, flags), seconds: (performance.now() - start) / 1000 };
}

async function byWorkers(flags: Flags, options: BenchOptions, say: (text: string) => void): Promise<void> {
  const server = serverOf(flags);
  if (server === undefined || flags.in === 'chrome' || flags.html !== undefined) {
    throw new OptionError('Workers measure in Node, and their figures are one table.', {
      given: flags.in === 'chrome' ? '--in chrome' : '--html',
      expected: '--json or --markdown',
      where: 'bench --nats',
    });
  }
  const queue = await openQueue(server);
  const interrupt = interruption(say);
  try {
    sayQueue(server, say);
    const made = await benchByWorkers(queue, options, {
      signal: interrupt.signal,
      onQueued: (workers) => say(`queued    a bench for each of ${workers} workers`),
      onResult: (one) =>
        say(one.state === 'done' ? `measured  ${one.report.adapter.name}` : `failed    ${one.error.message}`),
    });
    const reports = made.flatMap((one) => (one.state === 'done' ? one.report : []));
    await emit(jsonText({ version: 1, made: madeNow(), reports }, 2), flags.json);
    const table = acrossAdapters(reports);
    if (flags.markdown !== undefined) {
      await writeFileAtomic(flags.markdown, `# The benchmark on several adapters\n\n${markdownTable(table)}`);
    }
    say(textOf(table));
    if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted;
    else if (reports.length < made.length) process.exitCode = EXIT.failed;
  } finally {
    interrupt.release();
    await queue.close();
  }
}

function aboutNode(gpu: Gpu, flags: AdapterOptions) {
  return {
    adapter: { ...gpu.adapter, name: describeAdapter(gpu) },
    host: `Node ${process.version}`,
    ...aboutRun(flags),
  };
}

async function inNode(
  flags: Flags,
  options: BenchOptions,
  say: (text: string) => void,
): Promise<Omit<BenchReport, 'seconds'>> {
  using gpu = await acquire(flags);
  const about = aboutNode(gpu, flags);
  sayWhere(about, say);
  const figures = await runBench(gpu, options, {
    measuring: sayMeasuring,
    done(section, soFar) {
      sayMeasuring();
      for (const table of tablesOf(section, soFar)) say(textOf(table));
    },
  });
  saySkipped(figures, say);
  return { ...figures, ...about };
}

async function inChrome(
  flags: Flags,
  options: BenchOptions,
  say: (text: string) => void,
): Promise<Omit<BenchReport, 'seconds'>> {
  const run = aboutRun(flags);
  const figures = await benchInChrome(
    { ...options, adapter: flags.adapter, toggles: run.toggles },
    {
      started: ({ adapter, browser }) =>
        sayWhere({ ...run, host: browser, adapter: { ...adapter, name: describeAdapter({ adapter }) } }, say),
      measuring: sayMeasuring,
      done(section, soFar) {
        sayMeasuring();
        for (const table of tablesOf(section, soFar)) say(textOf(table));
      },
    },
  );
  saySkipped(figures, say);
  const { browser, ...rest } = figures;
  const { adapter } = figures;
  return { ...rest, ...run, host: browser, adapter: { ...adapter, name: describeAdapter({ adapter }) } };
}

function aboutRun(flags: AdapterOptions): Pick<BenchReport, 'toggles' | 'made'> {
  return { toggles: flags.toggles?.split(',') ?? [], made: madeNow() };
}

function sayWhere(
  { adapter, host, toggles }: Pick<BenchReport, 'adapter' | 'host' | 'toggles'>,
  say: (text: string) => void,
): void {
  say(`adapter  ${adapter.name}`);
  say(`host     ${host}`);
  say(`toggles  ${toggles.join(', ') || 'none (the defaults, as in a browser)'}`);
  say(
    'times    medians and spread by the clock of this machine, warm-up apart; what kernels compute is checked\n',
  );
}

/** What is being measured, for somebody who waits: a line of the terminal, which the next one replaces. */
function sayMeasuring(what = ''): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${what}`);
}

function saySkipped(figures: BenchFigures, say: (text: string) => void): void {
  const { missingPeers } = figures;
  const leftOut = leftOutOf(figures);
  for (const { name, reason } of missingPeers) say(`Not measured: ${name}: ${reason}`);
  if (leftOut !== '') say(`Left out: ${leftOut}.`);
}

/** Where it ran and every table, as the pages below `docs/results` have them. */
function markdownOf(report: BenchReport): string {
  const { adapter, host, toggles, made, timestamps } = report;
  const leftOut = leftOutOf(report);
  const facts = [
    `- Adapter: ${adapter.name}.${adapter.software ? ' These figures say nothing about hardware.' : ''}`,
    `- Ran in ${host}, Dawn toggles: ${toggles.join(', ') || 'none (the defaults, as in a browser)'}.`,
    `- ${made.date}${report.quick ? ', with --quick' : ''}; took ${seconds(report.seconds)}. Medians and spread by the host's clock${
      timestamps ? ", the GPU's own beside it" : ''
    }, warm-up apart; what was timed was checked in the same run.`,
    ...(leftOut === '' ? [] : [`- Left out: ${leftOut}.`]),
  ];
  const tables = SECTIONS.flatMap((section) => tablesOf(section, report)).map(markdownTable);
  const missing = report.missingPeers.map(({ name, reason }) => `Not measured: ${name}: ${reason}\n`);
  return `# The benchmark on a ${adapter.software ? 'software' : 'hardware'} adapter\n\n${facts.join('\n')}\n\n${[...tables, ...missing].join('\n')}`;
}

function markdownTable({ title, head, rows, note }: TextTable): string {
  const lines = [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows];
  const table = lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  return `## ${title}\n\n${table}\n${note === undefined ? '' : `\n${note}\n`}`;
}

function textOf({ title, head, rows, note }: TextTable): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [] },
  });
  for (const row of rows) table.push([...row]);
  return `${title}\n${table.toString()}\n${note === undefined ? '' : `${note}\n`}`;
}

function modelList(text: string): BenchModel[] {
  return text.split(',').map((name) => {
    const known = BENCH_MODELS.find((model) => model === name);
    if (known === undefined)
      throw new InvalidArgumentError(`There is no model "${name}"; there are ${BENCH_MODELS.join(', ')}.`);
    return known;
  });
}
