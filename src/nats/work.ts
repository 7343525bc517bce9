/** A worker: takes a job, trains it with what is here, stores the result, and only then says that it is done. */
import type { JsMsg } from '@nats-io/jetstream';
import { type ComparisonStore, type JobAdapter, runComparison, type Workplace } from '../compare/index.ts';
import { type Dataset, takeFirst } from '../data/index.ts';
import { BnnError, FormatError, QueueError } from '../errors.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../formats/index.ts';
import type { Gpu } from '../gpu/index.ts';
import { npx } from '../npx.ts';
import { parseEpochs } from '../reports/compared.ts';
import { modelByName } from '../zoo/index.ts';
import type { Refusal } from './coordinate.ts';
import { datasetDigest, parseQueued, type QueuedJob } from './job.ts';
import type { Queue, Tries } from './queue.ts';

/** Tries that get a job no further, after which its error is its result. */
const TRIES = 3;
/** A training that does no step for so many leases hangs, and its job may be another's. */
const SILENT_LEASES = 10;

export interface WorkOptions {
  readonly gpu: Gpu;
  readonly adapter: JobAdapter;
  /** @throws DataUnavailableError that says the command which gets it */
  readonly load: (dataset: string) => Promise<Dataset>;
  /** Ends after the steps that are under way; the job goes back with its checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** Ends after so many jobs. */
  readonly most?: number | undefined;
  readonly onJob?: (job: QueuedJob, resumedAt: number) => void;
  readonly onSaved?: (job: QueuedJob, step: number) => void;
  readonly onDone?: (job: QueuedJob, state: string) => void;
}

/**
 * Takes jobs until it is stopped.
 * @throws what a machine or its data lacks, after the job has gone back to the queue: DeviceLostError, StorageError, QueueError,
 * DataUnavailableError
 */
export async function work(queue: Queue, options: WorkOptions): Promise<number> {
  const { signal, most = Number.POSITIVE_INFINITY } = options;
  const places = new Map<string, Workplace>();
  let done = 0;
  while (done < most && signal?.aborted !== true) {
    const taken = await queue.take();
    if (taken !== undefined && (await runOne(queue, taken.message, taken.digest, places, options))) done += 1;
  }
  return done;
}

/** @returns whether the job was brought to its end here */
async function runOne(
  queue: Queue,
  message: JsMsg,
  digest: string,
  places: Map<string, Workplace>,
  options: WorkOptions,
): Promise<boolean> {
  if ((await queue.result(digest)) !== undefined) {
    await queue.done(message);
    return false;
  }
  const before = await queue.tries(digest);
  if (before.tries >= TRIES) {
    const lost = { name: 'QueueError', message: `Its worker was lost, ${TRIES} times in the same place.` };
    const refusal: Refusal = { refused: before.error ?? lost };
    await queue.keepResult(digest, JSON.stringify(refusal));
    await end(queue, message, digest);
    return false;
  }
  const lease = new Lease(queue.lease, message);
  try {
    const tries = before.tries + 1;
    await queue.keepTries(digest, { ...before, tries });
    const job = parseQueued(message.string(), `job ${digest}`);
    const place = await placeOf(job, places, options);
    const stopping = options.signal === undefined ? [] : [options.signal];
    const [result] = await runComparison(
      place,
      [job.job],
      storeOf(queue, digest, job, options, () => !lease.signal.aborted),
      {
        signal: AbortSignal.any([lease.signal, ...stopping]),
        onSteps: (_, { step, epochs, batches }) => {
          if (lease.used()) queue.say({ digest, share: step / (epochs * batches) });
        },
      },
    );
    // Someone else has the job by now.
    if (lease.signal.aborted) return false;
    if (result === undefined) {
      // Stopped by a person: no fault of the job's.
      await queue.keepTries(digest, before);
      message.nak();
      return false;
    }
    await end(queue, message, digest);
    options.onDone?.(job, result.state);
    return true;
  } catch (cause) {
    await giveBack(queue, message, digest, before, cause);
    throw cause;
  } finally {
    lease.end();
  }
}

async function end(queue: Queue, message: JsMsg, digest: string): Promise<void> {
  await queue.done(message);
  await queue.keepTries(digest, undefined);
  await queue.dropCheckpoint(digest);
}

/** Back to the queue, with what was wrong; where the server doesn't take even that, the lease gives the job back. */
async function giveBack(
  queue: Queue,
  message: JsMsg,
  digest: string,
  before: Tries,
  cause: unknown,
): Promise<void> {
  const { name, message: text } = cause instanceof Error ? cause : { name: 'thrown', message: String(cause) };
  const said = cause instanceof BnnError ? text : text.slice(0, 1000);
  message.nak(1000);
  await queue.keepTries(digest, { tries: before.tries + 1, error: { name, message: said } }).catch(() => {});
}

async function placeOf(
  job: QueuedJob,
  places: Map<string, Workplace>,
  { gpu, load }: WorkOptions,
): Promise<Workplace> {
  const { dataset, model, trainSamples, testSamples } = job;
  const key = JSON.stringify([dataset, model, trainSamples, testSamples, job.data]);
  const known = places.get(key);
  if (known !== undefined) return known;
  const data = takeFirst(await load(dataset), trainSamples, testSamples);
  if (datasetDigest(data) !== job.data) {
    throw new QueueError('The data here are not what the job was made with.', {
      given: datasetDigest(data),
      expected: job.data,
      where: dataset,
      remedy: `get the same files on both machines: ${npx(`data ${dataset}`)}`,
    });
  }
  const network = modelByName(model, { input: data.image, classes: data.classes.length });
  const place = { gpu, model: network, data };
  places.set(key, place);
  return place;
}

/** @param isOurs whether the lease holds: a worker that lost it leaves the checkpoint of its successor alone */
function storeOf(
  queue: Queue,
  digest: string,
  job: QueuedJob,
  { adapter, onJob, onSaved }: WorkOptions,
  isOurs: () => boolean,
): ComparisonStore {
  return {
    result: async () => undefined,
    async keepResult(result) {
      await queue.keepResult(digest, JSON.stringify({ ...result, adapter }));
    },
    async progress(id) {
      // What a teacher learned elsewhere isn't here: it is trained again.
      if (id !== job.job.id) return undefined;
      const bytes = await queue.checkpoint(digest);
      const kept = bytes === undefined ? undefined : readCheckpoint(bytes, digest, adapter);
      onJob?.(job, kept?.checkpoint.progress.step ?? 0);
      return kept;
    },
    async keepProgress(_, { checkpoint, epochs }) {
      if (!isOurs()) return;
      const texts = { epochs: JSON.stringify(epochs), adapter: adapter.name };
      await queue.keepCheckpoint(digest, encodeCheckpoint(checkpoint, texts));
      // It got further: what was tried before was no poison. The one before the first step is no progress.
      const { step } = checkpoint.progress;
      if (step === 0) return;
      await queue.keepTries(digest, { tries: 1 });
      onSaved?.(job, step);
    },
    async dropProgress() {},
  };
}

/** Nothing of an adapter of another kind, whose bits may differ: then a job begins anew. */
function readCheckpoint(bytes: Uint8Array, digest: string, adapter: JobAdapter) {
  const { checkpoint, metadata } = decodeCheckpoint(bytes, digest);
  if (metadata.adapter !== adapter.name) return undefined;
  if (metadata.epochs === undefined) {
    throw new FormatError('A checkpoint of the queue is malformed.', { given: 'no epochs', where: digest });
  }
  return { checkpoint, epochs: parseEpochs(metadata.epochs, digest) };
}

/** Says again and again that the job is being worked at, and notices when that came too late. */
class Lease {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #beat = Date.now();
  #used = Date.now();
  #said = 0;

  constructor(seconds: number, message: JsMsg) {
    const lease = 1000 * seconds;
    const beat = () => {
      const now = Date.now();
      if (now - this.#beat > lease) this.#controller.abort();
      if (now - this.#used > SILENT_LEASES * lease) this.#controller.abort();
      if (this.#controller.signal.aborted) return;
      this.#beat = now;
      message.working();
    };
    this.#timer = setInterval(beat, lease / 4);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A step was done. @returns whether it is a second since this was true */
  used(): boolean {
    this.#used = Date.now();
    if (this.#used - this.#said < 1000) return false;
    this.#said = this.#used;
    return true;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
