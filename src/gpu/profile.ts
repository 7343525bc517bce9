/** How long each dispatch of a program takes, by the clock of the GPU. */
import { BUFFER_USAGE, type Gpu } from './context.ts';
import type { Program } from './program.ts';
import { cut, type Step } from './steps.ts';

/** Milliseconds of one dispatch, measured on the GPU. */
export interface DispatchTiming {
  /** The kernel's name. */
  readonly kernel: string;
  /** The layer that recorded it, and the kernel. */
  readonly label: string;
  /** Between the timestamps at its beginning and its end. */
  readonly milliseconds: number;
}

/** A query set holds 4,096 entries at most: two for each dispatch. */
const MOST_STEPS = 2048;

/**
 * Runs a program once, with a timestamp around each dispatch, and waits.
 * @returns one entry per dispatch, in order; undefined where the device has no timestamps
 * @throws DisposedError
 */
export async function profile(program: Program): Promise<DispatchTiming[] | undefined> {
  const { gpu, steps } = program;
  program.assertUsable();
  if (!gpu.features.has('timestamp-query') || steps.length === 0) return undefined;
  const timings: DispatchTiming[] = [];
  for (const part of cut(steps, gpu.pace.workOfSubmit, MOST_STEPS)) {
    timings.push(...(await timed(gpu, part.steps)));
  }
  return timings;
}

async function timed(gpu: Gpu, steps: readonly Step[]): Promise<DispatchTiming[]> {
  const bytes = 16 * steps.length;
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = BUFFER_USAGE;
  const free: (() => void)[] = [];
  const buffer = (usage: GPUBufferUsageFlags) => {
    const made = gpu.createBuffer('timestamps', bytes, usage);
    free.push(made.release);
    return made.buffer;
  };
  try {
    const querySet = gpu.timestamps('timestamps', 2 * steps.length);
    free.push(() => querySet.destroy());
    const resolved = buffer(QUERY_RESOLVE | COPY_SRC);
    const staging = buffer(MAP_READ | COPY_DST);
    const encoder = gpu.encoder('timestamps');
    steps.forEach(({ pipeline, bindGroup, workgroups }, i) => {
      const pass = gpu.pass(encoder, {
        timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
      });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
      pass.end();
    });
    encoder.resolveQuerySet(querySet, 0, 2 * steps.length, resolved, 0);
    gpu.copy(encoder, { buffer: resolved, offset: 0 }, { buffer: staging, offset: 0 }, bytes);
    gpu.submit(encoder);
    const ticks = new BigUint64Array(await gpu.map('timestamps', staging, bytes));
    return steps.map(({ kernel, label }, i) => {
      const nanoseconds = Number((ticks[2 * i + 1] ?? 0n) - (ticks[2 * i] ?? 0n));
      return { kernel, label, milliseconds: nanoseconds / 1e6 };
    });
  } finally {
    for (const release of free) release();
  }
}
