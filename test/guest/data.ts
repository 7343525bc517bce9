/** Small images: the bright quadrant is the class, under noise. */
import type { Dataset } from 'webgpu-bnn';

const SIZE = 8;

export function quadrants(trained: number, tested: number): Dataset {
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const split = (count: number) => {
    const labels = Uint8Array.from({ length: count }, () => random(4));
    const images = new Uint8Array(count * SIZE * SIZE).map((_, i) => {
      const [y, x] = [Math.floor(i / SIZE) % SIZE, i % SIZE];
      const quadrant = (y < SIZE / 2 ? 0 : 2) + (x < SIZE / 2 ? 0 : 1);
      return random(160) + (quadrant === labels[Math.floor(i / SIZE / SIZE)] ? 80 : 0);
    });
    return { images, labels, count };
  };
  return {
    name: 'quadrants',
    classes: ['top left', 'top right', 'bottom left', 'bottom right'],
    image: [SIZE, SIZE, 1],
    train: split(trained),
    test: split(tested),
    normalise: { scale: [2 / 255], shift: [-1] },
  };
}
