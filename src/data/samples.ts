/** Images as networks take them outside of a training: reals on the host. */
import { channelValues } from '../ops/data.ts';
import type { Dataset } from './dataset.ts';

/**
 * Images of a split, normalised as in training.
 * @param options.count images, as many as there are from `first` on when absent or too many
 * @returns f32 [count, height, width, channels]
 */
export function samplesOf(
  data: Dataset,
  split: 'train' | 'test',
  options: { readonly first?: number; readonly count?: number } = {},
): Float32Array<ArrayBuffer> {
  const { first = 0, count = data[split].count } = options;
  const size = data.image.reduce((product, extent) => product * extent, 1);
  const channels = data.image[2];
  const scale = channelValues('scale', data.normalise.scale, 1, channels, data.name);
  const shift = channelValues('shift', data.normalise.shift, 0, channels, data.name);
  const bytes = data[split].images.subarray(first * size, (first + count) * size);
  return Float32Array.from(
    bytes,
    (byte, i) => byte * (scale[i % scale.length] ?? 1) + (shift[i % shift.length] ?? 0),
  );
}

/** Images that are turned into reals at once. */
const PART = 1000;

/**
 * Share of the test images whose largest score is that of their label.
 * @param predict scores [count, classes] of samples; `Network.predict`, say
 */
export async function testAccuracy(
  data: Dataset,
  predict: (samples: Float32Array<ArrayBuffer>) => Promise<Float32Array>,
): Promise<number> {
  const { count, labels } = data.test;
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
