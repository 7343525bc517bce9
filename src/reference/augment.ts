/** Samples of a batch changed at random and mixed, in float64; what an augmentation does is a function that is handed in. */
import { pcg4d, permute, STREAMS, toUniform } from '../numerics/random.ts';

type Place = readonly [number, number];

/** Where a batch is in a training. */
export interface BatchPlace {
  readonly seed: number;
  readonly epoch: number;
  /** Batches before it in the epoch. */
  readonly index: number;
  readonly batch: number;
  /** Samples of an epoch. */
  readonly samples: number;
  /** Of the augmentation among those of the training, from 1. */
  readonly place: number;
}

/** Four numbers in [0, 1) for a row; 0 where it has no sample. */
export function drawsOf({ seed, epoch, index, batch, samples, place }: BatchPlace, row: number): number[] {
  const position = index * batch + row;
  if (position >= samples) return [0, 0, 0, 0];
  const sample = permute(seed, epoch, position, samples);
  return pcg4d(seed, STREAMS.augment + place, epoch, sample).map(toUniform);
}

export interface Images {
  /** [B, H, W, C]. */
  readonly x: ArrayLike<number>;
  readonly shape: readonly [number, number, number, number];
}

/** Every pixel from another place, between four by their shares; `fill` by channel lies outside. */
export function moved(
  { x, shape }: Images,
  from: (here: Place, extent: Place, random: readonly number[]) => Place,
  fill: (channel: number) => number,
  at: BatchPlace,
): Float64Array<ArrayBuffer> {
  const [batch, height, width, channels] = shape;
  const y = new Float64Array(x.length);
  const centre = [(width - 1) / 2, (height - 1) / 2] as const;
  for (let row = 0; row < batch; row++) {
    const random = drawsOf(at, row);
    const valueAt = (i: number, j: number, c: number) =>
      i < 0 || j < 0 || i >= height || j >= width
        ? fill(c)
        : (x[((row * height + i) * width + j) * channels + c] ?? 0);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const [across, down] = from([j - centre[0], i - centre[1]], [width, height], random);
        const place = [across + centre[0], down + centre[1]] as const;
        const [left, top] = [Math.floor(place[0]), Math.floor(place[1])];
        const [u, v] = [place[0] - left, place[1] - top];
        for (let c = 0; c < channels; c++) {
          const upper = valueAt(top, left, c) * (1 - u) + valueAt(top, left + 1, c) * u;
          const lower = valueAt(top + 1, left, c) * (1 - u) + valueAt(top + 1, left + 1, c) * u;
          y[((row * height + i) * width + j) * channels + c] = upper * (1 - v) + lower * v;
        }
      }
    }
  }
  return y;
}

/** Every value changed where it is. */
export function changed(
  { x, shape }: Images,
  to: (
    value: number,
    at: { readonly here: Place; readonly extent: Place; readonly middle: number; readonly span: number },
    random: readonly number[],
  ) => number,
  range: { readonly middle: (channel: number) => number; readonly span: (channel: number) => number },
  at: BatchPlace,
): Float64Array<ArrayBuffer> {
  const [, height, width, channels] = shape;
  return Float64Array.from(x, (value, index) => {
    const pixel = Math.floor(index / channels);
    const c = index % channels;
    const here = [pixel % width, Math.floor(pixel / width) % height] as const;
    const own = { here, extent: [width, height] as const, middle: range.middle(c), span: range.span(c) };
    return to(value, own, drawsOf(at, Math.floor(pixel / (height * width))));
  });
}

/** With which row each is mixed, and the share of itself that it keeps. */
export function pairs(at: BatchPlace, alpha: number): { readonly row: number; readonly share: number }[] {
  const { seed, epoch, index, batch, samples, place } = at;
  const stream = STREAMS.augment + place;
  const [key] = pcg4d(seed, stream, epoch, 0xffffffff - index);
  return Array.from({ length: batch }, (_, row) => {
    const other = permute(seed, key, row, batch);
    if (index * batch + Math.max(row, other) >= samples) return { row, share: 1 };
    for (let attempt = 0; attempt < 24; attempt++) {
      const [a, b] = pcg4d(seed, stream + (attempt << 8), epoch, index * batch + row);
      const first = toUniform(a) ** (1 / alpha);
      const sum = first + toUniform(b) ** (1 / alpha);
      if (sum <= 1 && sum > 0) return { row: other, share: first / sum };
    }
    return { row: other, share: 1 };
  });
}

/** Rows mixed with their other ones. @param x [B, length] */
export function mixed(
  x: ArrayLike<number>,
  length: number,
  rows: readonly { readonly row: number; readonly share: number }[],
): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: rows.length * length }, (_, i) => {
    const { row = 0, share = 1 } = rows[Math.floor(i / length)] ?? {};
    return share * (x[i] ?? 0) + (1 - share) * (x[row * length + (i % length)] ?? 0);
  });
}
