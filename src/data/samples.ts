/** Samples of data sets outside of a training: the first ones, and images as networks take them, reals on the host. */

import { OptionError } from '../errors.ts';
import { sizeOf } from '../gpu/index.ts';
import { channelValues } from '../ops/data.ts';
import { assertKnownOptions, assertPresent } from '../options.ts';
import type { TrainingData } from './dataset.ts';
import { isStreamed, type ResidentSource, type Source } from './source.ts';

/**
 * Images of a split, normalised as in training.
 * @param options.count images, as many as there are from `first` on when absent or too many
 * @returns f32 [count, height, width, channels]
 */
export function samplesOf(
  data: TrainingData,
  split: 'train' | 'test',
  options: { readonly first?: number; readonly count?: number } = {},
): Float32Array<ArrayBuffer> {
  assertKnownOptions(options, ['first', 'count'], 'samplesOf');
  const { images, count: all } = residentPart(data, split);
  const { first = 0, count = all } = options;
  const size = sizeOf(data.image);
  const channels = data.image.at(-1) ?? 1;
  const scale = channelValues('scale', data.normalise?.scale, 1, channels, data.name);
  const shift = channelValues('shift', data.normalise?.shift, 0, channels, data.name);
  const values: Uint8Array | Float32Array = images.subarray(first * size, (first + count) * size);
  return Float32Array.from(
    values,
    (value, i) => value * (scale[i % scale.length] ?? 1) + (shift[i % shift.length] ?? 0),
  );
}

/** A split that is in memory. @throws OptionError for one that is missing, or a stream */
export function residentPart(data: TrainingData, name: 'train' | 'test'): ResidentSource {
  assertPresent(data, 'the data set', 'samplesOf');
  const source = data[name];
  if (source !== undefined && !isStreamed(source)) return source;
  throw new OptionError('These samples are not in memory.', {
    given: source === undefined ? 'nothing' : 'a stream',
    where: `${data.name}, ${name}`,
  });
}

/**
 * The first samples of each split; all of a split whose count is left out. The numbers are shared, not copied.
 * @throws OptionError for a count that is no positive integer or more than there is, and for streams
 * @example
 * ```ts
 * import { arrays, takeFirst } from 'webgpu-bnn';
 *
 * const data = await arrays({ x: [[0], [1], [2], [3]], y: [0, 1, 0, 1] });
 * console.log(takeFirst(data, 1, 1).train.count);
 * ```
 */
export function takeFirst<D extends TrainingData>(dataset: D, train?: number, test?: number): D {
  assertPresent(dataset, 'the data set', 'takeFirst');
  if (train === undefined && test === undefined) return dataset;
  const take = (name: 'train' | 'test', count: number | undefined): Source | undefined => {
    const split = dataset[name];
    if (count === undefined || split === undefined) return split;
    if (isStreamed(split) || !Number.isSafeInteger(count) || count < 1 || count > split.count) {
      throw new OptionError(
        isStreamed(split) ? 'A stream is read as a whole.' : 'There are not so many images in this data set.',
        { given: `${count} ${name} images`, expected: `1 to ${split.count}`, where: dataset.name },
      );
    }
    const { images, labels, weights } = split;
    return {
      images: images.subarray(0, (count * images.length) / split.count),
      labels: labels.subarray(0, (count * labels.length) / split.count),
      ...(weights === undefined ? {} : { weights: weights.subarray(0, count) }),
      count,
    };
  };
  return { ...dataset, train: take('train', train), test: take('test', test) };
}

/** Images that are turned into reals at once. */
const PART = 1000;

/**
 * Share of the test images whose largest score is that of their label.
 * @param predict scores [count, classes] of samples; `Network.predict`, say
 */
export async function testAccuracy(
  data: TrainingData,
  predict: (samples: Float32Array<ArrayBuffer>) => Promise<Float32Array>,
): Promise<number> {
  const { count, labels } = residentPart(data, 'test');
  let correct = 0;
  for (let first = 0; first < count; first += PART) {
    const here = Math.min(PART, count - first);
    const scores = await predict(samplesOf(data, 'test', { first, count: here }));
    const classes = scores.length / here;
    for (let row = 0; row < here; row++) {
      const own = scores.subarray(row * classes, (row + 1) * classes);
      if (own.indexOf(Math.max(...own)) === labels[first + row]) correct += 1;
    }
  }
  return correct / count;
}
