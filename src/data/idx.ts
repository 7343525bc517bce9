/** idx files (yann.lecun.com/exdb/mnist), and the data sets that come as four of them. */
import { plainBytes } from '../bytes.ts';
import { DataUnavailableError, FormatError } from '../errors.ts';
import { assertLabels, type Dataset, type Split, toUnitRange } from './dataset.ts';

/** An array as an idx file has it. */
export interface IdxArray {
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** Row-major; a view into the file's bytes. */
  readonly data: Uint8Array<ArrayBuffer>;
}

const UNSIGNED_BYTE = 8;
const REMEDY = 'get the file again, it is damaged, cut off, or still compressed';

/**
 * Reads an idx file of unsigned bytes: two zero bytes, the element type, the number of axes, their sizes as big-endian
 * 32-bit integers, then the elements.
 * @param where the file's name, for errors
 * @throws FormatError for a file that is truncated, too long, of another kind or of another element type
 */
export function parseIdx(bytes: Uint8Array, where: string): IdxArray {
  const [first, second, type, axes] = bytes;
  if (first !== 0 || second !== 0 || type === undefined || axes === undefined) {
    const gzip = first === 0x1f && second === 0x8b;
    throw new FormatError('This is no idx file.', {
      given: gzip ? 'a gzip archive' : `bytes ${[...bytes.subarray(0, 4)].join(' ') || '(none)'}`,
      expected: '0 0, the type and the number of axes',
      where: `${where}, offset 0`,
      remedy: gzip ? 'unpack it first: gunzip' : REMEDY,
    });
  }
  if (type !== UNSIGNED_BYTE) {
    throw new FormatError('Only idx files of unsigned bytes are read here.', {
      given: `element type 0x${type.toString(16).padStart(2, '0')}`,
      expected: '0x08',
      where: `${where}, offset 2`,
    });
  }
  const start = 4 + 4 * axes;
  if (axes === 0 || bytes.length < start) {
    throw new FormatError("The idx file's header is cut off.", {
      given: `${bytes.length} bytes, ${axes} axes`,
      expected: axes === 0 ? 'at least one axis' : `at least ${start} bytes`,
      where: `${where}, offset 3`,
      remedy: REMEDY,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, start);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = shape.includes(0) ? 0 : shape.reduce((product, axis) => product * axis, 1);
  if (size !== bytes.length - start) {
    throw new FormatError("The idx file's length doesn't fit its axes.", {
      given: `${bytes.length - start} bytes of elements`,
      expected: `${size} for [${shape.join(', ')}]`,
      where: `${where}, offset ${start}`,
      remedy: REMEDY,
    });
  }
  return { shape, data: plainBytes(bytes, where).subarray(start) };
}

/** The four files by their usual names, unpacked. */
export const IDX_FILES = {
  trainImages: 'train-images-idx3-ubyte',
  trainLabels: 'train-labels-idx1-ubyte',
  testImages: 't10k-images-idx3-ubyte',
  testLabels: 't10k-labels-idx1-ubyte',
} as const;

/** The four files of MNIST and of sets that are stored as it is, by what is in them. */
export type IdxFiles = { readonly [K in keyof typeof IDX_FILES]: Uint8Array };

const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const;

/** MNIST from the bytes of its four files. @throws FormatError */
export function mnistFromIdx(files: IdxFiles): Dataset {
  return datasetFromIdx('mnist', DIGITS, files);
}

/**
 * MNIST from four files on a web server, under their published names and unpacked.
 * @param folder URL of the folder they lie in
 * @throws DataUnavailableError where one can't be had, FormatError where one is damaged
 */
export async function fetchMnist(folder: string): Promise<Dataset> {
  const load = async (key: keyof IdxFiles): Promise<Uint8Array<ArrayBuffer>> => {
    const url = `${folder.replace(/\/$/, '')}/${IDX_FILES[key]}`;
    const response = await fetch(url);
    if (!response.ok) {
      throw new DataUnavailableError('A file of MNIST is not on the server.', {
        given: `${response.status} ${response.statusText}`.trim(),
        where: url,
        remedy: `put the four unpacked files there: ${Object.values(IDX_FILES).join(', ')}`,
      });
    }
    return new Uint8Array(await response.arrayBuffer());
  };
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    load('trainImages'),
    load('trainLabels'),
    load('testImages'),
    load('testLabels'),
  ]);
  return mnistFromIdx({ trainImages, trainLabels, testImages, testLabels });
}

/** @throws FormatError where a file is damaged, or images and labels don't fit each other */
export function datasetFromIdx(name: string, classes: readonly string[], files: IdxFiles): Dataset {
  const where = (key: keyof IdxFiles) => `${name}: ${IDX_FILES[key]}`;
  const train = readSplit(files.trainImages, where('trainImages'), files.trainLabels, where('trainLabels'));
  const test = readSplit(files.testImages, where('testImages'), files.testLabels, where('testLabels'));
  for (const [split, key] of [[train, 'trainLabels'] as const, [test, 'testLabels'] as const]) {
    assertLabels(split.labels, classes.length, where(key));
  }
  if (train.height !== test.height || train.width !== test.width) {
    throw new FormatError('Training and test images differ in size.', {
      given: `${train.height}x${train.width} and ${test.height}x${test.width}`,
      where: name,
    });
  }
  return {
    name,
    classes,
    image: [train.height, train.width, 1],
    train: { images: train.images, labels: train.labels, count: train.count },
    test: { images: test.images, labels: test.labels, count: test.count },
    normalise: toUnitRange(1),
  };
}

function readSplit(
  imageBytes: Uint8Array,
  imagesWhere: string,
  labelBytes: Uint8Array,
  labelsWhere: string,
): Split & { readonly height: number; readonly width: number } {
  const images = parseIdx(imageBytes, imagesWhere);
  const labels = parseIdx(labelBytes, labelsWhere);
  const [count, height, width, more] = images.shape;
  if (!count || !height || !width || more !== undefined) {
    throw new FormatError('The file holds no images.', {
      given: `axes [${images.shape.join(', ')}]`,
      expected: '[count, height, width], none of them 0',
      where: imagesWhere,
    });
  }
  if (labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new FormatError('There is not one label for each image.', {
      given: `labels [${labels.shape.join(', ')}]`,
      expected: `[${count}]`,
      where: labelsWhere,
    });
  }
  return { images: images.data, labels: labels.data, count, height, width };
}
