/** Labelled images as bytes: what trainers put on the GPU, in the browser and in Node alike. */
import { FormatError, OptionError } from '../errors.ts';

export interface Split {
  /** u8 [count, height, width, channels]. */
  readonly images: Uint8Array;
  /** u8 [count]: indices into the classes. */
  readonly labels: Uint8Array;
  readonly count: number;
}

export interface Dataset {
  readonly name: string;
  readonly classes: readonly string[];
  /** [height, width, channels] of an image. */
  readonly image: readonly [height: number, width: number, channels: number];
  readonly train: Split;
  readonly test: Split;
  /** A pixel is byte·scale[c] + shift[c]: here from −1 to 1. */
  readonly normalise: { readonly scale: readonly number[]; readonly shift: readonly number[] };
}

/** What normalises bytes to [−1, 1]. */
export function toUnitRange(channels: number): Dataset['normalise'] {
  return { scale: new Array<number>(channels).fill(2 / 255), shift: new Array<number>(channels).fill(-1) };
}

/**
 * The first images of each split; all of a split whose count is left out. The bytes are shared, not copied.
 * @throws OptionError for a count that is no positive integer or more than there is
 */
export function takeFirst(dataset: Dataset, train?: number, test?: number): Dataset {
  if (train === undefined && test === undefined) return dataset;
  const imageBytes = dataset.image.reduce((product, axis) => product * axis, 1);
  const take = (name: 'train' | 'test', count: number | undefined): Split => {
    const split = dataset[name];
    if (count === undefined) return split;
    if (!Number.isSafeInteger(count) || count < 1 || count > split.count) {
      throw new OptionError('There are not so many images in this data set.', {
        given: `${count} ${name} images`,
        expected: `1 to ${split.count}`,
        where: dataset.name,
      });
    }
    return {
      images: split.images.subarray(0, count * imageBytes),
      labels: split.labels.subarray(0, count),
      count,
    };
  };
  return { ...dataset, train: take('train', train), test: take('test', test) };
}

/** @throws FormatError for a label that is no index into `classes` */
export function assertLabels(labels: Uint8Array, classes: number, where: string): void {
  const index = labels.findIndex((label) => label >= classes);
  if (index < 0) return;
  throw new FormatError('A label is out of range.', {
    given: `${labels[index]} for image ${index}`,
    expected: `0 to ${classes - 1}`,
    where,
    remedy: 'get the file again, it is damaged or of another data set',
  });
}
