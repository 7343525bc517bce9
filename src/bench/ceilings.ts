/**
 * What the adapter can do at most, measured in the same run as the kernels that are compared with it: kernels that do
 * nothing but count bits, combine words, multiply and add, or copy; and what a dispatch and a submit cost. The results
 * of every one are checked.
 */

import { GpuValidationError } from '../errors.ts';
import { type Gpu, ProgramBuilder } from '../gpu/index.ts';
import { copy, logic, multiplyAdds, OPERATIONS_PER_ROUND, popcounts, tick } from '../kernels/bench.ts';
import { npx } from '../npx.ts';
import { elapsed, type SampleOptions, type Timing, timeJob, timing } from './measure.ts';

/** One ceiling: what was measured, and the rate that follows from the fastest sample. */
export interface Ceiling {
  /** Operations, or bytes, a second. */
  readonly perSecond: number;
  /** Operations, or bytes, of one run. */
  readonly work: number;
  readonly time: Timing;
}

export interface Ceilings {
  /** Population counts of 32-bit words. */
  readonly popcounts: Ceiling;
  /** Exclusive-ors of 32-bit words. */
  readonly logic: Ceiling;
  /** f32 multiply-adds; one is two floating-point operations. */
  readonly multiplyAdds: Ceiling;
  /** Bytes read plus bytes written by a copying kernel. */
  readonly copy: Ceiling;
  /** Milliseconds that each further dispatch of a submit costs. */
  readonly dispatch: Timing;
  /** Milliseconds from a submit of one dispatch to the news of its end. */
  readonly roundTrip: Timing;
  /** Milliseconds that each further submit costs when nobody waits in between. */
  readonly submit: Timing;
}

/** Rounds that a lane does before it stores anything. */
const ROUNDS = 128;
/** Operations on one value in a round. */
const STEPS = 4;
const DISPATCHES = 256;
const SUBMITS = 64;

/** @throws GpuValidationError where a result is wrong */
export async function measureCeilings(gpu: Gpu, options: SampleOptions): Promise<Ceilings> {
  const { software } = gpu.adapter;
  // Enough invocations to fill the largest GPU a few times over; a software adapter is full with a few.
  const count = software ? 4096 : 1 << 20;
  const bytes = Math.min(software ? 32 << 20 : 256 << 20, gpu.limits.maxStorageBufferBindingSize);
  const operations = count * ROUNDS * OPERATIONS_PER_ROUND;
  return {
    popcounts: rate(operations, await timePopcounts(gpu, count, options)),
    logic: rate(operations, await timeLogic(gpu, count, options)),
    multiplyAdds: rate(operations, await timeMultiplyAdds(gpu, count, options)),
    copy: rate(2 * bytes, await timeCopy(gpu, bytes / 16, options)),
    ...(await timeOverheads(gpu, options)),
  };
}

/** A ceiling is what was reached at best, so its rate comes from the fastest sample. */
function rate(work: number, time: Timing): Ceiling {
  return { perSecond: (1000 * work) / time.fastest, work, time };
}

/** 8 vectors of different words, none of them small. */
function seedWords(): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: 32 }, (_, i) => Math.imul(i + 1, 0x9e3779b9));
}

async function timePopcounts(gpu: Gpu, count: number, options: SampleOptions): Promise<Timing> {
  const seed = seedWords();
  using input = gpu.tensor('seed', [8, 4], 'u32', seed);
  const builder = new ProgramBuilder(gpu, 'popcounts');
  const out = builder.keep(builder.transient('out', [count, 4], 'u32'));
  builder.dispatch(popcounts, { seed: input, out }, { COUNT: count, ROUNDS });
  using program = await builder.compile();
  const time = await timeJob(gpu, program, options);
  const got = await gpu.readWords(out);
  check('population counts', got, count, (index) => sumOfPopcounts(seed, index));
  return time;
}

/** What `bench/popcounts` stores for one invocation. */
function sumOfPopcounts(seed: Uint32Array, index: number): number[] {
  const sums = [0, 0, 0, 0];
  seed.forEach((word, i) => {
    let value = (word + index) >>> 0;
    for (let round = 0; round < STEPS * ROUNDS; round++) {
      let bits = 0;
      for (let rest = value; rest !== 0; rest &= rest - 1) bits++;
      // 0 and 1 are their own counts.
      if (bits === value) break;
      value = bits;
    }
    sums[i % 4] = (sums[i % 4] ?? 0) + value;
  });
  return sums;
}

async function timeLogic(gpu: Gpu, count: number, options: SampleOptions): Promise<Timing> {
  const seed = seedWords();
  using input = gpu.tensor('seed', [8, 4], 'u32', seed);
  const builder = new ProgramBuilder(gpu, 'logic');
  const out = builder.keep(builder.transient('out', [count, 4], 'u32'));
  builder.dispatch(logic, { seed: input, out }, { COUNT: count, ROUNDS });
  using program = await builder.compile();
  const time = await timeJob(gpu, program, options);
  const got = await gpu.readWords(out);
  check('exclusive-ors', got, count, (index) => sumOfRing(seed, index));
  return time;
}

/** What `bench/logic` stores for one invocation. */
function sumOfRing(seed: Uint32Array, index: number): number[] {
  const ring = seed.map((word) => word + index);
  for (let round = 0; round < STEPS * ROUNDS; round++) {
    for (let i = 0; i < 32; i++) ring[i] = (ring[i] ?? 0) ^ (ring[(i + 4) % 32] ?? 0);
  }
  const sums = new Uint32Array(4);
  ring.forEach((word, i) => {
    sums[i % 4] = (sums[i % 4] ?? 0) + word;
  });
  return [...sums];
}

async function timeMultiplyAdds(gpu: Gpu, count: number, options: SampleOptions): Promise<Timing> {
  const seed = Float32Array.from({ length: 40 }, (_, i) => (i < 32 ? i : i < 36 ? -0.5 : 1));
  using input = gpu.tensor('seed', [10, 4], 'f32', seed);
  const builder = new ProgramBuilder(gpu, 'multiply-adds');
  const out = builder.keep(builder.transient('out', [count, 8, 4], 'f32'));
  builder.dispatch(multiplyAdds, { seed: input, out }, { COUNT: count, ROUNDS });
  using program = await builder.compile();
  const time = await timeJob(gpu, program, options);
  const got = await gpu.readFloats(out);
  check('multiply-adds', got, count, (index) => endsOfChains(seed, index));
  return time;
}

/** What `bench/multiply_adds` stores for one invocation. */
function endsOfChains(seed: Float32Array, index: number): number[] {
  return Array.from(seed.subarray(0, 32), (start) => {
    let value = Math.fround(start + index);
    for (let round = 0; round < STEPS * ROUNDS; round++) value = Math.fround(value * -0.5 + 1);
    return value;
  });
}

async function timeCopy(gpu: Gpu, vectors: number, options: SampleOptions): Promise<Timing> {
  const values = Uint32Array.from({ length: vectors * 4 }, (_, i) => Math.imul(i, 0x9e3779b9));
  using x = gpu.tensor('source', [vectors, 4], 'u32', values);
  const builder = new ProgramBuilder(gpu, 'copy');
  const out = builder.keep(builder.transient('copy', [vectors, 4], 'u32'));
  builder.dispatch(copy, { x, out }, { COUNT: vectors });
  using program = await builder.compile();
  const time = await timeJob(gpu, program, options);
  const got = await gpu.readWords(out);
  check('copy', got, vectors, (index) => Array.from(values.subarray(index * 4, index * 4 + 4)));
  return time;
}

async function timeOverheads(
  gpu: Gpu,
  { runs }: SampleOptions,
): Promise<Pick<Ceilings, 'dispatch' | 'roundTrip' | 'submit'>> {
  using ticks = gpu.tensor('ticks', [1], 'u32');
  const builder = new ProgramBuilder(gpu, 'one dispatch');
  builder.dispatch(tick, { ticks }, {});
  using one = await builder.compile();
  const many = new ProgramBuilder(gpu, 'many dispatches');
  for (let i = 0; i < DISPATCHES; i++) many.dispatch(tick, { ticks }, {});
  using all = await many.compile();

  const submitMany = () => {
    for (let i = 0; i < SUBMITS; i++) one.run();
  };
  await elapsed(gpu, () => one.run());
  await elapsed(gpu, () => all.run());
  await elapsed(gpu, submitMany);
  const [roundTrip, dispatch, submit]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < runs; i++) {
    const single = await elapsed(gpu, () => one.run());
    roundTrip.push(single);
    dispatch.push(Math.max(0, (await elapsed(gpu, () => all.run())) - single) / (DISPATCHES - 1));
    submit.push(Math.max(0, (await elapsed(gpu, submitMany)) - single) / (SUBMITS - 1));
  }
  const expected = (runs + 1) * (1 + DISPATCHES + SUBMITS);
  check('dispatches', await gpu.readWords(ticks), 1, () => [expected]);
  return { dispatch: timing(dispatch), roundTrip: timing(roundTrip), submit: timing(submit) };
}

/** Compares rows of a result, spread over the whole of it, with what they should be. @throws GpuValidationError */
export function check(
  what: string,
  got: ArrayLike<number>,
  rows: number,
  expectedOf: (row: number) => readonly number[],
): void {
  const step = Math.max(1, Math.floor(rows / 61));
  const picked = Array.from({ length: Math.ceil(rows / step) }, (_, i) => i * step);
  for (const row of new Set([...picked, rows - 1])) {
    const expected = expectedOf(row);
    expected.forEach((value, i) => {
      const index = row * expected.length + i;
      if (got[index] !== value) {
        throw new GpuValidationError('A kernel of the benchmark computed something wrong.', {
          given: String(got[index]),
          expected: String(value),
          where: `${what}, element ${index}`,
          remedy: `run ${npx('doctor')}; if it finds nothing, report this as a bug`,
        });
      }
    });
  }
}
