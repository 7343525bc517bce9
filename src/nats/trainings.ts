/** Jobs of the kind `training`: one training of a comparison, by the names of its methods, network and data. */
import * as v from 'valibot';
import {
  type ComparisonJob,
  type ComparisonStore,
  type Guests,
  type JobAdapter,
  type JobResult,
  type RunOptions,
  runComparison,
  type Workplace,
} from '../compare/index.ts';
import { sourceDigest, type TrainingData, takeFirst } from '../data/index.ts';
import { FormatError, QueueError } from '../errors.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../formats/checkpoint.ts';
import type { Gpu } from '../gpu/index.ts';
import { npx } from '../npx.ts';
import { digestOfBytes } from '../numerics/digest.ts';
import { isOf, jobSchema, parseEpochs, parseResult } from '../reports/compared.ts';
import { type OwnRun, readingSchema } from '../reports/story.ts';
import { modelByName } from '../zoo/index.ts';
import { coordinate } from './coordinate.ts';
import { queued } from './job.ts';
import type { Queue } from './queue.ts';
import type { Hands, Kind } from './work.ts';

/** Which samples are meant, and how whoever has them knows that they are. */
export interface NamedData {
  /** A name; of data of a person's own, their place below the folder of data. */
  readonly dataset: string;
  /** How data of a person's own are read. */
  readonly own?: OwnRun['read'];
  /** The first so many. Default: all. */
  readonly trainSamples?: number;
  /** The first so many. Default: all. */
  readonly testSamples?: number;
  /** Digest of the samples, which whoever trains compares with its own. */
  readonly digest: string;
}

interface Training {
  readonly data: NamedData;
  readonly model: string;
  readonly job: ComparisonJob;
  /** Versions of the packages whose methods it names, by their names. */
  readonly packages?: Packages;
}

/** Versions of packages by their names. */
export type Packages = Readonly<Record<string, string>>;

const name = v.pipe(v.string(), v.maxLength(4096));
const count = v.exactOptional(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));
const packages = v.exactOptional(v.record(name, name));
/** Checks what names samples. */
export const dataSchema = v.object({
  dataset: name,
  own: v.exactOptional(v.object({ ...readingSchema.entries, labels: v.exactOptional(name) })),
  trainSamples: count,
  testSamples: count,
  digest: name,
});
const trainingSchema = v.object({ data: dataSchema, model: name, job: jobSchema, packages });

/** Names samples in jobs. */
export function namedData(named: Omit<NamedData, 'digest'>, data: TrainingData): NamedData {
  return { ...named, digest: datasetDigest(data) };
}

/** Follows from all samples, labels and names of classes. */
function datasetDigest({ classes, image, normalise, train, test }: TrainingData): string {
  const splits = [train, ...(test === undefined ? [] : [test])].map(sourceDigest);
  const about = JSON.stringify([classes, image, normalise, ...splits]);
  return digestOfBytes(new TextEncoder().encode(about));
}

/**
 * Has workers train what isn't trained; as `runComparison` in one process.
 * @param store where results are kept here
 * @returns the results in the order of the jobs; of a comparison that was stopped, those that there are
 * @throws QueueError where the server is away for two minutes, or a result is another job's
 */
export function trainByWorkers(
  queue: Queue,
  { data, model, packages }: Omit<Training, 'job'>,
  jobs: readonly ComparisonJob[],
  store: ComparisonStore,
  options: Pick<RunOptions, 'signal' | 'onResult'> & {
    /** Called when all that is missing is in the queue. */
    readonly onQueued?: (jobs: number) => void;
    /** Called with how much of a job is done, from 0 to 1. */
    readonly onShare?: (job: ComparisonJob, share: number) => void;
  } = {},
): Promise<JobResult[]> {
  const { onShare, ...more } = options;
  const at = (index: number) => jobs[index] as ComparisonJob;
  return coordinate<JobResult>(
    queue,
    jobs.map((job) =>
      queued<Training>('training', { data, model, job, ...(packages === undefined ? {} : { packages }) }),
    ),
    {
      async before(index) {
        const result = await store.result(at(index).id);
        return result?.state === 'done' ? result : undefined;
      },
      read(text, index) {
        const result = parseResult(text, at(index).id);
        if (isOf(result, at(index))) return result;
        throw new QueueError('A result is of another job.', {
          given: result.job.id,
          expected: at(index).id,
          where: '--nats',
        });
      },
      refused: (error, index) => ({ job: at(index), state: 'failed', epochs: [], error }),
      keep: (result) => store.keepResult(result),
    },
    { ...more, onShare: (index, share) => onShare?.(at(index), share) },
  );
}

/**
 * How a worker trains.
 * @param load gets the data that a job names; throws DataUnavailableError that says the command which gets them
 * @param guestsOf imports packages that a job names; throws where this worker doesn't allow them. Default: none is allowed
 */
export function trainings(
  load: (named: NamedData) => Promise<TrainingData>,
  guestsOf: (packages: Packages) => Promise<Guests> = noGuests,
): Kind<Training> {
  const places = workplaces(load);
  return {
    schema: trainingSchema,
    title: ({ job }) => `${job.method}, seed ${job.seed}`,
    async run({ data, model, job, packages: named }, hands) {
      let result: JobResult | undefined;
      const store: ComparisonStore = {
        ...progressOf(hands, job.id),
        result: async () => undefined,
        async keepResult(done) {
          result = done;
        },
      };
      await runComparison(await places(hands.gpu, data, model), [job], store, {
        ...{ guests: await guestsOf(named ?? {}), signal: hands.signal },
        onSteps: (_, { step, epochs, batches }) => hands.say(step / (epochs * batches)),
      });
      return result;
    },
  };
}

/** Networks and samples that jobs name, kept for the next job of the same. @throws QueueError for other samples than were meant */
export function workplaces(
  load: (named: NamedData) => Promise<TrainingData>,
): (gpu: Gpu, named: NamedData, model: string) => Promise<Workplace> {
  const places = new Map<string, Workplace>();
  return async (gpu, named, model) => {
    const { dataset, own, trainSamples, testSamples, digest } = named;
    const key = JSON.stringify([named, model]);
    const known = places.get(key);
    if (known !== undefined) return known;
    const data = takeFirst(await load(named), trainSamples, testSamples);
    if (datasetDigest(data) !== digest) {
      throw new QueueError('The data here are not what the job was made with.', {
        given: datasetDigest(data),
        expected: digest,
        where: dataset,
        remedy:
          own === undefined
            ? `get the same files on both machines: ${npx(`data ${dataset}`)}`
            : 'copy the files to this machine again, and start the worker again',
      });
    }
    const network = modelByName(model, { input: data.image, classes: data.classes.length });
    const place = { gpu, model: network, data };
    places.set(key, place);
    return place;
  };
}

/** Keeps the progress of a training with the job. @param own the `id` of the training */
export function progressOf(
  hands: Hands,
  own: string,
): Pick<ComparisonStore, 'progress' | 'keepProgress' | 'dropProgress'> {
  const { adapter, print } = hands;
  return {
    async progress(id) {
      // What a teacher learned elsewhere isn't here: it is trained again.
      if (id !== own) return undefined;
      const bytes = await hands.checkpoint();
      const kept = bytes === undefined ? undefined : readCheckpoint(bytes, own, adapter);
      const step = kept?.checkpoint.progress.step ?? 0;
      print(step > 0 ? `: goes on after step ${step}` : '');
      return kept;
    },
    async keepProgress(_, { checkpoint, epochs }) {
      const texts = { epochs: JSON.stringify(epochs), adapter: adapter.name };
      // The one before the first step is no progress.
      const { step } = checkpoint.progress;
      await hands.keepCheckpoint(encodeCheckpoint(checkpoint, texts), step > 0);
      if (step > 0 && !hands.signal.aborted) print(`: saved after step ${step}`);
    },
    async dropProgress() {},
  };
}

/** Nothing of an adapter of another kind, whose bits may differ: then a job begins anew. */
function readCheckpoint(bytes: Uint8Array, where: string, adapter: JobAdapter) {
  const { checkpoint, metadata } = decodeCheckpoint(bytes, where);
  if (metadata.adapter !== adapter.name) return undefined;
  if (metadata.epochs === undefined) {
    throw new FormatError('A checkpoint of the queue is malformed.', { given: 'no epochs', where });
  }
  return { checkpoint, epochs: parseEpochs(metadata.epochs, where) };
}

/** Of a worker that runs no code of others. */
async function noGuests(packages: Packages): Promise<Guests> {
  const wanted = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
  if (wanted.length === 0) return new Map();
  throw new QueueError('A job is about methods of a package, and this worker runs no code of others.', {
    given: wanted.join(', '),
    where: 'a job of the queue',
    remedy: `start a worker that allows it: ${npx(`worker --allow-code ${wanted.join(' ')}`)}`,
  });
}
