/** Thresholds and per-channel scales, as imported and folded networks use them. */
import { packSigns } from '../numerics/pack.ts';

/**
 * +1 where direction·x ≥ threshold, else −1, by channel; packed (bit 1 is −1). Direction 1 is "at least", −1 "at most the
 * negative of the threshold", 0 a constant: +1 where the threshold isn't above 0.
 * @param x [rows, channels]
 * @param direction [channels]
 * @param threshold [channels]
 * @returns `rows * ceil(channels / 32)` words
 */
export function threshold(
  x: ArrayLike<number>,
  rows: number,
  channels: number,
  direction: ArrayLike<number>,
  threshold: ArrayLike<number>,
): Uint32Array<ArrayBuffer> {
  const signs = Array.from(x, (value, index) => {
    const c = index % channels;
    return (direction[c] ?? 0) * value >= (threshold[c] ?? 0) ? 1 : -1;
  });
  return packSigns(signs, rows, channels);
}

/** x·scale + shift by channel, the last axis. */
export function affine(
  x: ArrayLike<number>,
  scale: ArrayLike<number>,
  shift: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const channels = scale.length;
  return Float64Array.from(x, (value, i) => value * (scale[i % channels] ?? 0) + (shift[i % channels] ?? 0));
}
