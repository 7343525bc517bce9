/** CIFAR-10's binary records (cs.toronto.edu/~kriz/cifar.html): a label byte, then 32×32 pixels, one plane a channel. */
import { FormatError } from '../errors.ts';
import { assertLabels, type Dataset, type Split, toUnitRange } from './dataset.ts';

/** Names of the classes of CIFAR-10, by label. */
export const CIFAR10_CLASSES = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
] as const;

const SIDE = 32;
const PIXELS = SIDE * SIDE;
const CHANNELS = 3;
const IMAGE_BYTES = PIXELS * CHANNELS;
const RECORD_BYTES = 1 + IMAGE_BYTES;

/** The bytes of a file, and what errors call it. */
export interface NamedBytes {
  /** File name, for errors. */
  readonly where: string;
  /** What the file holds. */
  readonly bytes: Uint8Array;
}

/**
 * Reads files of records into one split, the planes interleaved to NHWC.
 * @throws FormatError for a file that is empty or no whole number of records, or a label above 9
 */
export function parseCifar10(files: readonly NamedBytes[]): Split {
  const counts = files.map(({ bytes, where }) => {
    const count = bytes.length / RECORD_BYTES;
    if (!Number.isInteger(count) || count === 0) {
      throw new FormatError('The file is no whole number of CIFAR-10 records.', {
        given: `${bytes.length} bytes`,
        expected: `a multiple of ${RECORD_BYTES}`,
        where: `${where}, offset ${Math.floor(count) * RECORD_BYTES}`,
        remedy: 'get the file again, it is damaged or cut off',
      });
    }
    return count;
  });
  const count = counts.reduce((sum, records) => sum + records, 0);
  const images = new Uint8Array(count * IMAGE_BYTES);
  const labels = new Uint8Array(count);
  let index = 0;
  for (const { bytes, where } of files) {
    const first = index;
    for (let record = 0; record < bytes.length; record += RECORD_BYTES, index++) {
      labels[index] = bytes[record] ?? 0;
      for (let channel = 0; channel < CHANNELS; channel++) {
        const plane = record + 1 + channel * PIXELS;
        const image = index * IMAGE_BYTES + channel;
        for (let p = 0; p < PIXELS; p++) images[image + p * CHANNELS] = bytes[plane + p] ?? 0;
      }
    }
    assertLabels(labels.subarray(first, index), CIFAR10_CLASSES.length, where);
  }
  return { images, labels, count };
}

/** CIFAR-10 from its training batches, in order, and its test batch. @throws FormatError */
export function cifar10FromRecords(train: readonly NamedBytes[], test: readonly NamedBytes[]): Dataset {
  return {
    name: 'cifar10',
    classes: CIFAR10_CLASSES,
    image: [SIDE, SIDE, CHANNELS],
    train: parseCifar10(train),
    test: parseCifar10(test),
    normalise: toUnitRange(CHANNELS),
  };
}

/**
 * Packs images into records.
 * @param pixels bytes of [labels.length, 32, 32, stride], red, green and blue first
 * @param stride bytes a pixel: 3, or 4 with an alpha byte that is left out
 * @throws FormatError where pixels and labels don't fit each other, or a label is above 9
 */
export function packCifar10(
  pixels: Uint8Array,
  stride: 3 | 4,
  labels: Uint8Array,
  where: string,
): Uint8Array<ArrayBuffer> {
  if (pixels.length !== labels.length * PIXELS * stride) {
    throw new FormatError("The sheet's pixels don't fit its labels.", {
      given: `${pixels.length} bytes of pixels`,
      expected: `${labels.length * PIXELS * stride} for ${labels.length} labels`,
      where,
    });
  }
  assertLabels(labels, CIFAR10_CLASSES.length, where);
  const records = new Uint8Array(labels.length * RECORD_BYTES);
  for (const [index, label] of labels.entries()) {
    const record = index * RECORD_BYTES;
    records[record] = label;
    for (let channel = 0; channel < CHANNELS; channel++) {
      const plane = record + 1 + channel * PIXELS;
      const image = index * PIXELS * stride + channel;
      for (let p = 0; p < PIXELS; p++) records[plane + p] = pixels[image + p * stride] ?? 0;
    }
  }
  return records;
}
