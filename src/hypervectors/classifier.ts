/** Classifiers of packed hypervectors: a vector for each class, found on the processor. */
import { OptionError, ShapeError } from '../errors.ts';
import { permute } from '../numerics/random.ts';
import { assertKnownOptions } from '../options.ts';
import { assertSizes, type Words } from '../vectors/memories.ts';
import { countOf, signsOf, vectorsIn } from '../vectors/signs.ts';
import { searchWords } from '../vectors/words.ts';
import type { ClassifierRule } from './rules/index.ts';

/** How a classifier is trained. */
export interface ClassifierOptions {
  /** Length of a vector. */
  readonly bits: number;
  /** How many classes there are. */
  readonly classes: number;
  /** Passes over all vectors, the first included. Default: what the rule says; of `centroid` there is one. */
  readonly passes?: number | undefined;
  /** Of the order of vectors in a pass. Default 1. */
  readonly seed?: number | undefined;
}

/** A trained classifier. */
export interface VectorClassifier {
  /** Length of a vector. */
  readonly bits: number;
  /** How many classes there are. */
  readonly classes: number;
  /** Sums of the classes f32 [classes, bits]. */
  readonly sums: Float32Array<ArrayBuffer>;
  /** Their signs [classes, ceil(bits / 32)]: keys for a `VectorIndex`. */
  readonly words: Words;
  /** The class of every vector, by cosines with the sums. @param vectors words [count, ceil(bits / 32)] @throws ShapeError */
  classify(vectors: Words): Words;
  /** The class of every vector by the signs of the sums alone: as much memory as a vector for each class. @throws ShapeError */
  classifySigns(vectors: Words): Words;
}

/** @throws ShapeError unless every vector has a label, OptionError for a label that is no class */
export function assertLabels(labels: ArrayLike<number>, count: number, classes: number, where: string): void {
  if (labels.length !== count || count === 0) {
    throw new ShapeError('There are vectors, and every one has a label.', {
      given: `${count} vectors, ${labels.length} labels`,
      where,
    });
  }
  for (let i = 0; i < count; i++) {
    const label = labels[i] ?? -1;
    if (Number.isInteger(label) && label >= 0 && label < classes) continue;
    throw new OptionError('A label is a class.', {
      given: `${label} of vector ${i}`,
      expected: `0 to ${classes - 1}`,
      where,
    });
  }
}

/** How many packed vectors these are. @throws as `assertLabels` does */
export function assertLabelled(
  vectors: Words,
  labels: ArrayLike<number>,
  { bits, classes }: { readonly bits: number; readonly classes: number },
  where: string,
): number {
  const count = vectorsIn(vectors, bits, where);
  assertLabels(labels, count, classes, where);
  return count;
}

/**
 * Trains a classifier: shows it every vector in every pass, in an order by the seed. The same sums everywhere.
 * @param rule `centroid`, `adaptHd`, `onlineHd`, `quantHd`, or one of your own
 * @param vectors words [count, ceil(bits / 32)]
 * @param labels [count], below `classes`
 * @throws ShapeError, OptionError
 */
export function trainClassifier(
  rule: ClassifierRule,
  vectors: Words,
  labels: ArrayLike<number>,
  options: ClassifierOptions,
): VectorClassifier {
  const where = 'trainClassifier';
  assertKnownOptions(options, ['bits', 'classes', 'passes', 'seed'], where);
  const { bits, classes, passes = rule.passes, seed = 1 } = options;
  assertSizes({ bits, classes, passes }, seed, where);
  if (rule.passes === 1 && passes > 1) {
    throw new OptionError('This rule has one pass.', { given: `${passes} passes of ${rule.name}`, where });
  }
  const count = assertLabelled(vectors, labels, options, where);
  const sums = new Float32Array(classes * bits);
  const signs = new Float32Array(bits);
  const comparesSigns = rule.compares === 'signs';
  let compared = sums;
  /** Squared lengths of what vectors are compared with, kept along: anew at every pass, so that rounding doesn't pile up. */
  const squares = new Float64Array(classes);
  for (let pass = 0; pass < passes; pass++) {
    if (comparesSigns) compared = sums.map((sum) => (sum < 0 ? -1 : 1));
    for (let c = 0; c < classes; c++)
      squares[c] = dot(compared, c * bits, compared.subarray(c * bits, (c + 1) * bits));
    const asks = rule.asks(pass);
    for (let i = 0; i < count; i++) {
      const row = permute(seed, pass, i, count);
      const label = labels[row] ?? 0;
      toSigns(vectors, row, signs);
      const dots = new Float64Array(classes);
      if (asks) for (let c = 0; c < classes; c++) dots[c] = dot(compared, c * bits, signs);
      const cosines = dots.map((one, c) =>
        (squares[c] ?? 0) > 0 ? one / Math.sqrt((squares[c] ?? 0) * bits) : 0,
      );
      const taken = asks ? largest(cosines) : label;
      for (const [one, weight] of rule.changes({ label, taken, cosines, pass })) {
        const first = one * bits;
        for (let k = 0; k < bits; k++) sums[first + k] = (sums[first + k] ?? 0) + weight * (signs[k] ?? 0);
        if (comparesSigns) continue;
        // |c + w v|² = |c|² + 2 w (c · v) + w² |v|²
        squares[one] = (squares[one] ?? 0) + 2 * weight * (dots[one] ?? 0) + weight * weight * bits;
      }
    }
  }
  return classifierOf(sums, bits);
}

/** A classifier of these sums f32 [classes, bits]. @throws ShapeError */
export function classifierOf(sums: Float32Array<ArrayBuffer>, bits: number): VectorClassifier {
  const classes = countOf(sums.length, bits, 'classifierOf');
  const words = signsOf(sums, bits);
  const lengths = Float64Array.from({ length: classes }, (_, c) =>
    Math.sqrt(dot(sums, c * bits, sums.subarray(c * bits, (c + 1) * bits))),
  );
  return {
    bits,
    classes,
    sums,
    words,
    classify(vectors) {
      const signs = new Float32Array(bits);
      return Uint32Array.from({ length: vectorsIn(vectors, bits, 'classify') }, (_, row) => {
        toSigns(vectors, row, signs);
        return largest(lengths.map((length, c) => (length > 0 ? dot(sums, c * bits, signs) / length : 0)));
      });
    },
    classifySigns: (vectors) => searchWords(vectors, words, bits, 1).keys,
  };
}

/** The place of the largest, the first of equal ones. */
export function largest(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  return best;
}

function toSigns(vectors: Words, row: number, out: Float32Array): void {
  const first = row * Math.ceil(out.length / 32);
  for (let k = 0; k < out.length; k++) out[k] = 1 - 2 * (((vectors[first + (k >> 5)] ?? 0) >>> (k & 31)) & 1);
}

/** In double precision, by four sums: one would wait for itself at every step. */
function dot(x: Float32Array, first: number, y: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 4 <= y.length; k += 4) {
    a += (x[first + k] ?? 0) * (y[k] ?? 0);
    b += (x[first + k + 1] ?? 0) * (y[k + 1] ?? 0);
    c += (x[first + k + 2] ?? 0) * (y[k + 2] ?? 0);
    d += (x[first + k + 3] ?? 0) * (y[k + 3] ?? 0);
  }
  for (; k < y.length; k++) a += (x[first + k] ?? 0) * (y[k] ?? 0);
  return a + b + (c + d);
}
