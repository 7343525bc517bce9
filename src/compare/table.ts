/** The table of a comparison: each entry over its seeds. */
import { meanOf } from '../numerics/mean.ts';
import { assertPresent } from '../options.ts';
import type { JobDone, JobFailed, JobResult } from './run.ts';

/** A number over the seeds. */
export interface OverSeeds {
  /** Mean over the seeds. */
  readonly mean: number;
  /** With n − 1; NaN of one seed. */
  readonly sd: number;
}

/** One entry of a comparison over its seeds; plain JSON. */
export interface ComparedMethod {
  /** The entry's text. */
  readonly method: string;
  /** Trainings that came to their end, and those that failed. */
  readonly done: number;
  /** How many trainings ended in an error. */
  readonly failed: number;
  /** Why the first of those failed. */
  readonly error?: JobFailed['error'];
  /** Share of the test samples that are right. */
  readonly accuracy: OverSeeds;
  /** Bits that a weight takes in the trained network, mean over all kernels: 1 of binary ones, 32 of real ones. */
  readonly bitsPerWeight: number;
  /** Size of the model file that is saved of it (safetensors). */
  readonly bytes: number;
  /** Multiply-accumulates of one sample: of signs, and of reals. */
  readonly operations: { readonly binary: number; readonly float: number };
  /** Samples that train in a second, mean over the seeds. */
  readonly imagesPerSecond: number;
  /** How often a weight's sign changed in the whole training, a mean over all binary weights' layers. */
  readonly flips: number;
  /** By layer, means over the seeds: the angle of weights to signs in degrees, the correlation r of the dot products. */
  readonly layers: readonly { readonly name: string; readonly angle: number; readonly r: number }[];
  /** Test accuracy after each epoch. */
  readonly curve: readonly OverSeeds[];
}

/** Entries in their order, of as many results as there are. */
export function comparedMethods(results: readonly JobResult[]): ComparedMethod[] {
  assertPresent(results, 'the results', 'comparedMethods', 'map');
  const methods = [...new Set(results.map(({ job }) => job.method))];
  return methods.map((method) => {
    const own = results.filter(({ job }) => job.method === method);
    const done = own.filter((result): result is JobDone => result.state === 'done');
    const failed = own.filter((result): result is JobFailed => result.state === 'failed');
    const [first] = done;
    const mean = (of: (result: JobDone) => number) => meanOf(done.map(of));
    const [why] = failed;
    const epochs = first?.epochs ?? [];
    return {
      ...{ method, done: done.length, failed: failed.length },
      ...(why === undefined ? {} : { error: why.error }),
      accuracy: overSeeds(done.map(({ testAccuracy }) => testAccuracy)),
      bitsPerWeight: first?.bitsPerWeight ?? Number.NaN,
      bytes: first?.bytes ?? Number.NaN,
      operations: first?.operations ?? { binary: Number.NaN, float: Number.NaN },
      imagesPerSecond: mean(({ imagesPerSecond }) => imagesPerSecond),
      flips: mean(flipsOf),
      layers: (epochs.at(-1)?.layers ?? []).map(({ name }) => ({
        name,
        angle: mean(
          ({ epochs: all }) => all.at(-1)?.layers.find((one) => one.name === name)?.angle ?? Number.NaN,
        ),
        r: mean(({ r }) => r.find((one) => one.name === name)?.r ?? Number.NaN),
      })),
      curve: epochs.map((_, index) =>
        overSeeds(done.map((result) => result.epochs[index]?.testAccuracy ?? Number.NaN)),
      ),
    };
  });
}

/** Sign changes of a weight in the whole training. */
function flipsOf({ epochs, steps }: JobDone): number {
  const ratios = epochs.map(({ layers }) => meanOf(layers.map(({ flipRatio }) => flipRatio)));
  return meanOf(ratios) * steps;
}

/** Mean and standard deviation of a few numbers. */
export function overSeeds(values: readonly number[]): OverSeeds {
  assertPresent(values, 'the values', 'overSeeds', 'reduce');
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : Number.NaN };
}
