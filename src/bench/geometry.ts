/** The statistics of latent filters, each weight read once, beside a plain loop on the host. */
import { GpuValidationError } from '../errors.ts';
import { type Gpu, ProgramBuilder } from '../gpu/index.ts';
import { normal } from '../numerics/random.ts';
import * as ops from '../ops/index.ts';
import type { Ceilings } from './ceilings.ts';
import { Job, type Timing, timeJob, timeOnGpu, timing } from './measure.ts';
import { plainStatistics } from './plain.ts';

export interface GeometryResult {
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  readonly time: Timing;
  /** By the timestamps of the GPU, where there are any. */
  readonly onGpu?: Timing | undefined;
  /** Bytes of weights a second over the copy's. */
  readonly share: number;
  /** The same columns by a loop over a typed array, on one thread. */
  readonly plain: Timing;
  /** Times that the plain loop takes longer. */
  readonly ratio: number;
}

/** Short filters, those of the largest convolution and the first dense layer of `binarynet`, and very long ones. */
const FILTERS = [
  { id: 'filters-131072x27', filters: 131_072, length: 27 },
  { id: 'filters-512x4608', filters: 512, length: 4608 },
  { id: 'filters-1024x8192', filters: 1024, length: 8192 },
  { id: 'filters-4x1000000', filters: 4, length: 1_000_000 },
] as const;

export const GEOMETRY_IDS: readonly string[] = FILTERS.map(({ id }) => id);

/**
 * @param wanted ids; all when absent
 * @throws GpuValidationError unless both ways of measuring agree
 */
export async function benchGeometry(
  gpu: Gpu,
  ceilings: Ceilings,
  runs: number,
  wanted: readonly string[] = GEOMETRY_IDS,
): Promise<GeometryResult[]> {
  const results: GeometryResult[] = [];
  for (const { id, filters, length } of FILTERS.filter((entry) => wanted.includes(entry.id))) {
    const weights = normalWeights(filters * length);
    using latent = gpu.tensor('latent', [filters, length], 'f32', weights);
    const builder = new ProgramBuilder(gpu, 'geometry');
    const statistics = builder.keep(ops.filterGeometry(builder, { latent }));
    using job = new Job([await builder.compile()]);
    const time = await timeJob(gpu, job, { runs });
    const onGpu = await timeOnGpu(job, Math.min(runs, 3));
    const expected = new Float64Array(statistics.size);
    const plainTimes: number[] = [];
    // The first run is compiled as it goes.
    plainStatistics(weights, length, expected);
    for (let run = 0; run < runs; run++) {
      const start = performance.now();
      plainStatistics(weights, length, expected);
      plainTimes.push(performance.now() - start);
    }
    const plain = timing(plainTimes);
    check(await gpu.readFloats(statistics), expected, `${filters} x ${length}`);
    const share = latent.byteLength / (time.median / 1000) / ceilings.copy.perSecond;
    const name = `${filters} filters of ${length}`;
    const ratio = plain.median / time.median;
    results.push({ id, name, bytes: latent.byteLength, time, onGpu, share, plain, ratio });
  }
  return results;
}

/** Deviation of the weights: some are saturated, some near zero. */
const DEVIATION = 0.3;
/** Numbers that are drawn, over and over: too many for a processor to learn their signs. */
const DRAWN = 65_537;

function normalWeights(count: number): Float32Array<ArrayBuffer> {
  const drawn = Float32Array.from({ length: DRAWN }, (_, i) => DEVIATION * normal(3, 1, i));
  const weights = new Float32Array(count);
  for (let i = 0; i < count; i++) weights[i] = drawn[i % DRAWN] ?? 0;
  return weights;
}

function check(got: Float32Array, expected: Float64Array, filters: string): void {
  const columns = ops.FILTER_STATISTICS;
  for (const [i, value] of expected.entries()) {
    if (Math.abs((got[i] ?? Number.NaN) - value) <= 1e-4 * Math.max(1, Math.abs(value))) continue;
    throw new GpuValidationError('A statistic of a filter differs from that of a plain loop.', {
      given: String(got[i]),
      expected: String(value),
      where: `${columns[i % columns.length]} of filter ${Math.floor(i / columns.length)} of ${filters}`,
    });
  }
}
