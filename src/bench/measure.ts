/** How times are taken: warm-up apart, samples long enough for the clock, the median and the spread of several. */
import type { Gpu, Program } from '../gpu/index.ts';

/** Milliseconds of one run, from several samples. */
export interface Timing {
  readonly median: number;
  readonly fastest: number;
  readonly slowest: number;
  /** How many samples there were. */
  readonly runs: number;
}

export interface SampleOptions {
  /** Timed samples, apart from the warm-up. */
  readonly runs: number;
  /** Milliseconds that a sample should last at least: short programs are run many times over in one submit. */
  readonly sample?: number;
}

/** The most that one submit may take: drivers take a longer one for a hang. */
const LONGEST_SUBMIT = 500;
const MOST_REPEATS = 4096;

export function timing(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  const median = sorted.length % 2 === 0 ? ((sorted[middle - 1] ?? 0) + upper) / 2 : upper;
  return { median, fastest: sorted[0] ?? 0, slowest: sorted.at(-1) ?? 0, runs: sorted.length };
}

/**
 * Times a program by the clock of the host, from the submit to the end of the work. The first run, which also measures
 * how often a sample repeats the program, isn't counted.
 */
export async function timeProgram(gpu: Gpu, program: Program, options: SampleOptions): Promise<Timing> {
  const once = await elapsed(gpu, () => program.run());
  const sample = Math.min(options.sample ?? 5, LONGEST_SUBMIT);
  let repeats = 1;
  if (once < sample) {
    // The first run may have compiled something; a second one tells how long the others will take.
    const again = await elapsed(gpu, () => program.run());
    repeats = Math.min(MOST_REPEATS, Math.max(1, Math.ceil(sample / Math.max(again, 0.001))));
  }
  const times: number[] = [];
  for (let i = 0; i < options.runs; i++) {
    times.push((await elapsed(gpu, () => program.run(repeats))) / repeats);
  }
  return timing(times);
}

/** Milliseconds from a call to the end of the work that it submitted. */
export async function elapsed(gpu: Gpu, body: () => void): Promise<number> {
  const start = performance.now();
  body();
  await gpu.finished();
  return performance.now() - start;
}

/**
 * Times a program by the timestamps of the GPU: the sum over its dispatches.
 * @returns undefined where the adapter has no timestamps, or rounds them to nothing
 */
export async function timeOnGpu(program: Program, runs: number): Promise<Timing | undefined> {
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const dispatches = await program.profile();
    if (dispatches === undefined) return undefined;
    times.push(dispatches.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
  }
  const result = timing(times);
  return result.median > 0 ? result : undefined;
}
