/** The statistics of latent filters: bound by memory, each weight read once. */
import { GpuValidationError } from '../errors.ts';
import { type Gpu, ProgramBuilder } from '../gpu/index.ts';
import * as ops from '../ops/index.ts';
import type { Ceilings } from './ceilings.ts';
import { type Timing, timeProgram } from './measure.ts';
import { signs } from './products.ts';

export interface GeometryResult {
  readonly name: string;
  readonly bytes: number;
  readonly time: Timing;
  /** Bytes of weights a second over the copy's. */
  readonly share: number;
}

/** Filters of `binarynet`: its largest convolution, and its first dense layer. */
const FILTERS = [
  [512, 4608],
  [1024, 8192],
] as const;

/** @throws GpuValidationError unless filters of ±1 have the cosine 1 with their signs */
export async function benchGeometry(gpu: Gpu, ceilings: Ceilings, runs: number): Promise<GeometryResult[]> {
  const results: GeometryResult[] = [];
  for (const [filters, length] of FILTERS) {
    using latent = gpu.tensor('latent', [filters, length], 'f32', signs([filters, length], 3));
    const builder = new ProgramBuilder(gpu, 'geometry');
    const statistics = builder.keep(ops.filterGeometry(builder, { latent }));
    using program = await builder.compile();
    const time = await timeProgram(gpu, program, { runs });
    const values = await gpu.readFloats(statistics);
    const cosine = ops.FILTER_STATISTICS.indexOf('cosine');
    for (let filter = 0; filter < filters; filter++) {
      const got = values[filter * ops.FILTER_STATISTICS.length + cosine] ?? Number.NaN;
      if (!(Math.abs(got - 1) < 1e-5)) {
        throw new GpuValidationError('The cosine of a filter with its signs is wrong.', {
          given: String(got),
          expected: '1, for a filter of signs',
          where: `filter ${filter} of ${filters} x ${length}`,
        });
      }
    }
    const share = latent.byteLength / (time.median / 1000) / ceilings.copy.perSecond;
    results.push({ name: `${filters} filters of ${length}`, bytes: latent.byteLength, time, share });
  }
  return results;
}
