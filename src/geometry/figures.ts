/** The measured sides of the figures about vectors and their signs (Anderson & Berg 2018): random ones, rotated ones. */
import { type Gpu, runOnce, type Tensor } from '../gpu/index.ts';
import type { Network } from '../graph/index.ts';
import {
  expectedAngleDegrees,
  expectedCosine,
  sdAngleDegrees,
  sdCosine,
  ternaryCosine,
} from '../numerics/closed-forms.ts';
import { standardError } from '../numerics/mean.ts';
import { normal } from '../numerics/random.ts';
import { paddedLength } from '../numerics/rotation.ts';
import { angleHistogram, DENSITY_RANGE, filterGeometry, weightDensity } from '../ops/geometry.ts';
import { rotateFilters } from '../ops/rotation.ts';
import { anglesOfFilters, gaussianDensity, residualAngles, ternaryAngle } from './curves.ts';
import { columnOf, moments } from './measure.ts';

const DEGREES = 180 / Math.PI;
/** Streams of random numbers, apart from each other's. */
const STREAM_VECTORS = 0x76656374;
const STREAM_EXAMPLE = 0x6578616d;

/** How the angles between random vectors of a dimension and their signs are spread. */
export interface RandomAngles {
  /** Entries of a vector. */
  readonly dimension: number;
  /** How many vectors were drawn. */
  readonly vectors: number;
  /** Mean cosine of a vector and its signs. */
  readonly meanCosine: number;
  /** Exact, and the deviation of one vector. */
  readonly expectedCosine: number;
  /** Standard deviation of the cosine of one vector, by the closed form. */
  readonly expectedSdCosine: number;
  /** Mean angle between a vector and its signs, in degrees. */
  readonly meanAngle: number;
  /** Standard deviation of the angles, in degrees. */
  readonly sdAngle: number;
  /** Mean angle by the closed form, in degrees. */
  readonly expectedAngle: number;
  /** Standard deviation of one angle by the closed form, in degrees. */
  readonly expectedSd: number;
  /** Vectors by their angle: 180 equal bins from 0 to 90 degrees. */
  readonly counts: readonly number[];
}

/** Angles between Gaussian vectors and their signs, measured on the GPU. */
export async function randomAngles(
  gpu: Gpu,
  dimensions: readonly number[],
  options: { readonly vectors?: number; readonly seed?: number } = {},
): Promise<RandomAngles[]> {
  const { vectors = 10_000, seed = 1 } = options;
  const results: RandomAngles[] = [];
  for (const dimension of dimensions) {
    using latent = gpu.tensor(
      'random vectors',
      [vectors, dimension],
      'f32',
      Float32Array.from({ length: vectors * dimension }, (_, i) =>
        normal(seed, STREAM_VECTORS + dimension, i),
      ),
    );
    using run = await runOnce(gpu, 'random vectors', (b) => {
      const statistics = b.keep(filterGeometry(b, { latent }));
      return { statistics, counts: b.keep(angleHistogram(b, statistics)) };
    });
    const rows = await gpu.readFloats(run.result.statistics);
    const { mean, deviation } = moments(columnOf(rows, 'angleDegrees'));
    results.push({
      dimension,
      vectors,
      meanCosine: moments(columnOf(rows, 'cosine')).mean,
      expectedCosine: expectedCosine(dimension),
      expectedSdCosine: sdCosine(dimension),
      meanAngle: mean,
      sdAngle: deviation,
      expectedAngle: expectedAngleDegrees(dimension),
      expectedSd: sdAngleDegrees(dimension),
      counts: Array.from(await gpu.readWords(run.result.counts)),
    });
  }
  return results;
}

/** Angles of a vector with few large entries, before and after rotations. */
export interface RotatedAngles {
  /** Entries of a vector before it is padded. */
  readonly dimension: number;
  /** Of the rotated vectors: the next power of two. */
  readonly padded: number;
  /** Mean angle of a random vector of that dimension, in degrees. */
  readonly expected: number;
  /** Rotations that were tried, each on vectors of its own. */
  readonly seeds: number;
  /** Mean and deviation of the angle without rotation, in degrees. */
  readonly plain: { readonly mean: number; readonly deviation: number };
  /** The same with one; the standard error of the mean is that over the rotations. */
  readonly rotated: { readonly mean: number; readonly deviation: number; readonly error: number };
}

/**
 * What a rotation before binarization does to vectors whose entries differ in size: x_i = exp(k(i − d/2))·g_i with
 * k = 0.1. A few large entries hold all of the vector, and its sign points elsewhere; after three rounds of random signs
 * and Walsh–Hadamard transforms the angle is that of a random vector of the padded dimension. One rotation turns all vectors
 * alike, so several are tried.
 */
export async function rotationExample(
  gpu: Gpu,
  dimensions: readonly number[],
  options: {
    readonly vectors?: number;
    readonly seed?: number;
    readonly seeds?: number;
    readonly k?: number;
  } = {},
): Promise<RotatedAngles[]> {
  const { vectors = 50, seed = 1, seeds = 10, k = 0.1 } = options;
  const results: RotatedAngles[] = [];
  for (const dimension of dimensions) {
    const all: { readonly plain: number[]; readonly rotated: number[] } = { plain: [], rotated: [] };
    const means: number[] = [];
    for (let one = seed; one < seed + seeds; one++) {
      const values = Float32Array.from({ length: vectors * dimension }, (_, at) => {
        const i = at % dimension;
        return Math.exp(k * (i - dimension / 2)) * normal(one, STREAM_EXAMPLE + dimension, at);
      });
      using latent = gpu.tensor('example', [vectors, dimension], 'f32', values);
      const [plain = new Float32Array(), rotated = new Float32Array()] = await plainAndRotated(
        gpu,
        [latent],
        one,
      );
      all.plain.push(...plain);
      all.rotated.push(...rotated);
      means.push(moments(rotated).mean);
    }
    const padded = paddedLength(dimension);
    results.push({
      dimension,
      padded,
      expected: expectedAngleDegrees(padded),
      seeds,
      plain: moments(all.plain),
      rotated: { ...moments(all.rotated), error: standardError(means) },
    });
  }
  return results;
}

/** Angles of a layer whose filters are rotated before their signs are taken, beside those as they are. */
export interface RotationGain {
  /** `layer/parameter`. */
  readonly name: string;
  /** Mean angle between filters and their signs, and between rotated filters and theirs, in degrees. */
  readonly angle: number;
  /** Mean angle between rotated filters and their signs, in degrees. */
  readonly rotatedAngle: number;
  /** How much smaller the angle gets. */
  readonly gain: number;
}

/** What rotating the filters of each binary layer before binarization would gain in angle. */
export async function measureRotationGain(
  network: Network,
  options: { readonly seed?: number } = {},
): Promise<RotationGain[]> {
  const layers = network.binaryParameters;
  const latents = layers.map(({ value }) => value);
  const angles = await plainAndRotated(network.gpu, latents, options.seed ?? 1);
  return layers.map(({ name }, index) => {
    const angle = moments(angles[2 * index] ?? []).mean;
    const rotatedAngle = moments(angles[2 * index + 1] ?? []).mean;
    return { name, angle, rotatedAngle, gain: angle - rotatedAngle };
  });
}

/** Angles of the filters of each tensor, plain and rotated in turns. */
async function plainAndRotated(gpu: Gpu, latents: readonly Tensor[], seed: number): Promise<Float32Array[]> {
  using run = await runOnce(gpu, 'rotated filters', (b) =>
    latents.flatMap((latent) => [
      b.keep(filterGeometry(b, { latent })),
      b.keep(filterGeometry(b, { latent: rotateFilters(b, { x: latent, seed }) })),
    ]),
  );
  return Promise.all(
    run.result.map(async (tensor) => columnOf(await gpu.readFloats(tensor), 'angleDegrees')),
  );
}

/**
 * Angles of ternary weights by their threshold and of sums of signs by their number: closed forms beside
 * what was measured.
 */
export interface FewBitCurves {
  /** Thresholds of the ternary filters, in root mean squares of the filter. */
  readonly thresholds: readonly number[];
  /** Angles in degrees for each threshold, of Gaussian weights. */
  readonly ternaryExpected: readonly number[];
  /** Angles in degrees for one, two, ... bits: the greedy sum of sign vectors, of Gaussian weights. */
  readonly bitsExpected: readonly number[];
  /** The same by the densities of random vectors' weights, and of each binary layer's. */
  readonly measured: readonly {
    /** `layer/parameter` of the network, or `random`. */
    readonly name: string;
    /** Angle in degrees to a ternary version, at each of the thresholds. */
    readonly ternary: readonly number[];
    /** Angle in degrees to versions of 1, 2, 3 and 4 bits. */
    readonly bits: readonly number[];
    /** The means of the filters' own angles; those above pool the weights of a layer. */
    readonly filters: { readonly ternary: readonly number[]; readonly bits: readonly number[] };
  }[];
}

const MOST_BITS = 4;
const RANDOM_FILTERS = [16, 1152] as const;

/** Angles between filters and their ternary and few-bit versions, closed form beside measured. */
export async function fewBitCurves(network: Network): Promise<FewBitCurves> {
  const { gpu } = network;
  const thresholds = Array.from({ length: 25 }, (_, i) => i / 10);
  const [vectors, length] = RANDOM_FILTERS;
  const gaussian = Float32Array.from({ length: vectors * length }, (_, i) => normal(1, STREAM_VECTORS, i));
  using random = gpu.tensor('random', RANDOM_FILTERS, 'f32', gaussian);
  const latents = [{ name: 'random', value: random }, ...network.binaryParameters];
  using run = await runOnce(gpu, 'densities', (b) =>
    latents.map(({ value: latent }) => b.keep(weightDensity(b, { latent }, filterGeometry(b, { latent })))),
  );
  const counts = await Promise.all(run.result.map((tensor) => gpu.readWords(tensor)));
  const weights = await Promise.all(latents.map(({ value }) => gpu.readFloats(value)));
  return {
    thresholds,
    ternaryExpected: thresholds.map((a) => Math.acos(ternaryCosine(a)) * DEGREES),
    bitsExpected: residualAngles(gaussianDensity(), MOST_BITS),
    measured: latents.map(({ name }, index) => {
      const density = { from: -DENSITY_RANGE, to: DENSITY_RANGE, counts: counts[index] ?? [] };
      return {
        name,
        ternary: thresholds.map((a) => ternaryAngle(density, a)),
        bits: residualAngles(density, MOST_BITS),
        filters: anglesOfFilters(weights[index] ?? new Float32Array(), latents[index]?.value.shape[0] ?? 1, {
          thresholds,
          bits: MOST_BITS,
        }),
      };
    }),
  };
}
