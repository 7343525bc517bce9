/** Jobs of the kind `bench`: what one worker's GPU can do. There are as many as workers, and each worker takes one. */
import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import { BENCH_MODELS, type BenchOptions, SUITES } from '../bench/index.ts';
import { QueueError } from '../errors.ts';
import { npx } from '../npx.ts';
import type { BenchReport } from '../reports/bench.ts';
import { checked } from '../reports/story.ts';
import { type CoordinateOptions, coordinate, errorOf, isOfMachine, type Refusal } from './coordinate.ts';
import { queued } from './job.ts';
import type { Queue } from './queue.ts';
import type { Hands, Kind } from './work.ts';

interface BenchTask {
  /** The call that it is of. */
  readonly call: string;
  readonly number: number;
  readonly options: BenchOptions;
}

/** What came of a worker's bench. */
export type WorkerBench =
  | { readonly state: 'done'; readonly report: BenchReport }
  | { readonly state: 'failed'; readonly error: Refusal['refused'] };

const text = v.pipe(v.string(), v.maxLength(4096));
const list = <T extends v.GenericSchema>(of: T) => v.pipe(v.array(of), v.maxLength(1000));
const taskSchema: v.GenericSchema<unknown, BenchTask> = v.object({
  call: text,
  number: v.pipe(v.number(), v.safeInteger()),
  options: v.object({
    suites: list(v.picklist(SUITES)),
    models: v.exactOptional(list(v.picklist(BENCH_MODELS))),
    batch: v.exactOptional(v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(2 ** 16))),
    shapes: v.exactOptional(list(text)),
    quick: v.boolean(),
    peers: v.boolean(),
    tune: v.exactOptional(v.boolean()),
  }),
});

const number = v.number();
const rate = v.looseObject({ perSecond: number });
const products = v.array(
  v.looseObject({ name: text, macs: number, binary: v.looseObject({ median: number }) }),
);
/** What tables across workers need; the rest is handed on as it came. */
const reportSchema = v.looseObject({
  adapter: v.looseObject({ name: text, software: v.boolean() }),
  host: text,
  seconds: number,
  ceilings: v.exactOptional(v.looseObject({ popcounts: rate, logic: rate, multiplyAdds: rate, copy: rate })),
  kernels: products,
  layers: products,
  training: v.array(v.looseObject({ model: text, batch: number, imagesPerSecond: number })),
});
const resultSchema = v.variant('state', [
  v.object({ state: v.literal('done'), report: reportSchema }),
  v.object({ state: v.literal('failed'), error: v.object({ name: text, message: v.string() }) }),
]);

/**
 * Has every worker that answers measure its GPU.
 * @returns what came of each
 * @throws QueueError where there is no worker, or the server is away for two minutes
 */
export async function benchByWorkers(
  queue: Queue,
  options: BenchOptions,
  more: Pick<CoordinateOptions<WorkerBench>, 'signal' | 'onQueued' | 'onResult'> = {},
): Promise<WorkerBench[]> {
  const workers = await queue.workers();
  if (workers === 0) {
    throw new QueueError('No worker answers, so that there is nothing to measure.', {
      where: 'bench --nats',
      remedy: `start one on every machine with a GPU: ${npx('worker --nats ...')}`,
    });
  }
  const call = randomUUID();
  const jobs = Array.from({ length: workers }, (_, number) =>
    queued<BenchTask>('bench', { call, number, options }),
  );
  return coordinate<WorkerBench>(
    queue,
    jobs,
    {
      read: (result) =>
        checked(result, resultSchema, {
          what: 'A result of the bench is malformed.',
          where: 'bench --nats',
        }) as unknown as WorkerBench,
      refused: (error) => ({ state: 'failed', error }),
    },
    more,
  );
}

/** How a worker measures its GPU: once for each call of `bench`. @param measure says again and again that it goes on */
export function benches(
  measure: (gpu: Hands['gpu'], options: BenchOptions, measuring: () => void) => Promise<BenchReport>,
): Kind<BenchTask> {
  const calls = new Set<string>();
  return {
    schema: taskSchema,
    title: () => 'bench',
    passes: ({ call }) => calls.has(call),
    async run({ call, options }, { gpu, say, signal }) {
      try {
        const report = await measure(gpu, options, () => {
          say(0);
          signal.throwIfAborted();
        });
        calls.add(call);
        return { state: 'done', report };
      } catch (cause) {
        if (signal.aborted && cause === signal.reason) return undefined;
        if (isOfMachine(cause)) throw cause;
        calls.add(call);
        // Of this GPU, and no fault of the job's: others measure theirs.
        return { state: 'failed', error: errorOf(cause) };
      }
    },
  };
}
