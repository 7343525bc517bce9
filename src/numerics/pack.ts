/** Packing signs: bit 1 means −1, bit 0 means +1, sign(0) = +1; 32 to a word, least significant first. */

/**
 * Packs the signs of `rows` rows of `channels` values; each row starts a new word, tail bits are 0.
 * @returns `rows * ceil(channels / 32)` words
 */
export function packSigns(x: ArrayLike<number>, rows: number, channels: number): Uint32Array<ArrayBuffer> {
  const words = Math.ceil(channels / 32);
  const packed = new Uint32Array(rows * words);
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < channels; c++) {
      const negative = (x[row * channels + c] ?? 0) < 0;
      if (negative) packed[row * words + (c >> 5)] = (packed[row * words + (c >> 5)] ?? 0) | (1 << (c & 31));
    }
  }
  return packed;
}

/** The inverse of `packSigns`: ±1 for every value. */
export function unpackSigns(
  packed: ArrayLike<number>,
  rows: number,
  channels: number,
): Float64Array<ArrayBuffer> {
  const words = Math.ceil(channels / 32);
  const x = new Float64Array(rows * channels);
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < channels; c++) {
      const word = packed[row * words + (c >> 5)] ?? 0;
      x[row * channels + c] = (word >>> (c & 31)) & 1 ? -1 : 1;
    }
  }
  return x;
}

/** Set bits of a 32-bit word, in parallel sums of pairs, fours and bytes. */
export function popcount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
