/** `webgpu-bnn ensemble`: several networks of the same kind that vote. */
import Table from 'cli-table3';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type ComparisonJob, comparisonJobs, entryTexts, networkFor, parseEntry } from '../compare/index.ts';
import { jobOptions } from '../compare/plan.ts';
import { OptionError, printable, QueueError } from '../errors.ts';
import { type LearningRate, type Model, type TrainingData, takeFirst } from '../index.ts';
import { ensembleByWorkers, openQueue } from '../nats/index.ts';
import { loadDataset, type OwnData } from '../node/index.ts';
import { type Ensemble, type EnsembleRule, ensembleOf, trainEnsemble } from '../regimes/ensemble.ts';
import { EXIT } from './exit.ts';
import { madeNow } from './made.ts';
import { nameData, SPLIT_SEED } from './named-data.ts';
import { type NatsFlags, namingOption, sayQueue, serverOf, withNats } from './nats.ts';
import {
  type AdapterOptions,
  acquire,
  describeAdapter,
  jsonOption,
  lossOption,
  positiveInteger,
  rateOption,
  seedNumber,
  withAdapter,
} from './options.ts';
import { emit, jsonText } from './output.ts';
import {
  anyDatasetOption,
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
  modelOfFlags,
  modelOfRun,
  modelOptionsOption,
} from './own-models.ts';
import { interruption } from './train.ts';

interface Flags extends AdapterOptions, OwnFlags, NatsFlags {
  readonly data: string;
  readonly members: number;
  readonly rule: EnsembleRule;
  readonly method: string;
  readonly dataset: string;
  readonly model: string;
  readonly modelOptions?: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly epochs: number;
  readonly batch: number;
  readonly lr: ComparisonJob['learningRate'] & LearningRate;
  readonly loss: ComparisonJob['loss'];
  readonly trainSamples?: number;
  readonly testSamples?: number;
  readonly json?: string;
}

export function ensembleCommand(): Command {
  return withNats(
    withOwnData(withAdapter(new Command('ensemble'))),
    'let workers train the members of a bagging, which take jobs from this server',
  )
    .description('train several networks that vote, and say what they know alone and together')
    .addOption(namingOption())
    .option('--members <n>', 'how many', positiveInteger, 4)
    .addOption(
      new Option(
        '--rule <name>',
        'how they are made to differ: by samples drawn anew, or boosting A to D of BENN',
      )
        .choices(['bagging', 'A', 'B', 'C', 'D'])
        .default('bagging'),
    )
    .option('--method <entry>', 'how each is trained: an entry of compare, as irNet+bop', oneEntry, 'adam')
    .addOption(anyDatasetOption('mnist'))
    .addOption(anyModelOption())
    .addOption(modelOptionsOption())
    .option('--seed <n>', 'of the first member; the others count up from it', seedNumber, 1)
    .option('--epochs <n>', 'passes over the training images', positiveInteger, 3)
    .option('--batch <n>', 'images a step', positiveInteger, 100)
    .addOption(rateOption('learning rate, where the method does not say it'))
    .addOption(lossOption())
    .option('--train-samples <n>', 'use the first n training images only', positiveInteger)
    .option('--test-samples <n>', 'use the first n test images only', positiveInteger)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Zhu, Dong and Su, "Binary Ensemble Neural Network" (2019). A soft vote adds what members take for probabilities, a hard one counts.

Examples:
  $ webgpu-bnn ensemble --members 4 --epochs 5
  $ webgpu-bnn ensemble --rule A --method irNet --json ensemble.json
  $ webgpu-bnn ensemble --members 16 --nats nats://host`,
    )
    .action(ensemble);
}

async function ensemble(flags: Flags): Promise<void> {
  const { dataset, rule, members, trainSamples, testSamples } = flags;
  const say = (text: string) => {
    if (flags.json !== '-') console.log(text);
  };
  const { epochs, batch, lr, loss, method, seed } = flags;
  const { teacher } = parseEntry(method);
  if (teacher !== undefined) {
    throw new OptionError('Members of an ensemble learn from labels alone.', {
      given: `${method}, whose teacher is ${teacher}`,
      where: '--method',
      remedy: 'leave the loss with a teacher away; compare has it',
    });
  }
  const options = { methods: [method], seeds: [seed], epochs, batch, learningRate: lr, loss };
  const [job] = comparisonJobs(options);
  const server = serverOf(flags);
  if (server !== undefined && rule !== 'bagging') {
    throw new OptionError(
      'Each member of a boosting follows from those before it, so that workers would wait.',
      {
        given: `--rule ${rule}`,
        expected: '--rule bagging',
        where: 'ensemble --nats',
        remedy: 'boost in one process: without --nats',
      },
    );
  }
  const own = isNamed(dataset) ? undefined : await ownData(flags);
  const data = takeFirst(own ?? (await loadDataset(dataset)), trainSamples, testSamples);
  for (const line of own === undefined ? [] : describeData(own)) say(`data      ${line}`);
  const onMember = (index: number, accuracy: number) =>
    say(`member    ${index + 1}/${members}  ${percent(accuracy)}`);
  const train = server === undefined ? trainHere : trainByWorkers;
  const trained = await train(flags, job as ComparisonJob, data, say, onMember);
  const { alphas, alone } = trained;
  const [soft, hard] = [trained.accuracy('soft'), trained.accuracy('hard')];
  await emit(
    jsonText({ version: 1, made: madeNow(), dataset: data.name, rule, job, alphas, alone, soft, hard }, 2),
    flags.json,
  );
  say(`\n${ensembleTable(trained, soft, hard)}`);
}

type Train = (
  flags: Flags,
  job: ComparisonJob,
  data: TrainingData,
  say: (text: string) => void,
  onMember: (index: number, accuracy: number) => void,
) => Promise<Ensemble>;

const trainHere: Train = async (flags, job, data, say, onMember) => {
  const { rule, members } = flags;
  using gpu = await acquire(flags);
  say(`adapter   ${describeAdapter(gpu)}`);
  const entry = parseEntry(job.method);
  const network = await networkFor(await networkOf(flags, data), entry);
  return await trainEnsemble(gpu, () => network, data, {
    ...{ members, rule, training: jobOptions(job, entry, { inner: [] }) },
    onMember: (index, _, accuracy) => onMember(index, accuracy),
  });
};

const trainByWorkers: Train = async (flags, job, data, say, onMember) => {
  const server = serverOf(flags);
  if (server === undefined) throw new OptionError('No server was named.', { where: '--nats' });
  const { model, members } = flags;
  // What is wrong with network and data is said before anything is queued.
  assertForWorkers(flags);
  await networkFor(await networkOf(flags, data), parseEntry(job.method));
  const named = nameData(flags.dataset, readingOf(flags), flags.data, data, flags);
  const queue = await openQueue(server);
  const interrupt = interruption(say);
  try {
    sayQueue(server, say);
    const made = await ensembleByWorkers(queue, { data: named, model, job }, members, {
      signal: interrupt.signal,
      onQueued: (jobs) => say(`queued    ${jobs} members`),
      onResult: (one, index) => {
        if (one.state === 'done') onMember(index, ensembleOf([one.outputs], [1], data).alone[0] ?? 0);
        else say(`member    ${index + 1}/${members}  failed: ${printable(one.error.message)}`);
      },
    });
    const outputs = made.flatMap((one) => (one.state === 'done' ? [one.outputs] : []));
    if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted;
    else if (outputs.length < members) process.exitCode = EXIT.failed;
    if (outputs.length > 0) return ensembleOf(outputs, new Array<number>(outputs.length).fill(1), data);
    throw new QueueError('There is no member to ask.', {
      given: `${made.length} of ${members} came to an end`,
      where: 'ensemble --nats',
      remedy: 'read above what went wrong, and call it again: what is trained is not trained again',
    });
  } finally {
    interrupt.release();
    await queue.close();
  }
};

async function networkOf(flags: Flags, { image, classes }: TrainingData): Promise<Model> {
  const made = { input: image, classes: classes.length };
  return modelOfRun(await modelOfFlags(flags, made), made);
}

async function ownData(flags: Flags): Promise<OwnData> {
  const data = await readOwnData(flags.dataset, readingOf(flags), SPLIT_SEED);
  assertTested(data);
  if ((data.targets ?? 'classes') === 'classes') return data;
  throw new OptionError('An ensemble votes for classes.', {
    given: `${data.name}: ${data.targets}`,
    expected: 'one class a sample',
    where: '--dataset',
  });
}

function oneEntry(text: string): string {
  const [entry, ...more] = entryTexts(text);
  if (entry !== undefined && more.length === 0) return entry;
  throw new InvalidArgumentError('One entry is expected, as irNet+bop.');
}

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;

function ensembleTable({ alphas, alone }: Ensemble, soft: number, hard: number): string {
  const table = new Table({
    head: ['member', 'test accuracy', 'its vote counts'],
    colAligns: ['left', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const [index, accuracy] of alone.entries()) {
    table.push([String(index + 1), percent(accuracy), (alphas[index] ?? 0).toFixed(3)]);
  }
  table.push(['together, soft vote', percent(soft), ''], ['together, hard vote', percent(hard), '']);
  if (alphas.every((alpha) => alpha >= 0)) return table.toString();
  return `${table}\nA member that is wrong about more than half of its weighted samples counts against what it says, by this rule;\nB, C and D allow for many classes, and more epochs make members better.`;
}
