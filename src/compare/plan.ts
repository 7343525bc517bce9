/** The matrix of a comparison: every entry with every seed, as jobs of plain JSON, and the memory that each entry needs. */
import type { TrainingData } from '../data/index.ts';
import { MemoryPlanError, OptionError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import { type Model, Network } from '../graph/index.ts';
import type { LossName, Schedule } from '../methods/index.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import * as engine from '../train/engine.ts';
import type { OutputLoss, TrainerOptions, TrainingPlan } from '../train/index.ts';
import { type Entry, FLOAT, type Guests, parseEntry } from './entry.ts';
import { type Lesson, lessonOf, type Teachers } from './teacher.ts';

/** What a comparison is of; plain JSON. */
export interface ComparisonOptions {
  /** Entries as texts; see `parseEntry`. */
  readonly methods: readonly string[];
  /** Weights and the order of samples follow from the seed, whatever the method. Default 1, 2, 3. */
  readonly seeds?: readonly number[];
  /** Default 3. */
  readonly epochs?: number;
  /** Default 100. */
  readonly batch?: number;
  /** Of entries that don't say theirs. Default 0.02 to 0.001, exponentially. */
  readonly learningRate?: Exclude<Schedule, (...args: never) => unknown>;
  /** Of entries that don't say theirs. Default `squaredHinge`. */
  readonly loss?: LossName;
  /** Whether the network's float twin is trained, too. Default false. */
  readonly float?: boolean;
}

const OPTIONS = namesOf<ComparisonOptions>({
  methods: true,
  seeds: true,
  epochs: true,
  batch: true,
  learningRate: true,
  loss: true,
  float: true,
});

/** One training; plain JSON. */
export interface ComparisonJob {
  /** Unique in its comparison, and a file's name. */
  readonly id: string;
  /** The entry's text. */
  readonly method: string;
  /** What weights and the order of samples follow from. */
  readonly seed: number;
  /** How many epochs it trains. */
  readonly epochs: number;
  /** Samples of a step. */
  readonly batch: number;
  /** For entries that don't say theirs: a number, or a schedule as plain data. */
  readonly learningRate: NonNullable<ComparisonOptions['learningRate']>;
  /** For entries that don't say theirs, by name. */
  readonly loss: NonNullable<ComparisonOptions['loss']>;
  /** Of an entry that learns from its float twin: the job that trains it, with the same seed. */
  readonly teacher?: string;
}

/** The memory that a training of an entry needs. */
export interface PlannedEntry {
  /** The entry's text. */
  readonly method: string;
  /** Bytes by what they are for. */
  readonly plan: TrainingPlan;
}

const DEFAULT_RATE = { from: 0.02, to: 0.001, decay: 'exponential' } as const;

/**
 * The jobs of a comparison: a seed after the other, so that what is done first is a whole table. Where an entry learns from the
 * float twin, that is an entry, too, and the first.
 * @throws OptionError for options that are unknown, for an entry or a seed that comes twice, and what `parseEntry` throws
 */
export function comparisonJobs(options: ComparisonOptions, guests?: Guests): ComparisonJob[] {
  assertKnownOptions(options, OPTIONS, 'compare');
  if (!Array.isArray(options.methods)) {
    throw new OptionError('What is compared is a list.', {
      given: `methods: ${options.methods}`,
      expected: "methods: ['steSign', 'irNet+bop']",
      where: 'compare',
    });
  }
  const { seeds = [1, 2, 3], epochs = 3, batch = 100, learningRate = DEFAULT_RATE } = options;
  const { loss = 'squaredHinge', float = false } = options;
  const taught = options.methods.filter((method) => parseEntry(method, guests).teacher === FLOAT);
  const others = taught.length > 0 ? options.methods.filter((method) => method !== FLOAT) : options.methods;
  const methods = [
    ...(taught.length > 0 ? [FLOAT] : []),
    ...others,
    ...(taught.length === 0 && float && !others.includes(FLOAT) ? [FLOAT] : []),
  ];
  for (const [what, list] of [
    ['method', methods],
    ['seed', seeds],
  ] as const) {
    const twice = list.find((one, index) => (list as readonly unknown[]).indexOf(one) < index);
    if (list.length > 0 && twice === undefined) continue;
    throw new OptionError(
      list.length === 0 ? `A comparison has at least one ${what}.` : `A ${what} is compared once.`,
      { given: list.length === 0 ? 'none' : String(twice), where: `compare: ${what}s` },
    );
  }
  const named = new Map<string, string>();
  for (const [index, method] of methods.entries()) {
    const plain = method.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '');
    named.set(method, `${String(index + 1).padStart(2, '0')}-${plain.slice(0, 60)}`);
  }
  const idOf = (method: string, seed: number) => `${named.get(method)}-seed${seed}`;
  return seeds.flatMap((seed) =>
    methods.map((method) => ({
      ...{ id: idOf(method, seed), method, seed, epochs, batch, learningRate, loss },
      ...(taught.includes(method) ? { teacher: idOf(FLOAT, seed) } : {}),
    })),
  );
}

/**
 * A job as the trainer takes it.
 * @param inner names of the outputs that the entry's loss of inner layers is of
 */
export function jobOptions(
  job: ComparisonJob,
  entry: Entry,
  { teacher, inner }: { readonly teacher?: Network | undefined; readonly inner: readonly string[] },
): TrainerOptions {
  const { optimizer, penalty, learningRate } = entry;
  const loss = entry.loss ?? job.loss;
  const beside = entry.inner === undefined ? [] : inner.map((output) => ({ output, loss: entry.inner }));
  return {
    ...{ batch: job.batch, epochs: job.epochs, seed: job.seed },
    ...(beside.length === 0 ? { loss } : { losses: [{ loss }, ...beside] as OutputLoss[] }),
    ...(teacher === undefined ? {} : { teacher }),
    learningRate: learningRate ?? job.learningRate,
    ...(optimizer === undefined ? {} : { optimizer }),
    ...(penalty === undefined ? {} : { penalty }),
  };
}

/**
 * Records the training of every entry, and counts the memory that it needs; nothing is allocated.
 * @param most refuse a comparison of which one training needs more bytes than this
 * @throws what `Trainer.create` throws for the first entry that can't be trained, naming it
 */
export async function planComparison(
  gpu: Gpu,
  model: Model,
  data: TrainingData,
  jobs: readonly ComparisonJob[],
  options: {
    readonly guests?: Guests | undefined;
    readonly teachers?: Teachers | undefined;
    readonly most?: number | undefined;
  } = {},
): Promise<PlannedEntry[]> {
  const firsts = jobs.filter(({ method }, index) => jobs.findIndex((job) => job.method === method) === index);
  const planned: PlannedEntry[] = [];
  for (const job of firsts) {
    const entry = parseEntry(job.method, options.guests);
    const lesson = await lessonOf(model, entry, options.teachers, data.normalise);
    planned.push({ method: job.method, plan: planOf(gpu, lesson, data, job, entry, options.most) });
  }
  return planned;
}

function planOf(
  gpu: Gpu,
  { student, teacher: teaches, inner }: Lesson,
  given: TrainingData,
  job: ComparisonJob,
  entry: Entry,
  most: number | undefined,
): TrainingPlan {
  const data = engine.checkData(given, student.outputShape[0]);
  const teacher = teaches === undefined ? undefined : new Network(gpu, teaches);
  const options = engine.resolveOptions(jobOptions(job, entry, { teacher, inner }), data);
  engine.assertFits(student, data, options);
  const parts = engine.declareParts(gpu, student, data, options);
  try {
    const train = engine.recordTrainStep(parts, options, data);
    const test = engine.recordTestStep(parts, options, data);
    const own = engine.planTraining(parts, test === undefined ? train : [...train, test]);
    const plan = withTeacher(own, teacher?.parameterBytes ?? 0);
    if (most === undefined || plan.peakBytes <= most) return plan;
    throw new MemoryPlanError(
      'A training of this comparison needs more memory than is allowed; nothing was run.',
      {
        given: `${plan.peakBytes} bytes with batch ${job.batch}`,
        expected: `${most} bytes at most`,
        where: `method ${entry.text}`,
        remedy: 'use a smaller batch or fewer samples, or leave this method away',
      },
    );
  } finally {
    engine.disposeParts(parts);
  }
}

/** The teacher's parameters are those of the training, as far as memory goes. */
function withTeacher(plan: TrainingPlan, bytes: number): TrainingPlan {
  return { ...plan, parameters: plan.parameters + bytes, peakBytes: plan.peakBytes + bytes };
}
