/**
 * Counter-based random numbers: a number is a function of (seed, stream, index), never of what was drawn before, so
 * that the GPU, the host and a resumed run agree on every draw. `shaders/lib/random.wgsl` is the same arithmetic.
 */

/**
 * What a stream of numbers is for; the second counter of every draw, so that two purposes never share numbers.
 * Layers draw from their place in the model, parameters' initial values from `initial` upwards.
 */
export const STREAMS = {
  augment: 0x6175676d,
  shuffle: 0x73687566,
  initial: 0x10000,
} as const;

const FEISTEL_ROUNDS = 6;

/**
 * The 4-D permuted congruential generator: mixes four counters into four words, every one depending on all four.
 * Source: Jarzynski & Olano, "Hash Functions for GPU Rendering" (JCGT 9(3), 2020), listing `pcg4d`.
 */
export function pcg4d(a: number, b: number, c: number, d: number): [number, number, number, number] {
  const lcg = (v: number) => Math.imul(v, 1664525) + 1013904223;
  let x = lcg(a);
  let y = lcg(b);
  let z = lcg(c);
  let w = lcg(d);
  const stir = () => {
    x = (x + Math.imul(y, w)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
    w = (w + Math.imul(y, z)) | 0;
  };
  stir();
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  w ^= w >>> 16;
  stir();
  return [x >>> 0, y >>> 0, z >>> 0, w >>> 0];
}

/** A number in [0, 1) from the top 24 bits of a word: exact in f32, so the same on every device. */
export function toUniform(word: number): number {
  return (word >>> 8) / 2 ** 24;
}

/** The `index`-th uniform number in [0, 1) of a stream, a multiple of 2^-24. */
export function uniform01(seed: number, stream: number, index: number): number {
  return toUniform(pcg4d(seed, stream, index, 0)[0]);
}

/** What is dropped at this rate: of 24 random bits, numbers below the result. */
export function dropoutThreshold(rate: number): number {
  return Math.round(rate * 2 ** 24);
}

/** The `index`-th standard normal number of a stream (Box & Muller 1958), in float64; for the host only. */
export function normal(seed: number, stream: number, index: number): number {
  const [first, second] = pcg4d(seed, stream, index, 0);
  // 1 - u lies in (0, 1], where the logarithm is finite.
  return Math.sqrt(-2 * Math.log(1 - toUniform(first))) * Math.cos(2 * Math.PI * toUniform(second));
}

/** Bits of each half of the smallest balanced Feistel network whose domain holds `count` values. */
export function feistelHalfBits(count: number): number {
  let half = 1;
  while (2 ** (2 * half) < count) half += 1;
  return half;
}

/**
 * A keyed bijection of [0, count): the `index`-th entry of the shuffled order of an epoch, without the order being
 * stored anywhere. A balanced Feistel network (Luby & Rackoff 1988) permutes the next power of four; values outside
 * [0, count) are sent through it again until they are inside (cycle walking, Black & Rogaway 2002).
 * @param count 1 to 2^31
 */
export function permute(seed: number, epoch: number, index: number, count: number): number {
  const half = feistelHalfBits(count);
  const mask = 2 ** half - 1;
  let value = index;
  do {
    let left = value >>> half;
    let right = value & mask;
    for (let round = 0; round < FEISTEL_ROUNDS; round++) {
      const [word] = pcg4d(seed, epoch, right, STREAMS.shuffle + round);
      [left, right] = [right, (left ^ word) & mask];
    }
    value = ((left << half) | right) >>> 0;
  } while (value >= count);
  return value;
}
