/** What trains: samples with targets, checked before anything is made of them. */
import { isStreamed, type ResidentSource, type Source, type TrainingData } from '../data/index.ts';
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type Shape, sizeOf } from '../gpu/index.ts';
import type { TargetKind } from '../methods/index.ts';
import { channelValues } from '../ops/data.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';

/** A data set that can train. */
export interface CheckedData extends TrainingData {
  readonly targets: TargetKind;
  /** Numbers of a target: 1 of a class. */
  readonly width: number;
  readonly normalise: { readonly scale: readonly number[]; readonly shift: readonly number[] };
}

/** Labels are words, and a page can't name more. */
const MOST_CLASSES = 2 ** 20;

const DATA = namesOf<TrainingData>({
  name: true,
  classes: true,
  image: true,
  targets: true,
  train: true,
  test: true,
  validation: true,
  normalise: true,
  table: true,
});
const OPTIONAL = ['targets', 'test', 'validation', 'normalise', 'table'];
const TARGETS: readonly string[] = ['classes', 'bits', 'reals'] satisfies TargetKind[];

/**
 * @param outputs of the model: one output tells two classes apart, so that these are one bit then
 * @throws OptionError or ShapeError unless sources are as long as they say, targets are possible, and reals are finite
 */
export function checkData(data: TrainingData, outputs?: number): CheckedData {
  const where = 'Trainer.create';
  assertPresent(data, 'the data set', where);
  const { name, classes, image, train, test, validation, targets = 'classes' } = data;
  const lacking = DATA.filter((part) => !OPTIONAL.includes(part) && !(part in data));
  if (lacking.length > 0) {
    throw new OptionError('The data set lacks something.', {
      given: Object.keys(data).join(', '),
      expected: lacking.join(', '),
      where,
    });
  }
  if (!TARGETS.includes(targets)) {
    throw new OptionError('There are no such targets.', {
      given: String(targets),
      expected: TARGETS.join(', '),
      where: name,
    });
  }
  if (!Array.isArray(classes) || classes.length === 0 || classes.length > MOST_CLASSES) {
    throw new OptionError('The classes of a data set are a list of names.', {
      given: Array.isArray(classes) ? `${classes.length} classes` : String(classes),
      expected: `1 to ${MOST_CLASSES} names`,
      where: name,
    });
  }
  if (!Array.isArray(image) || image.length < 1 || !image.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw new ShapeError('The samples of a data set have extents.', {
      given: String(image),
      expected: '[height, width, channels] of images, [features] of rows, or another list of whole numbers',
      where: name,
    });
  }
  const width = targets === 'classes' ? 1 : classes.length;
  const layout = { image, targets, classes: classes.length, width };
  assertSource(train, layout, `${name}, train`);
  if (train.count < 1)
    throw new OptionError('There is nothing to train on.', { given: 'no samples', where: name });
  if (test !== undefined) assertSource(test, layout, `${name}, test`);
  if (validation !== undefined) assertSource(validation, layout, `${name}, validation`);
  const channels = image.at(-1) ?? 1;
  const { normalise = {} } = data;
  assertKnownOptions(normalise, ['scale', 'shift'], `${name}, normalise`);
  const isBit = targets === 'classes' && classes.length === 2 && outputs === 1;
  return {
    ...data,
    targets: isBit ? 'bits' : targets,
    width,
    normalise: {
      scale: channelValues('scale', normalise.scale, 1, channels, name),
      shift: channelValues('shift', normalise.shift, 0, channels, name),
    },
  };
}

/** What samples and their targets are. */
export interface Layout {
  readonly image: Shape;
  readonly targets: TargetKind;
  readonly classes: number;
  /** Numbers of a target. */
  readonly width: number;
}

function assertSource(source: Source, layout: Layout, where: string): void {
  if (isStreamed(source)) {
    if (typeof source.read === 'function') return;
    throw new OptionError('A stream reads its samples.', {
      given: `read: ${typeof source.read}`,
      expected: 'what defineSource gives',
      where,
    });
  }
  assertResident(source, layout, where);
}

const ARRAYS: Readonly<Record<TargetKind, readonly string[]>> = {
  classes: ['Uint8Array', 'Uint16Array', 'Uint32Array'],
  bits: ['Uint8Array'],
  reals: ['Float32Array'],
};

function assertResident(source: ResidentSource, layout: Layout, where: string): void {
  const { images, labels, weights, count } = source;
  const { image, targets, width } = layout;
  const parts: readonly (readonly [
    string,
    ResidentSource['images' | 'labels'],
    readonly string[],
    number,
    string,
  ])[] = [
    ['images', images, ['Uint8Array', 'Float32Array'], sizeOf(image), describe(image)],
    ['labels', labels, ARRAYS[targets], width, width === 1 ? 'one each' : `${width} each`],
    ...(weights === undefined ? [] : [['weights', weights, ['Float32Array'], 1, 'one each'] as const]),
  ];
  for (const [what, array, kinds, size, each] of parts) {
    const given = Object.prototype.toString.call(array).slice(8, -1);
    if (!kinds.includes(given)) {
      throw new OptionError(`The ${what} of a data set are an array of numbers.`, {
        given,
        expected: `a ${kinds.join(' or a ')}`,
        where,
        remedy: `${kinds[0]}.from(${what})`,
      });
    }
    if (array.length !== count * size) {
      throw new ShapeError(`The ${what} of a data set are not as many as it says.`, {
        given: `${array.length} ${array instanceof Uint8Array ? 'bytes' : 'numbers'}`,
        expected: `${count * size}: ${count} times ${each}`,
        where,
      });
    }
  }
  assertSamples(source, layout, where);
}

/**
 * @param samples numbers of the rows, where they are not in order
 * @throws OptionError for a number that is not finite, and a target that is none, naming the sample
 */
export function assertSamples(
  { images, labels, weights }: Pick<ResidentSource, 'images' | 'labels' | 'weights'>,
  layout: Layout,
  where: string,
  samples?: Uint32Array,
): void {
  assertNumbers('image', images, sizeOf(layout.image), where, samples);
  if (weights !== undefined) assertNumbers('weight', weights, 1, where, samples);
  assertTargets(labels, layout, where, samples);
}

/** @param size numbers of a sample */
function assertNumbers(
  what: string,
  values: ArrayLike<number>,
  size: number,
  where: string,
  samples?: Uint32Array,
): void {
  if (!(values instanceof Float32Array)) return;
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const row = Math.floor(bad / size);
  throw new OptionError('A number of the data set is not finite.', {
    given: `${values[bad]} in the ${what} of sample ${samples?.[row] ?? row}, place ${bad % size}`,
    where,
    remedy: 'leave such samples out, or put a number in its place',
  });
}

function assertTargets(
  labels: ArrayLike<number>,
  { targets, classes, width }: Layout,
  where: string,
  samples?: Uint32Array,
): void {
  if (targets === 'reals') {
    assertNumbers('target', labels, width, where, samples);
    return;
  }
  const most = targets === 'classes' ? classes : 2;
  for (let i = 0; i < labels.length; i++) {
    if ((labels[i] ?? 0) < most) continue;
    const row = Math.floor(i / width);
    throw new OptionError(
      targets === 'classes' ? 'A label of the data set is no class.' : 'A target of the data set is no bit.',
      {
        given: `${labels[i]} for sample ${samples?.[row] ?? row}`,
        expected:
          targets === 'classes' ? `0 to ${classes - 1}, indices into the ${classes} classes` : '0 or 1',
        where,
        remedy:
          targets === 'classes'
            ? 'count labels from 0, and name all the classes'
            : 'write 1 for what holds, else 0',
      },
    );
  }
}
