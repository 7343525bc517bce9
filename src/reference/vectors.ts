/** Hypervectors in plain TypeScript: packed words, bit by bit. */
import { pcg4d, permute } from '../numerics/random.ts';

const STREAMS = { items: 0x6974656d, levels: 0x6c65766c, ties: 0x74696573 } as const;

type Words = Uint32Array<ArrayBuffer>;
const wordsOf = (bits: number) => Math.ceil(bits / 32);

export function bitAt(words: Words, bits: number, row: number, place: number): number {
  return ((words[row * wordsOf(bits) + (place >> 5)] ?? 0) >>> (place & 31)) & 1;
}

/** Rows of bits, each by a function of its row and place. */
function rowsOf(rows: number, bits: number, bit: (row: number, place: number) => boolean): Words {
  const words = new Uint32Array(rows * wordsOf(bits));
  for (let row = 0; row < rows; row++) {
    for (let place = 0; place < bits; place++) {
      const at = row * wordsOf(bits) + (place >> 5);
      if (bit(row, place)) words[at] = (words[at] ?? 0) | (1 << (place & 31));
    }
  }
  return words;
}

const random = (seed: number, stream: number, row: number, place: number) =>
  ((pcg4d(seed, stream, row, place >> 5)[0] >>> (place & 31)) & 1) === 1;

export function itemMemory(rows: number, bits: number, seed: number): Words {
  return rowsOf(rows, bits, (row, place) => random(seed, STREAMS.items, row, place));
}

export function levelMemory(levels: number, bits: number, seed: number, circular: boolean): Words {
  const half = Math.floor(bits / 2);
  const flips = (step: number, steps: number) => Math.floor((half * step) / Math.max(1, steps));
  const there = Math.ceil(levels / 2);
  const order = Array.from({ length: bits }, (_, place) => permute(seed, STREAMS.levels, place, bits));
  return rowsOf(levels, bits, (level, place) => {
    const rank = order[place] ?? 0;
    const first = circular && level > there ? flips(level - there, levels - there) : 0;
    const last = circular ? flips(Math.min(level, there), there) : flips(level, levels - 1);
    return random(seed, STREAMS.levels, 0, place) !== (rank >= first && rank < last);
  });
}

/** @param y as many rows as x, or one */
export function bind(x: Words, y: Words, rows: number, bits: number, negate = false): Words {
  const others = y.length / wordsOf(bits);
  return rowsOf(rows, bits, (row, place) => {
    const differs = bitAt(x, bits, row, place) !== bitAt(y, bits, row % others, place);
    return differs !== negate;
  });
}

export function negate(x: Words, rows: number, bits: number): Words {
  return rowsOf(rows, bits, (row, place) => bitAt(x, bits, row, place) === 0);
}

export function rotate(x: Words, rows: number, bits: number, by: number): Words {
  return rowsOf(rows, bits, (row, place) => bitAt(x, bits, row, (((place - by) % bits) + bits) % bits) === 1);
}

/** @param weights [groups, rows]; 1 each when absent */
export function bundle(
  x: Words,
  shape: { readonly groups: number; readonly rows: number; readonly bits: number },
  weights: ArrayLike<number> | undefined,
  seed: number,
): Words {
  const { groups, rows, bits } = shape;
  return rowsOf(groups, bits, (group, place) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      const weight = weights?.[group * rows + row] ?? 1;
      sum += weight * (1 - 2 * bitAt(x, bits, group * rows + row, place));
    }
    return sum === 0 ? random(seed, STREAMS.ties, group, place) : sum < 0;
  });
}

/** The k nearest keys of each query: by distance, then by place. */
export function nearest(
  queries: Words,
  keys: Words,
  bits: number,
  k: number,
): [distance: number, key: number][][] {
  const each = wordsOf(bits);
  const [count, total] = [queries.length / each, keys.length / each];
  return Array.from({ length: count }, (_, query) => {
    const all = Array.from({ length: total }, (__, key): [number, number] => {
      let distance = 0;
      for (let place = 0; place < bits; place++) {
        if (bitAt(queries, bits, query, place) !== bitAt(keys, bits, key, place)) distance += 1;
      }
      return [distance, key];
    });
    return all.sort(([a, i], [b, j]) => a - b || i - j).slice(0, k);
  });
}
