import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TrainingData } from '../src/data/index.ts';
import {
  type Dataset,
  datasetFromIdx,
  type IdxFiles,
  mnistFromIdx,
  packCifar10,
  parseCifar10,
  parseIdx,
  takeFirst,
} from '../src/data/index.ts';
import { FormatError, OptionError } from '../src/errors.ts';

function idx(shape: readonly number[], data: ArrayLike<number>, type = 8): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  bytes.set([0, 0, type, shape.length]);
  const view = new DataView(bytes.buffer);
  for (const [axis, size] of shape.entries()) view.setUint32(4 + 4 * axis, size);
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

function failureOf(run: () => unknown): FormatError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return error as FormatError;
  }
  throw new Error('it was accepted');
}

describe('idx files', () => {
  test('300 random arrays come back, at any offset of the buffer', () => {
    const arrays = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(arrays, fc.nat(7), (shape, shift) => {
        const size = shape.reduce((product, axis) => product * axis, 1);
        const data = Uint8Array.from({ length: size }, (_, i) => i * 37);
        const file = idx(shape, data);
        const moved = new Uint8Array(file.length + shift).subarray(shift);
        moved.set(file);
        const array = parseIdx(moved, 'random');
        expect(array.shape).toEqual(shape);
        expect([...array.data]).toEqual([...data]);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  const cases: [string, Uint8Array<ArrayBuffer>, RegExp][] = [
    ['empty', new Uint8Array(), /no idx/],
    ['three bytes', new Uint8Array(3), /no idx/],
    ['a PNG', new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0]), /no idx/],
    ['gzip, still compressed', new Uint8Array([0x1f, 0x8b, 8, 0, 0]), /no idx/],
    ['floats', idx([1], [0, 0, 0, 0], 0x0d), /unsigned bytes/],
    ['no axes', idx([], [1]), /header/],
    ['255 axes and no sizes', new Uint8Array([0, 0, 8, 255, 0]), /header/],
    ['one byte too few', idx([2, 3], [1, 2, 3, 4, 5]), /doesn't fit/],
    ['one byte too many', idx([2], [1, 2, 3]), /doesn't fit/],
    ['sizes that overflow to a small product', idx([2 ** 31, 2 ** 31, 4], []), /doesn't fit/],
  ];
  for (const [name, bytes, message] of cases) {
    test(`refused: ${name}`, () => {
      const error = failureOf(() => parseIdx(bytes, 'some-idx3'));
      expect(error.what).toMatch(message);
      expect(error.where).toMatch(/^some-idx3, offset \d+$/);
    });
  }
});

const FILES: IdxFiles = {
  trainImages: idx([3, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  trainLabels: idx([3], [0, 9, 4]),
  testImages: idx([1, 2, 2], [20, 21, 22, 23]),
  testLabels: idx([1], [5]),
};

describe('data sets of idx files', () => {
  test('images, labels, classes and normalisation; what trainers take', () => {
    const dataset = mnistFromIdx(FILES);
    const data = dataset satisfies TrainingData;
    expect(data.name).toBe('mnist');
    expect(data.classes).toHaveLength(10);
    expect(data.image).toEqual([2, 2, 1]);
    expect(data.train.count).toBe(3);
    expect([...data.train.images.subarray(4, 8)]).toEqual([5, 6, 7, 8]);
    expect([...data.train.labels]).toEqual([0, 9, 4]);
    expect([...data.test.images]).toEqual([20, 21, 22, 23]);
    const [scale, shift] = [data.normalise.scale[0] ?? 0, data.normalise.shift[0] ?? 0];
    expect([0 * scale + shift, 255 * scale + shift]).toEqual([-1, 1]);
  });

  const faults: [string, Partial<IdxFiles>, RegExp][] = [
    ['images and labels differ in count', { trainLabels: idx([2], [0, 1]) }, /one label for each/],
    ['a label above the classes', { testLabels: idx([1], [10]) }, /out of range/],
    ['images where labels should be', { trainLabels: FILES.trainImages }, /one label for each/],
    ['labels where images should be', { trainImages: FILES.trainLabels }, /no images/],
    ['no images at all', { testImages: idx([0, 2, 2], []), testLabels: idx([0], []) }, /no images/],
    ['test images of another size', { testImages: idx([1, 1, 4], [1, 2, 3, 4]) }, /differ in size/],
  ];
  for (const [name, files, message] of faults) {
    test(`refused: ${name}`, () => {
      const error = failureOf(() =>
        datasetFromIdx('made up', new Array(10).fill('x'), { ...FILES, ...files }),
      );
      expect(error.what).toMatch(message);
      expect(error.where).toContain('made up');
    });
  }

  test('the first images of a split, and all of one that is left out', () => {
    const dataset: Dataset = mnistFromIdx(FILES);
    expect(takeFirst(dataset)).toBe(dataset);
    const two = takeFirst(dataset, 2);
    expect([two.train.count, two.train.images.length, [...two.train.labels]]).toEqual([2, 8, [0, 9]]);
    expect(two.test).toBe(dataset.test);
    expect(takeFirst(dataset, undefined, 1).test.count).toBe(1);
    for (const count of [0, -1, 1.5, 4, Number.NaN]) {
      expect(() => takeFirst(dataset, count)).toThrow(OptionError);
    }
    expect(() => takeFirst(dataset, 1, 2)).toThrow(/given: {4}2 test images/);
  });
});

describe('CIFAR-10 records', () => {
  /** Two images of RGBA pixels in which every byte tells where it is. */
  const pixels = Uint8Array.from({ length: 2 * 1024 * 4 }, (_, i) => (i * 7 + (i >> 8)) & 255);
  const labels = new Uint8Array([3, 9]);

  test('packing and reading give the pixels back, alpha left out', () => {
    const records = packCifar10(pixels, 4, labels, 'sheet');
    expect(records.length).toBe(2 * 3073);
    // Label first, then the red plane, the green and the blue.
    const [label, red] = records;
    expect([label, red, records[1 + 1024], records[1 + 2048]]).toEqual([3, pixels[0], pixels[1], pixels[2]]);
    const split = parseCifar10([{ where: 'batch', bytes: records }]);
    expect([...split.labels]).toEqual([3, 9]);
    expect([...split.images]).toEqual([...pixels].filter((_, i) => i % 4 !== 3));
  });

  test('several batches follow each other', () => {
    const first = packCifar10(pixels, 4, labels, 'a');
    const second = packCifar10(pixels.subarray(0, 4096), 4, labels.subarray(1), 'b');
    const split = parseCifar10([
      { where: 'a', bytes: first },
      { where: 'b', bytes: second },
    ]);
    expect(split.count).toBe(3);
    expect([...split.labels]).toEqual([3, 9, 9]);
    expect([...split.images.subarray(2 * 3072)]).toEqual([...split.images.subarray(0, 3072)]);
  });

  test('refused: cut off, empty, a label above 9, pixels that do not fit', () => {
    const records = packCifar10(pixels, 4, labels, 'a');
    const parse = (bytes: Uint8Array<ArrayBuffer>) => () => parseCifar10([{ where: 'batch_1', bytes }]);
    const cut = failureOf(parse(records.slice(0, -1)));
    expect(cut.where).toBe('batch_1, offset 3073');
    expect(failureOf(parse(new Uint8Array())).what).toMatch(/whole number/);
    const wrong = records.slice();
    wrong[3073] = 10;
    expect(failureOf(parse(wrong)).given).toBe('10 for image 1');
    expect(failureOf(() => packCifar10(pixels, 3, labels, 'sheet')).what).toMatch(/don't fit/);
  });
});
