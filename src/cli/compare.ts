/** `webgpu-bnn compare`: methods side by side on the same data, network, seeds and budget. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import {
  type ComparedMethod,
  type ComparisonJob,
  type ComparisonStore,
  comparedMethods,
  comparisonJobs,
  entryTexts,
  FLOAT,
  type Guests,
  type JobResult,
  modulesOf,
  parseEntry,
  planComparison,
  runComparison,
  type Teachers,
} from '../compare/index.ts';
import { OptionError, printable } from '../errors.ts';
import { type LearningRate, takeFirst } from '../index.ts';
import { describeMethod, type MethodDescription } from '../methods/describe.ts';
import { openQueue, trainByWorkers } from '../nats/index.ts';
import { comparisonFolder, DESCRIPTION, readComparison } from '../node/comparison.ts';
import { loadDataset, type OwnData, writeFileAtomic } from '../node/index.ts';
import { lockFolder } from '../node/lock.ts';
import { loadModule } from '../node/modules.ts';
import { npx } from '../npx.ts';
import { isOf, type KeptComparison } from '../reports/compared.ts';
import {
  accuracyText,
  anglesText,
  type ComparisonReport,
  comparisonMarkdown,
  renderComparison,
  rText,
} from '../reports/comparison.ts';
import { bytesText, counted, duration, megabytes, whole } from '../reports/words.ts';
import { checkData } from '../train/data.ts';
import { dataDigest } from '../train/fingerprint.ts';
import { EXIT } from './exit.ts';
import { readModel } from './imported.ts';
import { madeNow } from './made.ts';
import { nameData, SPLIT_SEED } from './named-data.ts';
import {
  adaptersOf,
  type NatsFlags,
  namingOption,
  sayQueue,
  serverOf,
  shownServer,
  withNats,
} from './nats.ts';
import {
  type AdapterOptions,
  acquire,
  type ByteLimit,
  byteLimit,
  describeAdapter,
  jsonOption,
  lossOption,
  positiveInteger,
  rateOption,
  seedNumber,
  withAdapter,
} from './options.ts';
import { assertOurs, emit, jsonText, OutputOption } from './output.ts';
import {
  anyDatasetOption,
  assertBeside,
  assertTested,
  describeData,
  isNamed,
  type OwnFlags,
  readingOf,
  readOwnData,
  withOwnData,
} from './own-data.ts';
import {
  anyModelOption,
  assertForWorkers,
  isPath,
  modelOfFlags,
  modelOfRun,
  modelOptionsOption,
  nameOfModel,
} from './own-models.ts';
import { packagesOf } from './packages.ts';
import { interruption } from './train.ts';

interface Flags extends AdapterOptions, OwnFlags, NatsFlags {
  readonly natsLease?: number;
  readonly data: string;
  readonly methods?: readonly string[];
  readonly dataset: string;
  readonly model: string;
  readonly modelOptions?: Readonly<Record<string, number>>;
  readonly seeds: readonly number[];
  readonly epochs: number;
  readonly batch: number;
  readonly lr: KeptComparison['learningRate'] & LearningRate;
  readonly loss: NonNullable<KeptComparison['loss']>;
  readonly float?: boolean;
  readonly trainSamples?: number;
  readonly testSamples?: number;
  readonly out?: string;
  readonly resume?: string;
  readonly memoryLimit?: ByteLimit;
  readonly json?: string;
  readonly html?: string;
  readonly markdown?: string;
  readonly quiet?: boolean;
}

export function compareCommand(): Command {
  return withNats(
    withOwnData(withAdapter(new Command('compare'))),
    'let workers train, which take jobs from this server',
  )
    .addOption(namingOption())
    .option(
      '--nats-lease <seconds>',
      'how long a training stays with a worker that says nothing (default: 30)',
      positiveInteger,
    )
    .alias('sweep')
    .description('train with several methods on equal terms, and compare what comes out')
    .option(
      '--methods <list>',
      'what is compared, between commas: names, files of your own, and combinations with +',
      methodList,
    )
    .addOption(anyDatasetOption('mnist'))
    .addOption(anyModelOption())
    .addOption(modelOptionsOption())
    .option('--seeds <list>', 'each method is trained once with each of them', seedList, [1, 2, 3])
    .option('--epochs <n>', 'passes over the training images', positiveInteger, 3)
    .option('--batch <n>', 'images a step', positiveInteger, 100)
    .addOption(rateOption('learning rate of methods that do not say theirs'))
    .addOption(lossOption())
    .option('--float', 'train the network with real weights and activations, too')
    .option('--train-samples <n>', 'use the first n training images only', positiveInteger)
    .option('--test-samples <n>', 'use the first n test images only', positiveInteger)
    .option('--out <folder>', 'where results are kept (default: runs/compare-<dataset>-<model>)')
    .option('--resume <folder>', 'go on with a comparison that was stopped')
    .option(
      '--memory-limit <bytes>',
      'refuse to start if a training needs more GPU memory, e.g. 2GB',
      byteLimit,
    )
    .addOption(jsonOption())
    .addOption(new OutputOption('--html <file>', 'write a report with plots'))
    .addOption(new OutputOption('--markdown <file>', 'write the table'))
    .option('--quiet', 'print the table and nothing else')
    .addHelpText(
      'after',
      `
Methods: \`webgpu-bnn methods\` lists them. A quantizer changes weights and inputs, or one of them with weights: or inputs: before
it. A combination changes all that its parts change; lr=RATE is a part, too. Numbers stand in brackets. Values between | are a grid.

Examples:
  $ webgpu-bnn compare --methods steSign,irNet,bop --epochs 5 --float
  $ webgpu-bnn compare --methods 'approxSign,weights:irNet+inputs:approxSign+sgd+lr=0.1:0.001,steSign(clip=1.3)'
  $ webgpu-bnn compare --methods 'steSign,distillation,teacherCosine,distillation(teacher=./wide.safetensors)'
  $ webgpu-bnn sweep --methods 'steSign(clip=1|1.3|1.5)+adam|bop+lr=0.1|0.01' --seeds 1
  $ webgpu-bnn compare --methods 'steSign,./mine.mjs(width=2),./mine.mjs#other' --seeds 1,2 --html methods.html
  $ webgpu-bnn compare --methods steSign,irNet --dataset ./flowers --size 32 --model cnn
  $ webgpu-bnn compare --methods steSign,bop --dataset iris.csv --label species --batch 10
  $ webgpu-bnn compare --methods steSign,irNet,bop --nats nats://host
  $ webgpu-bnn compare --methods steSign,bop --dataset sets/flowers --data sets --nats nats://host
  $ webgpu-bnn compare --resume runs/compare-mnist-mlp`,
    )
    .action(async (flags: Flags, command: Command) => {
      await compare(flags, command);
    });
}

async function compare(flags: Flags, command: Command): Promise<void> {
  const resumed = flags.resume === undefined ? undefined : await readComparison(flags.resume);
  const own = await ownData(flags, resumed);
  const asked = resumed === undefined ? described(flags, own) : merged(resumed, flags, command, own);
  const folder = flags.resume ?? flags.out ?? join('runs', `compare-${asked.dataset}-${asked.model}`);
  if (resumed === undefined && existsSync(join(folder, DESCRIPTION))) {
    throw new OptionError('There is a comparison in this folder already.', {
      given: folder,
      where: '--out',
      remedy: `go on with it: --resume ${folder}; or name another folder: --out`,
    });
  }
  if (resumed === undefined) {
    assertOurs(folder, '--out', { mark: DESCRIPTION, files: [] });
    assertBeside(folder, flags.dataset);
  }
  const quiet = flags.quiet === true || flags.json === '-';
  const say = (text: string) => {
    if (!quiet) console.log(text);
  };
  const guests: Guests = new Map(
    await Promise.all(
      modulesOf(asked.methods).map(async (path) => [path, await loadModule(path, '--methods')] as const),
    ),
  );
  const { dataset, model: name, trainSamples, testSamples, ...rest } = asked;
  const { own: _, modelOptions: _given, description: _made, ...options } = rest;
  const jobs = comparisonJobs(options, guests);
  const teachers = await teachersOf(asked.methods, guests);
  const server = serverOf(flags);
  const packages = server === undefined ? {} : packagesOf([...guests.keys()]);
  if (server !== undefined && teachers.size > 0) {
    throw new OptionError('Workers take no files: a teacher of theirs is the float twin.', {
      given: [...teachers.keys()].join(', '),
      where: '--methods',
      remedy: 'teacher=float, or compare in one process: without --nats',
    });
  }
  if (server !== undefined) assertForWorkers(resumed === undefined ? flags : asked);
  const gpu = server === undefined ? await acquire(flags) : undefined;
  if (gpu !== undefined) say(`adapter   ${describeAdapter(gpu)}`);
  const data = takeFirst(own ?? (await loadDataset(dataset)), trainSamples, testSamples);
  for (const line of own === undefined ? [] : describeData(own)) say(`data      ${line}`);
  say(
    `data      ${data.name}: ${data.train.count} training and ${data.test?.count ?? 0} test images${own === undefined ? ', checked' : ''}`,
  );
  const made = { input: data.image, classes: data.classes.length };
  const kept = { ...asked, ...(resumed === undefined && (await modelOfFlags(flags, made))) };
  const model = await modelOfRun(kept, made);
  const limit = flags.memoryLimit?.bytes;
  if (gpu !== undefined) {
    const planned = await planComparison(gpu, model, data, jobs, {
      ...{ guests, teachers },
      ...(limit === undefined ? {} : { most: limit }),
    });
    const largest = planned.reduce((most, one) => (one.plan.peakBytes > most.plan.peakBytes ? one : most));
    say(
      `memory    ${megabytes(largest.plan.peakBytes)} at most on the GPU, with ${largest.method}; one training at a time`,
    );
  }
  const queue = server === undefined ? undefined : await openQueue(server, flags.natsLease);
  if (server !== undefined) sayQueue(server, say);
  const entries = new Set(jobs.map(({ method }) => method)).size;
  say(
    `matrix    ${counted(entries, 'method')} x ${counted(jobs.length / entries, 'seed')} x ${counted(kept.epochs ?? 3, 'epoch')}\n`,
  );

  const lock = await lockFolder(folder, [DESCRIPTION]);
  const interrupt = interruption(say);
  const progress = new MatrixLine(quiet, jobs);
  let results: JobResult[] = [];
  try {
    if (resumed === undefined) await writeFileAtomic(join(folder, DESCRIPTION), jsonText(kept, 2));
    const store = comparisonFolder(folder);
    // A result of other options is none of this comparison.
    const ours: ComparisonStore = {
      ...store,
      async result(id) {
        const found = await store.result(id);
        const job = jobs.find((one) => one.id === id);
        return found !== undefined && job !== undefined && isOf(found, job) ? found : undefined;
      },
    };
    const onResult = (result: JobResult, index: number) => progress.end(result, index);
    if (queue !== undefined) {
      progress.begin();
      const { labels } = flags;
      const read = { ...kept.own?.read, ...(labels === undefined ? {} : { labels }) };
      const named = nameData(own === undefined ? dataset : flags.dataset, read, flags.data, data, kept);
      results = await trainByWorkers(queue, { data: named, model: name, packages }, jobs, ours, {
        ...{ signal: interrupt.signal, onResult },
        onQueued: (count) => say(`queued    ${count} trainings`),
        onShare: (job, share) => progress.update(job, share),
      });
    } else if (gpu !== undefined) {
      results = await runComparison({ gpu, model, data }, jobs, ours, {
        ...{ guests, teachers, signal: interrupt.signal, onResult },
        onJob: () => progress.begin(),
        onSteps: (job, { step, epochs, batches }) => progress.update(job, step / (epochs * batches)),
      });
    }
  } finally {
    progress.stop();
    interrupt.release();
    await lock.release();
  }
  const methods = comparedMethods(results);
  const isWhole = results.length === jobs.length;
  const report: ComparisonReport = {
    version: 1,
    made: madeNow(),
    adapter:
      gpu === undefined
        ? adaptersOf(results.flatMap(({ adapter }) => adapter ?? []))
        : { ...gpu.adapter, name: describeAdapter(gpu) },
    ...{ comparison: kept, methods, results },
  };
  await emit(jsonText(report, 2), flags.json);
  if (flags.html !== undefined) {
    await writeFileAtomic(flags.html, renderComparison(report, pagesOf(kept.methods, guests)));
  }
  if (flags.markdown !== undefined) await writeFileAtomic(flags.markdown, comparisonMarkdown(methods));
  if (flags.json !== '-') console.log(`${quiet ? '' : '\n'}${methodTable(methods)}\n${failures(methods)}`);
  const files = [folder, flags.html, flags.markdown, flags.json === '-' ? undefined : flags.json];
  say(`\nfiles     ${files.filter((one) => one !== undefined).join(', ')}`);
  if (!isWhole) {
    say(
      `\nStopped after ${results.length} of ${jobs.length} trainings; everything is saved.\nGo on with:  ${npx(`compare --resume ${folder}`)}${server === undefined ? '' : ` --nats ${shownServer(server)}`}`,
    );
    process.exitCode = EXIT.interrupted;
  } else if (methods.some(({ failed }) => failed > 0)) process.exitCode = EXIT.failed;
  gpu?.dispose();
  await queue?.close();
}

/** Networks of files that entries name as teachers. */
async function teachersOf(texts: readonly string[], guests: Guests): Promise<Teachers> {
  const paths = texts.flatMap((text) => parseEntry(text, guests).teacher ?? []);
  const files = [...new Set(paths)].filter((path) => path !== FLOAT);
  return new Map(
    await Promise.all(files.map(async (path) => [path, await readModel(path, { fold: false })] as const)),
  );
}

/** What each entry is made of. */
function pagesOf(texts: readonly string[], guests: Guests): Map<string, MethodDescription[]> {
  return new Map(
    texts.map((text) => {
      const { weights, inputs, optimizer, penalty, loss, inner } = parseEntry(text, guests);
      const parts = [weights, inputs, optimizer, penalty, loss, inner].filter((part) => part !== undefined);
      return [text, parts.map((part) => describeMethod(part))];
    }),
  );
}

/**
 * Data of a person's own, where the comparison is of such; where they lie is not kept, and is said again.
 * @throws OptionError for data without classes or tests, and for a comparison that goes on without them
 */
async function ownData(flags: Flags, resumed: KeptComparison | undefined): Promise<OwnData | undefined> {
  const { dataset } = flags;
  if (isNamed(dataset)) {
    if (resumed?.own === undefined) return undefined;
    throw new OptionError('This comparison is of data of your own, whose place is not kept.', {
      expected: `${resumed.dataset}, as it was`,
      where: '--resume',
      remedy: 'say where they lie: --dataset PATH',
    });
  }
  const { labels } = flags;
  const reading = resumed?.own?.read ?? readingOf(flags);
  const read = labels === undefined ? reading : { ...reading, labels };
  // One split of the data for all seeds: these are of the trainings.
  const data = await readOwnData(dataset, read, SPLIT_SEED);
  assertTested(data);
  const { targets = 'classes' } = data;
  if (targets === 'classes') return data;
  throw new OptionError('Methods are compared by how many samples they put into the right class.', {
    given: `${data.name}: ${targets}`,
    expected: 'one class a sample',
    where: '--dataset',
  });
}

/** What tells data of one's own from others. */
function digestOf(data: OwnData): string {
  return dataDigest(checkData(data));
}

/** What the flags say that is compared. */
function described(flags: Flags, own: OwnData | undefined): KeptComparison {
  const { methods, dataset, model, seeds, epochs, batch, lr, loss, float = false } = flags;
  if (methods === undefined) {
    throw new OptionError('A comparison needs to be told what is compared.', {
      given: 'no --methods',
      where: 'compare',
      remedy: `--methods steSign,irNet,bop for example; ${npx('methods')} lists what there is`,
    });
  }
  const { labels: _, ...read } = readingOf(flags);
  return {
    ...{ dataset: own?.name ?? dataset, methods, seeds, epochs, batch, learningRate: lr, loss, float },
    model: isPath(model) ? nameOfModel(model) : model,
    ...(own === undefined ? {} : { own: { read, digest: digestOf(own) } }),
    ...(flags.modelOptions === undefined ? {} : { modelOptions: flags.modelOptions }),
    ...(flags.trainSamples === undefined ? {} : { trainSamples: flags.trainSamples }),
    ...(flags.testSamples === undefined ? {} : { testSamples: flags.testSamples }),
  };
}

/** @throws OptionError for an option that says something else than the comparison which is gone on with */
function merged(
  kept: KeptComparison,
  flags: Flags,
  command: Command,
  own: OwnData | undefined,
): KeptComparison {
  if (own !== undefined && kept.own !== undefined && digestOf(own) !== kept.own.digest) {
    throw new OptionError('A comparison goes on with the data that it was started with.', {
      given: `other data, at ${flags.dataset}`,
      expected: `${kept.dataset}, as it was`,
      where: '--dataset',
    });
  }
  const given: Readonly<Record<string, unknown>> = { ...flags, learningRate: flags.lr };
  const absent = { trainSamples: undefined, testSamples: undefined, modelOptions: undefined };
  for (const [name, value] of Object.entries({ ...absent, ...kept })) {
    // Where data of one's own lie is said again, and may have changed.
    if (name === 'own' || (name === 'dataset' && kept.own !== undefined)) continue;
    const flag = name === 'learningRate' ? 'lr' : name;
    if (command.getOptionValueSource(flag) !== 'cli') continue;
    const written = flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (JSON.stringify(given[name]) === JSON.stringify(value)) continue;
    throw new OptionError('A comparison goes on with the options that it was started with.', {
      given: `--${written} ${JSON.stringify(given[name])}`,
      expected: JSON.stringify(value),
      where: '--resume',
      remedy: `leave --${written} away, or start another comparison: --out`,
    });
  }
  return kept;
}

function methodList(text: string): readonly string[] {
  const list = entryTexts(text);
  if (list.length > 0) return list;
  throw new InvalidArgumentError('Methods are expected, between commas.');
}

function seedList(text: string): number[] {
  return text.split(',').map(seedNumber);
}

/** The table at the end, best first as far as it is known. */
function methodTable(methods: readonly ComparedMethod[]): string {
  const table = new Table({
    head: [
      ...['method', 'test accuracy', 'bits/weight', 'size', 'MACs 1-bit', 'MACs float'],
      ...['images/s', 'flips/weight', 'angle by layer', 'r by layer'],
    ],
    colAligns: ['left', ...new Array<'right'>(9).fill('right')],
    style: { head: [], border: [] },
  });
  for (const method of methods) {
    const { accuracy, operations, layers } = method;
    if (method.done === 0) {
      table.push([printable(method.method), 'failed', ...new Array<string>(8).fill('-')]);
      continue;
    }
    table.push([
      printable(method.method),
      `${accuracyText(accuracy)}${method.failed > 0 ? ` (${method.failed} failed)` : ''}`,
      numberText(method.bitsPerWeight, 2),
      bytesText(method.bytes),
      whole(operations.binary),
      whole(operations.float),
      whole(method.imagesPerSecond),
      layers.length === 0 ? '-' : numberText(method.flips, 3),
      anglesText(layers),
      rText(layers),
    ]);
  }
  return table.toString();
}

/** `1`, `31.8`: without zeros at the end. */
function numberText(value: number, digits: number): string {
  return Number.isFinite(value) ? String(Number(value.toFixed(digits))) : '-';
}

function failures(methods: readonly ComparedMethod[]): string {
  return methods
    .flatMap(({ method, error, failed }) =>
      error === undefined
        ? []
        : [
            `\n${printable(method)} failed ${failed === 1 ? 'once' : `${failed} times`}: ${printable(error.name)}: ${printable(error.message)}`,
          ],
    )
    .join('\n');
}

/** A bar over the whole matrix where there is a terminal, and a line for each training that is over. */
class MatrixLine {
  readonly #quiet: boolean;
  readonly #jobs: readonly ComparisonJob[];
  readonly #bar: SingleBar | undefined;
  #start: number | undefined;
  /** Jobs that were over before this call. */
  #before = 0;
  #done = 0;

  constructor(quiet: boolean, jobs: readonly ComparisonJob[]) {
    this.#quiet = quiet;
    this.#jobs = jobs;
    if (quiet || !process.stdout.isTTY) return;
    this.#bar = new SingleBar(
      { format: '{bar} {done}/{total} trainings  {job}  {left} left', hideCursor: true },
      Presets.shades_classic,
    );
    this.#bar.start(jobs.length, 0, { done: 0, job: '', left: '-' });
  }

  begin(): void {
    if (this.#start !== undefined) return;
    this.#start = performance.now();
    this.#before = this.#done;
  }

  /** @param share of the job that is done */
  update(job: ComparisonJob, share: number): void {
    const done = this.#done + share;
    const now = performance.now();
    const seconds = (now - (this.#start ?? now)) / 1000;
    const left = (seconds / Math.max(1e-9, done - this.#before)) * (this.#jobs.length - done);
    this.#bar?.update(done, {
      done: this.#done,
      job: printable(`${job.method}, seed ${job.seed}`),
      left: duration(left),
    });
  }

  end(result: JobResult, index: number): void {
    this.#done += 1;
    if (this.#quiet) return;
    const { job } = result;
    const came =
      result.state === 'done'
        ? `${(100 * result.testAccuracy).toFixed(2)} %  ${whole(result.imagesPerSecond)} images/s`
        : `failed: ${result.error.message.split('\n')[0]}`;
    const text = printable(`${index + 1}/${this.#jobs.length}  ${job.method}, seed ${job.seed}  ${came}`);
    if (this.#bar === undefined) console.log(text);
    else process.stdout.write(`\r\x1b[K${text}\n`);
  }

  stop(): void {
    this.#bar?.stop();
  }
}
