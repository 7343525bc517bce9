/** Picking a batch out of a data set of bytes: order, augmentation, normalisation. */
import { pcg4d, permute, STREAMS } from '../numerics/random.ts';

/** The label of a row that holds no sample. */
export const NO_LABEL = 0xffffffff;

export interface GatherSpec {
  /** Bytes, NHWC. */
  readonly images: ArrayLike<number>;
  /** One byte a sample. */
  readonly labels: ArrayLike<number>;
  /** [N, H, W, C] of `images`. */
  readonly shape: readonly [number, number, number, number];
  readonly seed: number;
  readonly epoch: number;
  /** Batches before this one in the epoch. */
  readonly index: number;
  /** Rows. */
  readonly batch: number;
  readonly shuffle: boolean;
  /** Value of byte v in channel c: v * scale[c] + shift[c]. */
  readonly scale: readonly number[];
  readonly shift: readonly number[];
  readonly augment?: { readonly pad: number; readonly flip: boolean };
}

/** What is done to one sample in one epoch. */
export interface Draw {
  /** Top left corner of the crop within the padded image, 0 to 2 * pad. */
  readonly top: number;
  readonly left: number;
  /** Mirrored left to right, after cropping. */
  readonly flipped: boolean;
}

/** The augmentation of a sample: drawn from (seed, epoch, sample), so it doesn't depend on the batch size. */
export function drawAugmentation(
  seed: number,
  epoch: number,
  sample: number,
  pad: number,
  flip: boolean,
): Draw {
  const [first, second, third] = pcg4d(seed, STREAMS.augment, epoch, sample);
  return {
    top: first % (2 * pad + 1),
    left: second % (2 * pad + 1),
    flipped: flip && third >>> 31 === 1,
  };
}

/** The sample in each row of a batch; undefined for the rows past the end of the data. */
export function batchSamples(
  spec: Pick<GatherSpec, 'seed' | 'epoch' | 'index' | 'batch' | 'shuffle'>,
  count: number,
): (number | undefined)[] {
  return Array.from({ length: spec.batch }, (_, row) => {
    const position = spec.index * spec.batch + row;
    if (position >= count) return undefined;
    return spec.shuffle ? permute(spec.seed, spec.epoch, position, count) : position;
  });
}

/**
 * One batch. Rows past the end of the data are 0 and labelled `NO_LABEL`. Augmentation pads with bytes 0 (not with the
 * value 0), crops at random, then mirrors at random: the usual CIFAR-10 recipe.
 * @returns x [batch, H, W, C] and a label a row
 */
export function gatherBatch(spec: GatherSpec): {
  x: Float64Array<ArrayBuffer>;
  labels: Uint32Array<ArrayBuffer>;
} {
  const [count, height, width, channels] = spec.shape;
  const image = height * width * channels;
  const x = new Float64Array(spec.batch * image);
  const labels = new Uint32Array(spec.batch).fill(NO_LABEL);
  const pad = spec.augment?.pad ?? 0;
  batchSamples(spec, count).forEach((sample, row) => {
    if (sample === undefined) return;
    labels[row] = spec.labels[sample] ?? NO_LABEL;
    const draw =
      spec.augment === undefined
        ? { top: 0, left: 0, flipped: false }
        : drawAugmentation(spec.seed, spec.epoch, sample, pad, spec.augment.flip);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const y = i + draw.top - pad;
        const x0 = (draw.flipped ? width - 1 - j : j) + draw.left - pad;
        const inside = y >= 0 && y < height && x0 >= 0 && x0 < width;
        for (let c = 0; c < channels; c++) {
          const byte = inside ? (spec.images[sample * image + (y * width + x0) * channels + c] ?? 0) : 0;
          x[row * image + (i * width + j) * channels + c] =
            byte * (spec.scale[c] ?? 1) + (spec.shift[c] ?? 0);
        }
      }
    }
  });
  return { x, labels };
}
