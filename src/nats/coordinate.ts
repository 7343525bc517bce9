/** A comparison whose jobs others do: puts them into the queue, and gathers results until all are there. */
import type { ComparisonJob, ComparisonStore, JobResult, RunOptions } from '../compare/index.ts';
import { QueueError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { isOf, parseResult } from '../reports/compared.ts';
import { digestOfJob, type QueuedJob } from './job.ts';
import type { Queue } from './queue.ts';

/** How often what is missing is asked for and put into the queue again, should a message have been lost. */
const SWEEP = 5000;

export interface CoordinateOptions extends Pick<RunOptions, 'signal' | 'onResult'> {
  /** Called when all that is missing is in the queue. */
  readonly onQueued?: (jobs: number) => void;
  readonly onShare?: (job: ComparisonJob, share: number) => void;
}

/**
 * Has the jobs done that aren't; those that failed before are tried again.
 * @param store where results are kept here
 * @returns the results in the order of the jobs; of a comparison that was stopped, those that there are
 * @throws QueueError where the server is away for two minutes, or a result is another job's
 */
export async function coordinate(
  queue: Queue,
  queued: readonly QueuedJob[],
  store: ComparisonStore,
  { signal, onQueued, onShare, onResult }: CoordinateOptions = {},
): Promise<JobResult[]> {
  const results = new Map<number, JobResult>();
  const waiting = new Map<string, number>();
  for (const [index, job] of queued.entries()) {
    const before = await store.result(job.job.id);
    if (before?.state === 'done') {
      results.set(index, before);
      onResult?.(before, index);
      continue;
    }
    waiting.set(digestOfJob(job), index);
  }
  queue.listen(({ digest, share }) => {
    const job = queued[waiting.get(digest) ?? -1];
    if (job !== undefined) onShare?.(job.job, share);
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
    const job = index === undefined ? undefined : queued[index]?.job;
    if (index === undefined || job === undefined) return;
    const result = resultOf(text, job, digest);
    await store.keepResult(result);
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
      // What failed is tried again when a comparison is started again, here as in one process.
      if (text !== undefined && isFailure(text)) await queue.dropResult(digest);
    }
    let isQueued = false;
    while (waiting.size > 0 && !isStopped()) {
      for (const [digest, index] of [...waiting]) {
        const text = await queue.result(digest);
        const job = queued[index];
        if (text !== undefined) await settle(digest, text);
        else if (job !== undefined) await queue.put(digest, job);
      }
      if (!isQueued) onQueued?.(waiting.size);
      isQueued = true;
      const until = performance.now() + SWEEP;
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

function isFailure(text: string): boolean {
  const { refused, state } = parseJson(text) as { refused?: unknown; state?: unknown };
  return refused !== undefined || state === 'failed';
}

/** What a worker stores of a job that it could not read, or that three tries didn't get further. */
export interface Refusal {
  readonly refused: { readonly name: string; readonly message: string };
}

function resultOf(text: string, job: ComparisonJob, digest: string): JobResult {
  const { refused } = parseJson(text) as Partial<Refusal>;
  if (refused !== undefined) {
    const { name, message } = refused;
    return { job, state: 'failed', epochs: [], error: { name: String(name), message: String(message) } };
  }
  const result = parseResult(text, digest);
  if (isOf(result, job)) return result;
  throw new QueueError('A result is of another job.', {
    given: result.job.id,
    expected: job.id,
    where: digest,
  });
}
