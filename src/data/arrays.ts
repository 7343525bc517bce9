/**
 * Data sets of arrays that a program has.
 *
 *   const data = arrays({ x: [[5.1, 3.5], [6.2, 2.9], ...], y: ['setosa', 'virginica', ...], split: 0.2 });
 */
import { OptionError, ShapeError } from '../errors.ts';
import { type Shape, sizeOf } from '../gpu/index.ts';
import type { TargetKind } from '../methods/index.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import type { TrainingData } from './dataset.ts';
import type { Labels, ResidentSource } from './source.ts';
import { shuffled, split } from './split.ts';

/** Numbers within lists, of any depth. */
export type Nested = readonly (number | Nested)[];

/** Samples and what they are. */
export interface Arrays {
  /** [count, ...shape]: bytes, reals, or lists of numbers. */
  readonly x: Uint8Array | Float32Array | Nested;
  /**
   * Names of classes; indices of classes; for each sample a list of 0 and 1 (`bits`) or of numbers (`reals`); or numbers where
   * `targets` is `reals`.
   */
  readonly y: readonly string[] | Labels | Nested;
  /** What each sample weighs. Default: 1. */
  readonly weights?: ArrayLike<number>;
}

/** How arrays become data that train. */
export interface ArrayOptions extends Arrays {
  /** Of a sample, where x is one array of numbers. */
  readonly shape?: Shape;
  /** Default: classes for names and integers, bits for rows of 0 and 1, reals for other rows. */
  readonly targets?: TargetKind;
  /** Names of the classes or outputs, in the order of their indices. Default: what there is in `y`, sorted. */
  readonly classes?: readonly string[];
  /** What it is called in messages and reports. */
  readonly name?: string;
  /** Samples that are kept for tests, in place of a split. */
  readonly test?: Arrays;
  /** Share that is kept for tests, where there is no `test`; of classes, in their proportions. */
  readonly split?: number;
  /** The split and the order follow from it. Default 1. */
  readonly seed?: number;
  /** How bytes or reals become what the network takes: v·scale[c] + shift[c]. */
  readonly normalise?: TrainingData['normalise'];
}

/** Deeper than any sample is. */
const MOST_AXES = 16;

const OPTIONS = namesOf<ArrayOptions>({
  ...{ x: true, y: true, weights: true, shape: true, targets: true, classes: true, name: true, test: true },
  ...{ split: true, seed: true, normalise: true },
});

/**
 * A data set of arrays.
 * @throws OptionError or ShapeError for arrays that are not as long as each other, or lists that are not even
 * @example
 * ```ts
 * import { arrays } from 'webgpu-bnn';
 *
 * const data = await arrays({ x: [[0, 1], [1, 0], [0, 2], [2, 0]], y: [0, 1, 0, 1], split: 0.5 });
 * console.log(data.train.count, data.test?.count);
 * ```
 */
export function arrays(options: ArrayOptions): TrainingData {
  const where = options.name ?? 'arrays';
  assertKnownOptions(options, OPTIONS, 'arrays');
  const { seed = 1 } = options;
  const x = samplesOf(options.x, options.shape, where);
  const targets = options.targets ?? kindOf(options.y);
  const classes = options.classes ?? namesFor(options.y, targets, options.test?.y);
  const sourceOf = (given: Arrays, part: string): ResidentSource => {
    const { values, count } = samplesOf(given.x, x.shape, part);
    const labels = labelsOf(given.y, targets, classes, part);
    assertFinite('x', values, sizeOf(x.shape), part);
    assertFinite('y', labels, targets === 'classes' ? 1 : classes.length, part);
    const width = targets === 'classes' ? 1 : classes.length;
    if (labels.length !== count * width) {
      throw new ShapeError('There is one target for every sample.', {
        given: `${labels.length} numbers in y, ${count} samples in x`,
        expected: `${count * width}`,
        where: part,
      });
    }
    return {
      ...{ count, images: values, labels },
      ...(given.weights === undefined ? {} : { weights: Float32Array.from(given.weights) }),
    };
  };
  const all = sourceOf(options, `${where}: x, y`);
  const about = {
    ...{ name: where, classes, image: x.shape, targets },
    ...(options.normalise === undefined ? {} : { normalise: options.normalise }),
  };
  if (options.test !== undefined) {
    return { ...about, train: shuffled(all, seed), test: sourceOf(options.test, `${where}: test`) };
  }
  if (options.split === undefined) return { ...about, train: shuffled(all, seed) };
  const named = targets === 'classes' ? classes : undefined;
  return { ...about, ...split(all, options.split, seed, named, where) };
}

/** @throws OptionError for the first number that is none, by its row and column as they are given */
function assertFinite(name: string, values: Labels, size: number, where: string): void {
  if (!(values instanceof Float32Array)) return;
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new OptionError('A number of the data set is not finite.', {
    given: `${values[bad]} in row ${Math.floor(bad / size)} of ${name}, column ${bad % size}, counted from 0`,
    where,
    remedy: 'leave such rows out, or put a number in its place',
  });
}

/** The numbers of samples in one array, and the shape of one. */
function samplesOf(
  x: Arrays['x'],
  given: Shape | undefined,
  where: string,
): { values: Uint8Array | Float32Array; shape: Shape; count: number } {
  if (x instanceof Uint8Array || x instanceof Float32Array) {
    if (given === undefined) {
      throw new OptionError('One array of numbers does not say the shape of a sample.', {
        given: `${x.length} numbers`,
        where,
        remedy: 'give shape: [features] or [height, width, channels]',
      });
    }
    const count = x.length / sizeOf(given);
    if (Number.isInteger(count) && count > 0) return { values: x, shape: given, count };
    throw new ShapeError('The numbers are no whole samples.', {
      given: `${x.length} numbers`,
      expected: `a multiple of ${sizeOf(given)}: [${given.join(', ')}]`,
      where,
    });
  }
  const [count = 0, ...own] = depthOf(x);
  const shape = given ?? own;
  const values = Float32Array.from(flat(x, own, where));
  if (count > 0 && shape.length > 0 && values.length === count * sizeOf(shape))
    return { values, shape, count };
  throw new ShapeError('The samples are lists of numbers.', {
    given: `[${[count, ...own].join(', ')}]`,
    expected: given === undefined ? '[[1, 2], [3, 4], ...]' : `[N, ${given.join(', ')}]`,
    where,
  });
}

/** Lengths of the first list at every depth. */
function depthOf(list: unknown): number[] {
  return Array.isArray(list) ? [list.length, ...depthOf(list[0])] : [];
}

/** All numbers of even lists. */
function flat(list: Nested, shape: readonly number[], where: string): number[] {
  const numbers = allOf(list);
  const uneven = list.findIndex((entry) => depthOf(entry).join() !== shape.join());
  const expected = list.length * sizeOf(shape);
  if (uneven < 0 && numbers.length === expected && numbers.every((value) => typeof value === 'number'))
    return numbers as number[];
  throw new ShapeError('The samples are not all of one shape, or hold other things than numbers.', {
    given:
      uneven < 0 ? `${numbers.length} numbers` : `sample ${uneven}: [${depthOf(list[uneven]).join(', ')}]`,
    expected: uneven < 0 ? `${expected}` : `[${shape.join(', ')}], as sample 0`,
    where,
  });
}

/** All entries, however deep. */
function allOf(list: readonly unknown[]): unknown[] {
  return (list as unknown[][]).flat(MOST_AXES as 1);
}

function kindOf(y: Arrays['y']): TargetKind {
  if (y instanceof Float32Array) return 'reals';
  if (!Array.isArray(y) || !Array.isArray(y[0])) return 'classes';
  const isBits = (y as readonly Nested[]).every((row) => row.every((value) => value === 0 || value === 1));
  return isBits ? 'bits' : 'reals';
}

function namesFor(y: Arrays['y'], targets: TargetKind, more?: Arrays['y']): readonly string[] {
  const both = [...(y as Iterable<unknown>), ...((more ?? []) as Iterable<unknown>)];
  if (targets !== 'classes') {
    const width = Array.isArray(y) && Array.isArray(y[0]) ? y[0].length : 1;
    return Array.from({ length: width }, (_, i) => `output ${i}`);
  }
  if (typeof both[0] === 'string') return [...new Set(both as string[])].sort();
  const most = (both as number[]).reduce((largest, label) => Math.max(largest, label), 0);
  return Array.from({ length: Math.min(most, 2 ** 20) + 1 }, (_, i) => `${i}`);
}

function labelsOf(y: Arrays['y'], targets: TargetKind, classes: readonly string[], where: string): Labels {
  if (targets !== 'classes') {
    const numbers = Array.isArray(y) ? allOf(y as Nested) : [...(y as Labels)];
    return targets === 'bits' ? Uint8Array.from(numbers as number[]) : Float32Array.from(numbers as number[]);
  }
  if (!Array.isArray(y)) return y as Labels;
  const places = new Map(classes.map((name, i) => [name, i]));
  return Uint32Array.from(y as readonly (string | number)[], (label, i) => {
    const place = typeof label === 'string' ? places.get(label) : label;
    if (place !== undefined && Number.isSafeInteger(place) && place >= 0) return place;
    throw new OptionError('A label is no class.', {
      given: `${label} of sample ${i}`,
      expected: `${classes.slice(0, 8).join(', ')}${classes.length > 8 ? ', ...' : ''}, or whole numbers`,
      where,
      remedy: "for numbers that are to be predicted say targets: 'reals'",
    });
  });
}
