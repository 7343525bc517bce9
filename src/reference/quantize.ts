/** Binarizing: signs, and what a gradient passes where that is a window. */
import { packSigns } from '../numerics/pack.ts';

/**
 * Sign bits, and gate bits: 1 where |x| ≤ window, so that the gradient passes (NaN blocks it).
 * @returns two times `rows * ceil(channels / 32)` words, tail bits 0
 */
export function binarize(
  x: ArrayLike<number>,
  rows: number,
  channels: number,
  window = 1,
): { bits: Uint32Array<ArrayBuffer>; gate: Uint32Array<ArrayBuffer> } {
  // Packing marks what is below zero.
  const passes = Array.from(x, (value) => (Math.abs(value) <= window ? -1 : 1));
  return { bits: packSigns(x, rows, channels), gate: packSigns(passes, rows, channels) };
}
