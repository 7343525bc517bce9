/** The statistics of latent filters: bound by memory, each weight read once. */
import { GpuValidationError } from '../errors.ts';
import { type Gpu, ProgramBuilder } from '../gpu/index.ts';
import * as ops from '../ops/index.ts';
import type { Ceilings } from './ceilings.ts';
import { Job, type Timing, timeJob, timeOnGpu } from './measure.ts';
import { signs } from './shapes.ts';

export interface GeometryResult {
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  readonly time: Timing;
  /** By the timestamps of the GPU, where there are any. */
  readonly onGpu?: Timing | undefined;
  /** Bytes of weights a second over the copy's. */
  readonly share: number;
}

/** Filters of `binarynet`: its largest convolution, and its first dense layer. */
const FILTERS = [
  { id: 'filters-512x4608', filters: 512, length: 4608 },
  { id: 'filters-1024x8192', filters: 1024, length: 8192 },
] as const;

export const GEOMETRY_IDS: readonly string[] = FILTERS.map(({ id }) => id);

/**
 * @param wanted ids; all when absent
 * @throws GpuValidationError unless filters of ±1 have the cosine 1 with their signs
 */
export async function benchGeometry(
  gpu: Gpu,
  ceilings: Ceilings,
  runs: number,
  wanted: readonly string[] = GEOMETRY_IDS,
): Promise<GeometryResult[]> {
  const results: GeometryResult[] = [];
  for (const { id, filters, length } of FILTERS.filter((entry) => wanted.includes(entry.id))) {
    using latent = gpu.tensor('latent', [filters, length], 'f32', signs([filters, length], 3));
    const builder = new ProgramBuilder(gpu, 'geometry');
    const statistics = builder.keep(ops.filterGeometry(builder, { latent }));
    using job = new Job([await builder.compile()]);
    const time = await timeJob(gpu, job, { runs });
    const onGpu = await timeOnGpu(job, Math.min(runs, 3));
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
    const name = `${filters} filters of ${length}`;
    results.push({ id, name, bytes: latent.byteLength, time, onGpu, share });
  }
  return results;
}
