/** Data sets of noise with the shapes of the real ones: a step's speed doesn't depend on the pixels. */
import type { Dataset } from '../data/index.ts';
import type { CheckedData } from '../train/index.ts';
import type { ModelName } from '../zoo/index.ts';

/** The models whose training is measured: one of dense layers, a small and a large one of convolutions. */
export const BENCH_MODELS = ['mlp', 'cnn', 'binarynet'] as const satisfies readonly ModelName[];
export type BenchModel = (typeof BENCH_MODELS)[number];

export function imageOf(model: ModelName): Dataset['image'] {
  return model === 'binarynet' || model === 'cnv' ? [32, 32, 3] : [28, 28, 1];
}

export function noise(model: ModelName, batch: number, steps: number): CheckedData & Dataset {
  const image = imageOf(model);
  const split = (count: number) => ({
    images: Uint8Array.from(
      { length: count * image.reduce((x, y) => x * y, 1) },
      (_, i) => Math.imul(i, 2654435761) >>> 24,
    ),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 10),
    count,
  });
  const channels = image[2];
  return {
    name: 'noise',
    classes: '0123456789'.split(''),
    image,
    targets: 'classes',
    width: 1,
    train: split(batch * steps),
    test: split(batch),
    normalise: {
      scale: new Array<number>(channels).fill(2 / 255),
      shift: new Array<number>(channels).fill(-1),
    },
  };
}

/** The training images as reals. */
export function normalised({ train, normalise }: Dataset): Float32Array<ArrayBuffer> {
  const { scale, shift } = normalise;
  return Float32Array.from(
    train.images,
    (byte, i) => byte * (scale[i % scale.length] ?? 1) + (shift[i % shift.length] ?? 0),
  );
}
