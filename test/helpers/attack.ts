/** Damaged files by the thousand: a reader gives a result or an error of ours on one screen, and allocates no more than it says. */
import { expect } from 'vitest';
import { BnnError } from '../../src/errors.ts';

/** Numbers below `limit`, a sequence of its own for each seed (mulberry32). */
export function randomOf(seed: number): (limit: number) => number {
  let state = Math.imul(seed + 1, 0x9e37_79b1) >>> 0;
  return (limit) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

/** Values that are taken for lengths and offsets. */
const LENGTHS = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/**
 * A file, damaged in one to three ways: bits flipped, bytes changed, cut off, a length or an offset inflated, a range
 * doubled or left out, a word copied over another one (in files of offsets, circles).
 */
export function damage(source: Uint8Array<ArrayBuffer>, round: number): Uint8Array<ArrayBuffer> {
  const random = randomOf(round);
  let bytes = source.slice();
  for (let change = 0; change <= random(3) && bytes.length > 8; change++) {
    const at = random(bytes.length);
    const view = new DataView(bytes.buffer);
    const word = Math.min(at, bytes.length - 4);
    switch (random(7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes[at] = random(256);
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        view.setUint32(word, LENGTHS[random(LENGTHS.length)] ?? 0, true);
        break;
      case 4: {
        const count = 1 + random(Math.min(64, bytes.length - at));
        const longer = new Uint8Array(bytes.length + count);
        longer.set(bytes.subarray(0, at + count));
        longer.set(bytes.subarray(at), at + count);
        bytes = longer;
        break;
      }
      case 5: {
        const count = 1 + random(64);
        const shorter = new Uint8Array(Math.max(at, bytes.length - count));
        shorter.set(bytes.subarray(0, at));
        shorter.set(bytes.subarray(at + count), at);
        bytes = shorter;
        break;
      }
      default:
        view.setUint32(word, view.getUint32(random(bytes.length - 4), true), true);
    }
  }
  return bytes;
}

export interface Outcome {
  readonly refused: number;
  readonly read: number;
  /** Bytes of the arrays that were made for one file, at most. */
  readonly most: number;
}

/** Characters of a message: it fits a screen, whatever stood in the file. */
export const LONGEST_MESSAGE = 4000;

/**
 * Lets a reader read what `make` gives, round after round.
 * @param options.allocation bytes of the largest array that the reader, and what damages files, may make
 * @param options.held bytes of all arrays together that the reader may make for one file
 * @returns how many were refused by an error of ours, and how many were read; anything else fails the test
 */
export function attack<T>(
  rounds: number,
  make: (round: number) => T,
  read: (damaged: T) => unknown,
  options: { readonly allocation: number; readonly held?: number; readonly first?: number },
): Outcome {
  const first = options.first ?? 0;
  const { held = Number.POSITIVE_INFINITY } = options;
  return withAllocationLimit(options.allocation, (made) => {
    let refused = 0;
    let most = 0;
    for (let round = first; round < first + rounds; round++) {
      const damaged = make(round);
      made.bytes = 0;
      try {
        read(damaged);
      } catch (error) {
        if (!(error instanceof BnnError)) expect.fail(`round ${round}: ${String(error)}`);
        const { length } = error.message;
        if (length > LONGEST_MESSAGE) expect.fail(`round ${round}: a message of ${length} characters`);
        refused += 1;
      }
      most = Math.max(most, made.bytes);
      if (made.bytes > held)
        expect.fail(`round ${round}: ${made.bytes} bytes were made, at most ${held} are allowed`);
    }
    return { refused, read: rounds - refused, most };
  });
}

const ARRAYS = [
  'Uint8Array',
  'Uint16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
] as const;

/** Runs `body` while typed arrays above a size can't be made by their length. */
function withAllocationLimit<T>(limit: number, body: (made: { bytes: number }) => T): T {
  const made = { bytes: 0 };
  const globals = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
  const originals = ARRAYS.map((name) => [name, globals[name]] as const);
  for (const [name, original] of originals) {
    if (original === undefined) continue;
    const { BYTES_PER_ELEMENT: width } = original as unknown as { BYTES_PER_ELEMENT: number };
    globals[name] = new Proxy(original, {
      construct(target, args, newTarget) {
        const [length] = args;
        if (typeof length === 'number' && length * width > limit) {
          throw new RangeError(`${length * width} bytes were asked for, at most ${limit} are allowed`);
        }
        if (typeof length === 'number') made.bytes += length * width;
        return Reflect.construct(target, args, newTarget === globals[name] ? target : newTarget) as object;
      },
    });
  }
  try {
    return body(made);
  } finally {
    for (const [name, original] of originals) if (original !== undefined) globals[name] = original;
  }
}
