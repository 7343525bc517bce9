/** Vectors of reals as signs. */
import { OptionError, ShapeError } from '../errors.ts';
import { packSigns } from '../numerics/pack.ts';

/** How many vectors these are. @throws ShapeError unless they are whole */
export function countOf(length: number, each: number, where: string): number {
  if (Number.isSafeInteger(each) && each >= 1 && length % each === 0) return length / each;
  throw new ShapeError('These are no whole vectors.', {
    given: `${length}`,
    expected: `a multiple of ${each}`,
    where,
  });
}

/** How many packed vectors these are. @throws ShapeError unless they are whole; OptionError for no length, or what holds no words */
export function vectorsIn(words: Uint32Array, bits: number, where: string): number {
  if (!Number.isSafeInteger(bits) || bits < 1) {
    throw new OptionError('The length of a vector is a positive integer.', {
      given: `bits = ${bits}`,
      where,
    });
  }
  if (words instanceof Uint32Array) return countOf(words.length, Math.ceil(bits / 32), where);
  throw new OptionError('Packed vectors are a Uint32Array.', {
    given: Object.prototype.toString.call(words),
    where,
    remedy: 'pack reals by signsOf',
  });
}

/** The first vector that has a bit behind its last one, which would count as a difference; −1 where none has. */
export function firstWithTail(words: Uint32Array, bits: number): number {
  const each = Math.ceil(bits / 32);
  const tail = bits % 32;
  if (tail === 0) return -1;
  for (let last = each - 1; last < words.length; last += each) {
    if ((words[last] ?? 0) >>> tail !== 0) return (last + 1) / each - 1;
  }
  return -1;
}

/**
 * The mean of vectors, which taken off them before their signs are taken makes either sign as frequent as the other.
 * @param x f32 [count, bits]
 * @returns [bits]
 * @throws ShapeError
 */
export function meanOf(x: ArrayLike<number>, bits: number): Float64Array<ArrayBuffer> {
  const count = countOf(x?.length, bits, 'meanOf');
  const mean = new Float64Array(bits);
  for (let i = 0; i < x.length; i++) mean[i % bits] = (mean[i % bits] ?? 0) + (x[i] ?? 0) / count;
  return mean;
}

/**
 * The signs of vectors, packed: 32 to a word, every vector from a new word on, bit 1 for −1; sign(0) = +1.
 * @param x f32 [count, bits]
 * @param options.mean [bits]: taken off first; the same for keys and for queries
 * @returns words [count, ceil(bits / 32)]
 * @throws ShapeError
 */
export function signsOf(
  x: ArrayLike<number>,
  bits: number,
  options: { readonly mean?: ArrayLike<number> | undefined } = {},
): Uint32Array<ArrayBuffer> {
  const count = countOf(x?.length, bits, 'signsOf');
  const { mean } = options;
  if (mean === undefined) return packSigns(x, count, bits);
  if (mean.length !== bits) {
    throw new ShapeError('A mean is as long as the vectors.', {
      given: `${mean.length}`,
      expected: `${bits}`,
      where: 'signsOf',
    });
  }
  const centred = new Float64Array(x.length);
  for (let i = 0; i < centred.length; i++) centred[i] = (x[i] ?? 0) - (mean[i % bits] ?? 0);
  return packSigns(centred, count, bits);
}
