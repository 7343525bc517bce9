/** The geometry of a network's filters as they are now: every filter's angle to its signs, measured on the GPU. */
import { runOnce, type Shape, sizeOf } from '../gpu/index.ts';
import type { Network } from '../graph/index.ts';
import type { Parameter } from '../layers/index.ts';
import { expectedAngleDegrees } from '../numerics/closed-forms.ts';
import { FILTER_STATISTICS, type FilterStatistic, filterGeometry } from '../ops/geometry.ts';

/** Statistics of the filters of a binary parameter. */
export interface LayerGeometry {
  /** `layer/parameter`. */
  readonly name: string;
  /** Of the parameter; the first axis counts filters. */
  readonly shape: Shape;
  /** How many filters it has. */
  readonly filters: number;
  /** Weights of one filter: the dimension d of the closed forms. */
  readonly dimension: number;
  /** Angle between each filter and its signs, in degrees. */
  readonly angles: Float32Array<ArrayBuffer>;
  /** Mean of `angles`, in degrees. */
  readonly meanAngle: number;
  /** Standard deviation of `angles` over the filters, in degrees. */
  readonly sdAngle: number;
  /** Mean angle of a filter of this dimension with a rotation-invariant law: 37.07° − O(1/d) (Anderson & Berg 2018). */
  readonly expectedAngle: number;
  /** Mean of the scales ‖w‖₁/d. */
  readonly meanScale: number;
  /** Means over the filters: of the latent weights' standard deviation and excess kurtosis, the share of signs +1, */
  readonly meanDeviation: number;
  /** Mean excess kurtosis of a filter's latent weights: 0 of Gaussian ones. */
  readonly meanKurtosis: number;
  /** Mean share of a filter's signs that are +1. */
  readonly positiveShare: number;
  /** the entropy of the signs in bits, the share of latent weights near 0, and the share at ±1. */
  readonly signEntropy: number;
  /** Mean share of a filter's latent weights that are near 0: |w| < 0.01. */
  readonly nearZero: number;
  /** Mean share of a filter's latent weights at ±1, where clipping holds them. */
  readonly saturated: number;
  /** Latent weights that are NaN or infinite; their signs hide it from the network's output. */
  readonly nonFinite: number;
}

/**
 * Measures every binary parameter of a network; one dispatch a layer, and one small readback each.
 * @example
 * ```ts
 * import { measureGeometry, mlp, Network, requestGpu } from 'webgpu-bnn/node';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const gpu = await requestGpu();
 * const made = await Network.create(gpu, network, { seed: 1 });
 * for (const { name, meanAngle } of await measureGeometry(made)) console.log(name, meanAngle);
 * gpu.dispose();
 * ```
 */
export async function measureGeometry(network: Network): Promise<LayerGeometry[]> {
  const layers = network.binaryParameters;
  using measured = await runOnce(network.gpu, 'geometry', (builder) =>
    layers.map(({ value }) => builder.keep(filterGeometry(builder, { latent: value }))),
  );
  const geometries: LayerGeometry[] = [];
  for (const [index, parameter] of layers.entries()) {
    const tensor = measured.result[index];
    if (tensor !== undefined) geometries.push(layerGeometry(parameter, await network.gpu.readFloats(tensor)));
  }
  return geometries;
}

/** The geometry of a parameter from the rows of `filterGeometry`, [filters, 12]. */
export function layerGeometry({ name, spec }: Parameter, rows: Float32Array): LayerGeometry {
  const filters = spec.shape[0] ?? 1;
  const column = (statistic: FilterStatistic) => columnOf(rows, statistic);
  const dimension = sizeOf(spec.shape.slice(1));
  const angles = column('angleDegrees');
  const { mean, deviation } = moments(angles);
  const meanOf = (statistic: FilterStatistic) => moments(column(statistic)).mean;
  return {
    name,
    shape: spec.shape,
    filters,
    dimension,
    angles,
    meanAngle: mean,
    sdAngle: deviation,
    expectedAngle: expectedAngleDegrees(dimension),
    meanScale: meanOf('scale'),
    meanDeviation: meanOf('standardDeviation'),
    meanKurtosis: meanOf('excessKurtosis'),
    positiveShare: meanOf('positiveShare'),
    signEntropy: meanOf('signEntropy'),
    nearZero: meanOf('nearZeroShare'),
    saturated: meanOf('saturatedShare'),
    nonFinite: column('nonFinite').reduce((sum, count) => sum + count, 0),
  };
}

/** One statistic of every filter, from the rows of `filterGeometry`. */
export function columnOf(rows: Float32Array, statistic: FilterStatistic): Float32Array<ArrayBuffer> {
  const at = FILTER_STATISTICS.indexOf(statistic);
  const width = FILTER_STATISTICS.length;
  return Float32Array.from({ length: rows.length / width }, (_, row) => rows[row * width + at] ?? 0);
}

/** Mean and standard deviation, in float64. */
export function moments(given: ArrayLike<number>): { mean: number; deviation: number } {
  const values = Array.from(given);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}
