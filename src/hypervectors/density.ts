/** Density encoding with a readout by ridge regression (intRVFL): sums of bound thermometers, and real weights for each class. */
import { OptionError } from '../errors.ts';
import { solvePositive } from '../numerics/cholesky.ts';
import { assertKnownOptions } from '../options.ts';
import { assertSizes, itemWords, type Words } from '../vectors/memories.ts';
import { countOf } from '../vectors/signs.ts';
import { assertLabels, largest } from './classifier.ts';

/** What records have in common. */
export interface DensityOptions {
  /** Values of a record. */
  readonly features: number;
  /** Length of a vector: hidden neurons of the randomly connected network. */
  readonly bits: number;
  /** Sums are kept from −clip to clip: 1 to 127. Default 7, four bits. */
  readonly clip?: number | undefined;
  /** The same vectors everywhere for the same seed. Default 1. */
  readonly seed?: number | undefined;
}

/** Encodes records as vectors of small integers. */
export interface DensityEncoder {
  /**
   * The vectors of records.
   * @param values 0 to 1, [count, features]
   * @returns integers from −clip to clip, [count, bits]
   * @throws ShapeError, OptionError
   */
  encode(values: ArrayLike<number>): Int8Array<ArrayBuffer>;
}

/**
 * Density encoding: of a value x the first round(x · bits) signs are +1 and the others −1; they are bound to the random vector of
 * their place, all places are added, and sums are clipped. It is a randomly connected network without a multiplication.
 * Source: Kleyko et al. 2020, "Density Encoding Enables Resource-Efficient Randomly Connected Neural Networks", arXiv 1909.09153.
 * @throws OptionError
 */
export function densityEncoder(options: DensityOptions): DensityEncoder {
  const where = 'densityEncoder';
  assertKnownOptions(options, ['features', 'bits', 'clip', 'seed'], where);
  const { features, bits, clip = 7, seed = 1 } = options;
  assertSizes({ features, bits, clip }, seed, where);
  if (clip > 127) {
    throw new OptionError('Sums are kept as bytes.', {
      given: `clip = ${clip}`,
      expected: '1 to 127',
      where,
    });
  }
  const each = Math.ceil(bits / 32);
  const items = itemWords({ rows: features, bits, seed });
  const signs = Int8Array.from({ length: features * bits }, (_, i) => {
    const [row, place] = [Math.floor(i / bits), i % bits];
    return 1 - 2 * (((items[row * each + (place >> 5)] ?? 0) >>> (place & 31)) & 1);
  });
  return {
    encode(values) {
      const count = countOf(values.length, features, where);
      const out = new Int8Array(count * bits);
      const sums = new Int32Array(bits);
      for (let row = 0; row < count; row++) {
        sums.fill(0);
        for (let feature = 0; feature < features; feature++) {
          const value = values[row * features + feature] ?? 0;
          if (!(value >= 0 && value <= 1)) {
            throw new OptionError('A value is from 0 to 1.', { given: `${value} of record ${row}`, where });
          }
          const plus = Math.round(value * bits);
          const first = feature * bits;
          for (let k = 0; k < plus; k++) sums[k] = (sums[k] ?? 0) + (signs[first + k] ?? 0);
          for (let k = plus; k < bits; k++) sums[k] = (sums[k] ?? 0) - (signs[first + k] ?? 0);
        }
        for (let k = 0; k < bits; k++) out[row * bits + k] = Math.max(-clip, Math.min(clip, sums[k] ?? 0));
      }
      return out;
    },
  };
}

/** How a readout is found. */
export interface RidgeOptions {
  /** Length of a vector. */
  readonly bits: number;
  /** How many classes there are. */
  readonly classes: number;
  /** What a square of a weight costs beside the square of an error, above 0. Default 1. */
  readonly lambda?: number | undefined;
}

/** A linear readout. */
export interface RidgeClassifier {
  /** f32 [classes, bits] */
  readonly weights: Float32Array<ArrayBuffer>;
  /** The class of every vector, that with the largest score. @param vectors [count, bits] @throws ShapeError */
  classify(vectors: ArrayLike<number>): Words;
}

/**
 * The weights W that make |H Wᵀ − Y|² + λ|W|² least, for vectors H and classes Y, 1 where a vector is of the class and 0 elsewhere.
 * Solved in double precision in bits³ / 3 + count · bits² / 2 steps.
 * @param vectors [count, bits], as `densityEncoder` gives them
 * @param labels [count], below `classes`
 * @throws ShapeError, OptionError
 */
export function trainRidge(
  vectors: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: RidgeOptions,
): RidgeClassifier {
  const where = 'trainRidge';
  assertKnownOptions(options, ['bits', 'classes', 'lambda'], where);
  const { bits, classes, lambda = 1 } = options;
  assertSizes({ bits, classes }, 1, where);
  const count = countOf(vectors.length, bits, where);
  assertLabels(labels, count, classes, where);
  const gram = new Float64Array(bits * bits);
  const sums = new Float64Array(bits * classes);
  for (let row = 0; row < count; row++) {
    const first = row * bits;
    const label = labels[row] ?? 0;
    for (let i = 0; i < bits; i++) {
      const value = vectors[first + i] ?? 0;
      sums[i * classes + label] = (sums[i * classes + label] ?? 0) + value;
      if (value === 0) continue;
      for (let j = 0; j <= i; j++) {
        gram[i * bits + j] = (gram[i * bits + j] ?? 0) + value * (vectors[first + j] ?? 0);
      }
    }
  }
  for (let i = 0; i < bits; i++) gram[i * bits + i] = (gram[i * bits + i] ?? 0) + lambda;
  if (!(lambda > 0) || !solvePositive(gram, bits, sums, classes)) {
    throw new OptionError('These vectors have no one readout.', {
      given: `lambda = ${lambda}`,
      expected: 'a number above 0, larger where vectors are alike',
      where,
    });
  }
  const weights = Float32Array.from({ length: classes * bits }, (_, i) => {
    return sums[(i % bits) * classes + Math.floor(i / bits)] ?? 0;
  });
  return {
    weights,
    classify(asked) {
      return Uint32Array.from({ length: countOf(asked.length, bits, 'classify') }, (_, row) => {
        const scores = new Float64Array(classes);
        for (let c = 0; c < classes; c++) {
          let score = 0;
          for (let k = 0; k < bits; k++) score += (weights[c * bits + k] ?? 0) * (asked[row * bits + k] ?? 0);
          scores[c] = score;
        }
        return largest(scores);
      });
    },
  };
}
