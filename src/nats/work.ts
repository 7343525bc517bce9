/** A worker: takes a job, does it with what is here, stores the result, and only then says that it is done. */
import type { JsMsg } from '@nats-io/jetstream';
import type * as v from 'valibot';
import type { JobAdapter } from '../compare/index.ts';
import type { Gpu } from '../gpu/index.ts';
import { errorOf, type Refusal } from './coordinate.ts';
import { kindOf, taskOf } from './job.ts';
import type { Queue, Tries } from './queue.ts';

/** Tries that get a job no further, after which its error is its result. */
const TRIES = 3;
/** A job that says nothing for so many leases hangs, and may be another's. */
const SILENT_LEASES = 10;
/** Milliseconds until a job that this worker leaves to others is offered again. */
const PASSED = 1000;

/** What a kind of jobs needs of the worker that does one. */
export interface Hands {
  /** Where jobs are done. */
  readonly gpu: Gpu;
  /** What results say of it. */
  readonly adapter: JobAdapter;
  /** The worker is stopped, or the job is another's by now: nothing that is done counts any more. */
  readonly signal: AbortSignal;
  /** Says how much is done, from 0 to 1, and that nothing hangs. */
  say(share: number): void;
  /** What `keepCheckpoint` was given last, by this worker or another. */
  checkpoint(): Promise<Uint8Array | undefined>;
  /** Keeps what the job goes on from. @param further whether it got further since the last one, so that tries count anew */
  keepCheckpoint(bytes: Uint8Array, further: boolean): Promise<void>;
  /** Prints a line about the job. */
  print(text: string): void;
}

/** How a worker does jobs of a kind. */
export interface Kind<Task = unknown> {
  /** Checks what jobs of the kind are done with. */
  readonly schema: v.GenericSchema<unknown, Task>;
  /** Which job it is, in a few words for a person. */
  title(task: Task): string;
  /** Whether this worker leaves the job to others. */
  passes?(task: Task): boolean;
  /**
   * @returns its result, plain JSON; undefined where it was stopped
   * @throws what a machine or its data lacks: the job goes back to the queue, and the worker ends
   */
  run(task: Task, hands: Hands): Promise<object | undefined>;
}

/** What a worker has, and what it is told. */
export interface WorkOptions {
  /** Where jobs are done. */
  readonly gpu: Gpu;
  /** What results say of it. */
  readonly adapter: JobAdapter;
  /** What this worker does; jobs of other kinds are left to others. */
  // biome-ignore lint/suspicious/noExplicitAny: each kind has tasks of its own, which its schema checks
  readonly kinds: Readonly<Record<string, Kind<any>>>;
  /** Ends after the steps that are under way; the job goes back with its checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** Ends after so many jobs. */
  readonly most?: number | undefined;
  /** Called when it answers that it is there. */
  readonly onReady?: () => void;
  /** Called with lines about jobs. */
  readonly print?: (text: string) => void;
}

/**
 * Takes jobs until it is stopped.
 * @returns how many it did
 * @throws what a machine or its data lacks, after the job has gone back to the queue: DeviceLostError, StorageError, QueueError,
 * DataUnavailableError
 */
export async function work(queue: Queue, options: WorkOptions): Promise<number> {
  const { signal, most = Number.POSITIVE_INFINITY } = options;
  await queue.answer();
  options.onReady?.();
  let done = 0;
  while (done < most && signal?.aborted !== true) {
    const taken = await queue.take();
    if (taken !== undefined && (await runOne(queue, taken.message, taken.digest, options))) done += 1;
  }
  return done;
}

/** @returns whether the job was brought to its end here */
async function runOne(
  queue: Queue,
  message: JsMsg,
  digest: string,
  { gpu, adapter, kinds, signal, print = () => {} }: WorkOptions,
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
    const text = message.string();
    const where = `job ${digest}`;
    const kind = kinds[kindOf(text, where)];
    const task = kind && taskOf(text, kind.schema, where);
    if (kind === undefined || kind.passes?.(task) === true) {
      message.nak(PASSED);
      return false;
    }
    await queue.keepTries(digest, { ...before, tries: before.tries + 1 });
    const title = kind.title(task);
    const result = await kind.run(task, {
      ...{ gpu, adapter },
      signal: AbortSignal.any([lease.signal, ...(signal === undefined ? [] : [signal])]),
      say: (share) => {
        if (lease.used()) queue.say({ digest, share });
      },
      checkpoint: () => queue.checkpoint(digest),
      async keepCheckpoint(bytes, further) {
        // A worker that lost the job leaves the checkpoint of its successor alone.
        if (lease.signal.aborted) return;
        await queue.keepCheckpoint(digest, bytes);
        // It got further: what was tried before was no poison.
        if (further) await queue.keepTries(digest, { tries: 1 });
      },
      print: (more) => print(`${title}${more}`),
    });
    // Someone else has the job by now.
    if (lease.signal.aborted) return false;
    if (result === undefined) {
      // Stopped by a person: no fault of the job's.
      await queue.keepTries(digest, before);
      message.nak();
      return false;
    }
    await queue.keepResult(digest, JSON.stringify({ ...result, adapter }));
    await end(queue, message, digest);
    print(`${title}: ${'state' in result ? result.state : 'done'}`);
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
  message.nak(1000);
  await queue.keepTries(digest, { tries: before.tries + 1, error: errorOf(cause) }).catch(() => {});
}

/** Says again and again that the job is being worked at, and notices when that came too late. */
class Lease {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
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
