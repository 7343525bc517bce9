/** How times are taken: warm-up apart, samples long enough for the clock, the median and the spread of several. */
import { DISPOSE, Owner } from '../dispose.ts';
import { type DispatchTiming, type Gpu, type Program, profile } from '../gpu/index.ts';

/** Milliseconds of one run, from several samples. */
export interface Timing {
  readonly median: number;
  readonly fastest: number;
  readonly slowest: number;
  /** How many samples there were. */
  readonly runs: number;
  /** Milliseconds of the first run, which isn't among the samples: it may compile and upload. */
  readonly warmUp?: number;
}

export interface SampleOptions {
  /** Timed samples, apart from the warm-up. */
  readonly runs: number;
  /** Milliseconds that a sample should last at least, `SAMPLE` when absent: short programs are run many times over in one submit. */
  readonly sample?: number;
  /** Milliseconds that all samples together should last at least: more of them are taken, up to 100; 0 when absent. */
  readonly least?: number;
}

/** Milliseconds that a sample lasts at least, unless said otherwise: to submit and to notice the end takes some tenths of one. */
export const SAMPLE = 50;
/** The most milliseconds that one submit may take: drivers take a much longer one for a hang. */
export const LONGEST_SUBMIT = 500;
const MOST_REPEATS = 4096;
const MOST_SAMPLES = 100;

export function timing(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  const median = sorted.length % 2 === 0 ? ((sorted[middle - 1] ?? 0) + upper) / 2 : upper;
  return { median, fastest: sorted[0] ?? 0, slowest: sorted.at(-1) ?? 0, runs: sorted.length };
}

/** Milliseconds of all dispatches together; undefined where the GPU has no timestamps. */
export function sumOf(dispatches: readonly DispatchTiming[] | undefined): number | undefined {
  return dispatches?.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}

/** Programs that together do one job. Each has a submit of its own, so that a long job doesn't look like a hang. */
export class Job extends Owner {
  readonly #programs: readonly Program[];

  constructor(programs: readonly Program[]) {
    super();
    this.#programs = programs;
  }

  /** How many submits the job takes. */
  get parts(): number {
    return this.#programs.length;
  }

  /** Names of the kernels of the first part, in order. */
  get kernels(): readonly string[] {
    return this.#programs[0]?.kernels ?? [];
  }

  /** Submits the job, `times` over; a job of one part in one submit. Doesn't wait. */
  run(times = 1): void {
    const [only] = this.#programs;
    if (only !== undefined && this.parts === 1) only.run(times);
    else for (let i = 0; i < times; i++) for (const program of this.#programs) program.run();
  }

  /** Milliseconds of all dispatches by the timestamps of the GPU; undefined where it has none. */
  async onGpu(): Promise<number | undefined> {
    let sum = 0;
    for (const program of this.#programs) {
      const time = sumOf(await profile(program));
      if (time === undefined) return undefined;
      sum += time;
    }
    return sum;
  }

  dispose(): void {
    for (const program of this.#programs) program[DISPOSE]();
  }
}

/**
 * Times a job by the clock of the host, from the submit to the end of the work. The first run, which also measures how
 * often a sample repeats the job, isn't counted.
 */
export async function timeJob(gpu: Gpu, job: Pick<Job, 'run'>, options: SampleOptions): Promise<Timing> {
  const warmUp = await elapsed(gpu, () => job.run());
  const sample = Math.min(options.sample ?? SAMPLE, LONGEST_SUBMIT);
  let repeats = 1;
  if (warmUp < sample) {
    // The first run may have compiled something; a second one tells how long the others will take.
    const again = await elapsed(gpu, () => job.run());
    repeats = Math.min(MOST_REPEATS, Math.max(1, Math.ceil(sample / Math.max(again, 0.001))));
  }
  const times: number[] = [];
  const start = performance.now();
  const lasts = () => performance.now() - start < (options.least ?? 0);
  while (times.length < options.runs || (times.length < MOST_SAMPLES && lasts())) {
    times.push((await elapsed(gpu, () => job.run(repeats))) / repeats);
  }
  return { ...timing(times), warmUp };
}

/** Milliseconds from a call to the end of the work that it submitted. */
export async function elapsed(gpu: Gpu, body: () => void): Promise<number> {
  const start = performance.now();
  body();
  await gpu.finished();
  return performance.now() - start;
}

/** Browsers round timestamps to a multiple of this many nanoseconds, so that pages can't spy with them. */
const QUANTUM = 100_000;

/**
 * Times a job by the timestamps of the GPU: the sum over its dispatches.
 * @returns undefined where the adapter has no timestamps, or rounds them so much that they say little
 */
export async function timeOnGpu(job: Pick<Job, 'onGpu'>, runs: number): Promise<Timing | undefined> {
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const time = await job.onGpu();
    if (time === undefined) return undefined;
    times.push(time);
  }
  const result = timing(times);
  const rounded = times.every((time) => Math.round(time * 1e6) % QUANTUM === 0);
  return result.median * 1e6 < (rounded ? 20 * QUANTUM : 1) ? undefined : result;
}
