/** A small set of images that can be learnt: the bright quadrant is the class, under noise. */

import type { Dataset, Split } from '../../src/data/index.ts';
import { pcg4d } from '../../src/numerics/random.ts';

export function quadrants(trainCount: number, testCount: number, size = 8, channels = 1): Dataset {
  const split = (count: number, stream: number): Split => {
    const images = new Uint8Array(count * size * size * channels);
    const labels = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const label = pcg4d(1, stream, i, 0)[0] % 4;
      labels[i] = label;
      for (let p = 0; p < size * size * channels; p++) {
        const pixel = Math.floor(p / channels);
        const [y, x] = [Math.floor(pixel / size), pixel % size];
        const quadrant = (y < size / 2 ? 0 : 2) + (x < size / 2 ? 0 : 1);
        const noise = pcg4d(2, stream, i, p)[0] % 160;
        images[i * size * size * channels + p] = noise + (quadrant === label ? 80 : 0);
      }
    }
    return { images, labels, count };
  };
  return {
    name: 'quadrants',
    classes: ['top left', 'top right', 'bottom left', 'bottom right'],
    image: [size, size, channels],
    train: split(trainCount, 1),
    test: split(testCount, 2),
    normalise: { scale: new Array(channels).fill(2 / 255), shift: new Array(channels).fill(-1) },
  };
}
