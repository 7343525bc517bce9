/** Rotation before binarization, in float64. */
import { pcg4d } from './random.ts';

const STREAM_ROTATION = 0x726f7461;

/** The smallest power of two that is `length` at least. */
export function paddedLength(length: number): number {
  let size = 1;
  while (size < length) size *= 2;
  return size;
}

/** The random sign of element `index` in a round of `rotate`. */
export function rotationSign(seed: number, round: number, index: number): 1 | -1 {
  return pcg4d(seed, STREAM_ROTATION, index, round)[0] >>> 31 ? -1 : 1;
}

/**
 * The orthonormal Walsh–Hadamard transform, in the order of Hadamard's matrix: H/√n with n the length.
 * @param x as many numbers as a power of two
 */
export function walshHadamard(x: ArrayLike<number>): number[] {
  const y = Array.from(x);
  for (let half = 1; half < y.length; half *= 2) {
    for (let i = 0; i < y.length; i++) {
      if (i & half) continue;
      const [a = 0, b = 0] = [y[i], y[i + half]];
      y[i] = a + b;
      y[i + half] = a - b;
    }
  }
  return y.map((value) => value / Math.sqrt(y.length));
}

/**
 * A pseudo-random rotation of x: `rounds` times random signs, then the Walsh–Hadamard transform. Lengths that are no
 * power of two are padded with zeros to the next one, so the result lives in that many dimensions. Angles between
 * vectors stay as they are.
 */
export function rotate(x: ArrayLike<number>, options: { seed: number; rounds: number }): number[] {
  const size = paddedLength(x.length);
  let y = Array.from({ length: size }, (_, i) => x[i] ?? 0);
  for (let round = 0; round < options.rounds; round++) {
    y = walshHadamard(y.map((value, i) => value * rotationSign(options.seed, round, i)));
  }
  return y;
}

/** The inverse of `rotate`: the transposed rotation of y, cut to `length` numbers. */
export function unrotate(
  y: ArrayLike<number>,
  length: number,
  options: { seed: number; rounds: number },
): number[] {
  let x = Array.from(y);
  for (let round = options.rounds - 1; round >= 0; round--) {
    x = walshHadamard(x).map((value, i) => value * rotationSign(options.seed, round, i));
  }
  return x.slice(0, length);
}

/**
 * Generalized binarization (Anderson & Berg 2018): Rᵀ·sign(R·w). Near 37° from w, however its entries differ in size.
 */
export function rotatedSigns(w: ArrayLike<number>, options: { seed: number; rounds: number }): number[] {
  const signs = rotate(w, options).map((value) => (value < 0 ? -1 : 1));
  return unrotate(signs, w.length, options);
}
