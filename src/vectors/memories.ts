/** Item and level memories on the processor: the vectors of `itemMemory` and `levelMemory`, to the bit. */
import { OptionError } from '../errors.ts';
import { pcg4d, permute } from '../numerics/random.ts';

export type Words = Uint32Array<ArrayBuffer>;

const STREAMS = { items: 0x6974656d, levels: 0x6c65766c, ties: 0x74696573 } as const;

/** @throws OptionError unless all are positive integers, and the seed one of 32 bits */
export function assertSizes(sizes: Readonly<Record<string, number>>, seed: number, where: string): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new OptionError('This is a positive integer.', { given: `${name} = ${value}`, where });
  }
  if (Number.isSafeInteger(seed) && seed >= 0 && seed < 2 ** 32) return;
  throw new OptionError('A seed is an integer of 32 bits.', { given: `seed = ${seed}`, where });
}

function randomRow(row: number, bits: number, seed: number, stream: number): Words {
  const words = Uint32Array.from(
    { length: Math.ceil(bits / 32) },
    (_, word) => pcg4d(seed, stream, row, word)[0],
  );
  const tail = bits % 32;
  if (tail !== 0) words[words.length - 1] = (words.at(-1) ?? 0) & (2 ** tail - 1);
  return words;
}

/** One row of an item memory. @returns words [ceil(bits / 32)] */
export const itemRow = (row: number, bits: number, seed: number): Words =>
  randomRow(row, bits, seed, STREAMS.items);

/** What memories on the processor are made of. */
export interface MemoryOptions {
  /** How many vectors. */
  readonly rows: number;
  /** Length of a vector. */
  readonly bits: number;
  /** By which they are drawn, of 32 bits. */
  readonly seed: number;
}

/** `itemMemory` on the processor: random vectors, one a thing. @returns words [rows, ceil(bits / 32)] @throws OptionError */
export function itemWords({ rows, bits, seed }: MemoryOptions): Words {
  assertSizes({ rows, bits }, seed, 'itemWords');
  const each = Math.ceil(bits / 32);
  const words = new Uint32Array(rows * each);
  for (let row = 0; row < rows; row++) words.set(itemRow(row, bits, seed), row * each);
  return words;
}

/**
 * `levelMemory` on the processor: vectors for levels of a quantity, of which the similarity falls evenly with their distance.
 * @param options.circular the last level is next to the first
 * @returns words [rows, ceil(bits / 32)]
 * @throws OptionError
 */
export function levelWords({
  rows,
  bits,
  seed,
  circular = false,
}: MemoryOptions & { readonly circular?: boolean }): Words {
  assertSizes({ rows, bits }, seed, 'levelWords');
  const each = Math.ceil(bits / 32);
  const half = Math.floor(bits / 2);
  const flipsOf = (step: number, steps: number) => Math.floor((half * step) / Math.max(1, steps));
  // Of a circle, the first half of the levels flips signs, the second flips them back in the same order.
  const there = circular ? Math.ceil(rows / 2) : rows - 1;
  const order = new Uint32Array(bits);
  for (let place = 0; place < bits; place++) order[permute(seed, STREAMS.levels, place, bits)] = place;
  const words = new Uint32Array(rows * each);
  const now = randomRow(0, bits, seed, STREAMS.levels);
  const flip = (rank: number) => {
    const place = order[rank] ?? 0;
    now[place >> 5] = (now[place >> 5] ?? 0) ^ (1 << (place & 31));
  };
  let [flipped, back] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (const flips = flipsOf(Math.min(row, there), there); flipped < flips; flipped++) flip(flipped);
    for (const flips = flipsOf(Math.max(0, row - there), rows - there); back < flips; back++) flip(back);
    words.set(now, row * each);
  }
  return words;
}

/** Signs for sums that are 0, of one bundle of several. @returns words [ceil(bits / 32)] */
export const tieWords = (bits: number, seed: number, row = 0): Words =>
  randomRow(row, bits, seed, STREAMS.ties);
