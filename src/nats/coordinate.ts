/** Jobs that others do: puts them into the queue, and gathers results until all are there. */
import { BnnError, DeviceLostError, QueueError, StorageError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { digestOfJob, type QueuedJob } from './job.ts';
import type { Queue } from './queue.ts';

/** How often what is missing is asked for and put into the queue again, should a message have been lost. */
const SWEEP = 5000;
/** Of many jobs that takes long itself: it is done in a tenth of the time at most. */
const PAUSE = 9;

/** What a kind of jobs makes of what workers store. */
export interface Gathering<Result> {
  /** A result of a job here, so that it isn't done again; undefined where there is none. */
  before?(index: number): Promise<Result | undefined>;
  /** A result from its text. @throws FormatError, or QueueError for one of another job */
  read(text: string, index: number): Result;
  /** What stands for a job that workers could not do: an error of theirs. */
  refused(error: Refusal['refused'], index: number): Result;
  /** Keeps a result here, before it counts. */
  keep?(result: Result, index: number): Promise<void>;
}

export interface CoordinateOptions<Result> {
  /** Stops gathering; jobs stay in the queue. */
  readonly signal?: AbortSignal | undefined;
  /** Called when all that is missing is in the queue. */
  readonly onQueued?: (jobs: number) => void;
  readonly onShare?: (index: number, share: number) => void;
  readonly onResult?: (result: Result, index: number) => void;
}

/** What a worker stores of a job that it could not read, or that three tries didn't get further. */
export interface Refusal {
  readonly refused: { readonly name: string; readonly message: string };
}

/** Whether an error is of the machine or its files, and no fault of the job's: another worker may do it. */
export function isOfMachine(cause: unknown): boolean {
  return [DeviceLostError, StorageError, QueueError].some((kind) => cause instanceof kind);
}

/** What of an error goes to others. */
export function errorOf(cause: unknown): Refusal['refused'] {
  const { name, message } = cause instanceof Error ? cause : { name: 'thrown', message: String(cause) };
  return { name, message: cause instanceof BnnError ? message : message.slice(0, 1000) };
}

/**
 * Has the jobs done that aren't; those that failed before are tried again.
 * @returns the results in the order of the jobs; where it was stopped, those that there are
 * @throws QueueError where the server is away for two minutes, and what `gathering` throws
 */
export async function coordinate<Result>(
  queue: Queue,
  jobs: readonly QueuedJob[],
  gathering: Gathering<Result>,
  { signal, onQueued, onShare, onResult }: CoordinateOptions<Result> = {},
): Promise<Result[]> {
  const results = new Map<number, Result>();
  const waiting = new Map<string, number>();
  for (const [index, job] of jobs.entries()) {
    const before = await gathering.before?.(index);
    if (before === undefined) {
      waiting.set(await digestOfJob(job), index);
      continue;
    }
    results.set(index, before);
    onResult?.(before, index);
  }
  queue.listen(({ digest, share }) => {
    const index = waiting.get(digest);
    if (index !== undefined) onShare?.(index, share);
  });

  let wake = () => {};
  const arrived: (readonly [string, string])[] = [];
  const unwatch = await queue.watch((digest, text) => {
    if (!waiting.has(digest)) return;
    arrived.push([digest, text]);
    wake();
  });
  const settle = async (digest: string, text: string) => {
    const index = waiting.get(digest);
    if (index === undefined) return;
    const { refused } = parseJson(text) as Partial<Refusal>;
    const result =
      refused === undefined
        ? gathering.read(text, index)
        : gathering.refused({ name: String(refused.name), message: String(refused.message) }, index);
    await gathering.keep?.(result, index);
    waiting.delete(digest);
    results.set(index, result);
    onResult?.(result, index);
  };
  const isStopped = () => signal?.aborted === true;
  const onAbort = () => wake();
  signal?.addEventListener('abort', onAbort);
  try {
    for (const digest of waiting.keys()) {
      const text = await queue.result(digest);
      // What failed is tried again when its command is started again, here as in one process.
      if (text !== undefined && isFailure(text)) await queue.dropResult(digest);
    }
    let isQueued = false;
    while (waiting.size > 0 && !isStopped()) {
      const since = performance.now();
      for (const [digest, index] of [...waiting]) {
        const text = await queue.result(digest);
        const job = jobs[index];
        if (text !== undefined) await settle(digest, text);
        else if (job !== undefined) await queue.put(digest, job);
      }
      if (!isQueued) onQueued?.(waiting.size);
      isQueued = true;
      const now = performance.now();
      const until = now + Math.max(SWEEP, PAUSE * (now - since));
      while (waiting.size > 0 && !isStopped() && performance.now() < until) {
        const next = arrived.shift();
        if (next !== undefined) {
          await settle(...next);
          continue;
        }
        await new Promise<void>((done) => {
          const timer = setTimeout(done, until - performance.now());
          wake = () => {
            clearTimeout(timer);
            done();
          };
        });
      }
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    unwatch();
  }
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}

/** Of every kind, a result that failed says so by its `state`. */
function isFailure(text: string): boolean {
  const { refused, state } = parseJson(text) as { refused?: unknown; state?: unknown };
  return refused !== undefined || state === 'failed';
}
