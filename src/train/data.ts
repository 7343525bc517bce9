/** What trains: labelled images as bytes, checked before anything is made of them. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type Shape, sizeOf } from '../gpu/index.ts';
import { channelValues } from '../ops/data.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';

/** Images and labels as bytes. */
export interface TrainingSplit {
  /** u8 [count, height, width, channels]. */
  readonly images: Uint8Array;
  /** u8 [count]. */
  readonly labels: Uint8Array;
  readonly count: number;
}

export interface TrainingData {
  readonly name: string;
  readonly classes: readonly string[];
  /** [height, width, channels] of an image. */
  readonly image: Shape;
  readonly train: TrainingSplit;
  /** Absent, or without images: nothing is evaluated. */
  readonly test?: TrainingSplit;
  /**
   * A pixel is byte·scale[c] + shift[c]: one number for all channels, or one for each. Absent, a pixel is its byte.
   */
  readonly normalise?: { readonly scale?: readonly number[]; readonly shift?: readonly number[] };
}

/** A data set that can train. */
export interface CheckedData extends TrainingData {
  readonly normalise: { readonly scale: readonly number[]; readonly shift: readonly number[] };
}

/** Labels are bytes. */
const MOST_CLASSES = 256;

const DATA = namesOf<TrainingData>({
  name: true,
  classes: true,
  image: true,
  train: true,
  test: true,
  normalise: true,
});

/**
 * @throws OptionError or ShapeError unless splits are as long as they say, labels are classes, and pixels are finite
 */
export function checkData(data: TrainingData): CheckedData {
  const where = 'Trainer.create';
  assertPresent(data, 'the data set', where);
  const { name, classes, image, train, test } = data;
  const lacking = DATA.filter((part) => !['test', 'normalise'].includes(part) && !(part in data));
  if (lacking.length > 0) {
    throw new OptionError('The data set lacks something.', {
      given: Object.keys(data).join(', '),
      expected: lacking.join(', '),
      where,
    });
  }
  if (!Array.isArray(classes) || classes.length === 0 || classes.length > MOST_CLASSES) {
    throw new OptionError('The classes of a data set are a list of names.', {
      given: Array.isArray(classes) ? `${classes.length} classes` : String(classes),
      expected: `1 to ${MOST_CLASSES} names, since labels are bytes`,
      where: name,
    });
  }
  if (!Array.isArray(image) || image.length !== 3 || !image.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw new ShapeError('The images of a data set have three extents.', {
      given: String(image),
      expected: '[height, width, channels]',
      where: name,
    });
  }
  assertSplit(train, image, classes.length, `${name}, train`);
  if (train.count < 1)
    throw new OptionError('There is nothing to train on.', { given: 'no images', where: name });
  if (test !== undefined) assertSplit(test, image, classes.length, `${name}, test`);
  const channels = image[2] ?? 1;
  const { normalise = {} } = data;
  assertKnownOptions(normalise, ['scale', 'shift'], `${name}, normalise`);
  return {
    ...data,
    normalise: {
      scale: channelValues('scale', normalise.scale, 1, channels, name),
      shift: channelValues('shift', normalise.shift, 0, channels, name),
    },
  };
}

function assertSplit(
  { images, labels, count }: TrainingSplit,
  image: Shape,
  classes: number,
  where: string,
): void {
  const bytes = count * sizeOf(image);
  for (const [what, array, length] of [
    ['images', images, bytes],
    ['labels', labels, count],
  ] as const) {
    if (!(array instanceof Uint8Array)) {
      throw new OptionError(`The ${what} of a data set are bytes.`, {
        given: Object.prototype.toString.call(array).slice(8, -1),
        expected: 'a Uint8Array',
        where,
        remedy: `Uint8Array.from(${what}), where they are whole numbers from 0 to 255`,
      });
    }
    if (array.length !== length) {
      throw new ShapeError(`The ${what} of a data set are not as many as it says.`, {
        given: `${array.length} bytes`,
        expected: `${length}: ${count} ${what === 'images' ? `times ${describe(image)}` : 'of one byte'}`,
        where,
      });
    }
  }
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong < 0) return;
  throw new OptionError('A label of the data set is no class.', {
    given: `${labels[wrong]} for image ${wrong}`,
    expected: `0 to ${classes - 1}, indices into the ${classes} classes`,
    where,
    remedy: 'count labels from 0, and name all the classes',
  });
}
