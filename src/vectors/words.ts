/**
 * Operations on packed vectors on the processor, for where there is no GPU: plain typed arrays, with the results of the GPU to the bit.
 * Among many keys `src/cpu/search.ts` is some twenty times as fast as `searchWords`, but has an engine to load.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { popcount } from '../numerics/pack.ts';
import { majorityWords } from '../numerics/votes.ts';
import { assertKnownOptions } from '../options.ts';
import { assertSizes, tieWords } from './memories.ts';
import { vectorsIn } from './signs.ts';
import type { Found } from './vector-index.ts';

type Words = Uint32Array<ArrayBuffer>;

/**
 * Binds packed vectors: the products of their signs.
 * @param x words [count, ceil(bits / 32)]
 * @param y as many, or one vector that all are bound to
 * @throws ShapeError
 */
export function bindWords(x: Words, y: Words, bits: number): Words {
  const [rows, others] = [vectorsIn(x, bits, 'bindWords'), vectorsIn(y, bits, 'bindWords')];
  if (others !== 1 && others !== rows) {
    throw new ShapeError('Vectors that are bound are as many, or one.', {
      given: `${rows} and ${others}`,
      where: 'bindWords',
    });
  }
  return x.map((word, i) => word ^ (y[i % y.length] ?? 0));
}

/** The opposite vectors. @param x words [count, ceil(bits / 32)] @throws ShapeError */
export function negateWords(x: Words, bits: number): Words {
  vectorsIn(x, bits, 'negateWords');
  const each = Math.ceil(bits / 32);
  return x.map((word, i) => (i % each === each - 1 ? ~word & tailOf(bits) : ~word));
}

/** The bits that the last word of a vector has. */
const tailOf = (bits: number) => (bits % 32 === 0 ? 0xffffffff : 2 ** (bits % 32) - 1);

/**
 * Rotates packed vectors: sign i goes to place i + by.
 * @param x words [count, ceil(bits / 32)]
 * @param by any integer
 * @throws ShapeError, OptionError
 */
export function rotateWords(x: Words, bits: number, by: number): Words {
  const rows = vectorsIn(x, bits, 'rotateWords');
  const each = Math.ceil(bits / 32);
  if (!Number.isSafeInteger(by)) {
    throw new OptionError('Vectors are rotated by an integer.', { given: `${by}`, where: 'rotateWords' });
  }
  const shift = ((by % bits) + bits) % bits;
  const out = new Uint32Array(x.length);
  /** Copies so many bits of a row to another place of it, up to 32 at a time. */
  const copy = (first: number, from: number, to: number, count: number) => {
    for (let done = 0; done < count; ) {
      const [at, place] = [from + done, to + done];
      const width = Math.min(count - done, 32 - (at & 31), 32 - (place & 31));
      const taken = ((x[first + (at >> 5)] ?? 0) >>> (at & 31)) & (width === 32 ? -1 : 2 ** width - 1);
      out[first + (place >> 5)] = (out[first + (place >> 5)] ?? 0) | (taken << (place & 31));
      done += width;
    }
  };
  for (let row = 0; row < rows; row++) {
    copy(row * each, 0, shift, bits - shift);
    copy(row * each, bits - shift, 0, shift);
  }
  return out;
}

/** What is bundled, and how. */
export interface BundleOptions {
  /** Length of a vector. */
  readonly bits: number;
  /** Decides where a sum is 0, of 32 bits. */
  readonly seed: number;
  /** How many bundles are made, each of as many vectors. Default 1. */
  readonly groups?: number;
  /** Integers [vectors]: what each counts, negative ones too. Default: each counts 1. */
  readonly weights?: ArrayLike<number>;
}

/**
 * Bundles packed vectors, group by group: the sign of their sum.
 * @param x words [groups · vectors of a group, ceil(bits / 32)]
 * @returns words [groups, ceil(bits / 32)]
 * @throws ShapeError where groups don't divide the vectors, or there are not as many weights; OptionError for no vector
 */
export function bundleWords(x: Words, options: BundleOptions): Words {
  const where = 'bundleWords';
  assertKnownOptions(options, ['bits', 'seed', 'groups', 'weights'], where);
  const { bits, seed, groups = 1, weights } = options;
  assertSizes({ bits, groups }, seed, where);
  const each = Math.ceil(bits / 32);
  const all = vectorsIn(x, bits, where);
  if (all === 0) throw new OptionError('A bundle is of one vector at least.', { given: 'none', where });
  const rows = all / groups;
  if (!Number.isInteger(rows) || (weights !== undefined && weights.length !== all)) {
    throw new ShapeError('Groups have as many vectors each, and every vector a weight.', {
      given: `${all} vectors, ${groups} groups, ${weights?.length ?? 'no'} weights`,
      where,
    });
  }
  const odd = Array.from(weights ?? []).find((weight) => !Number.isSafeInteger(weight));
  if (odd !== undefined) {
    throw new OptionError('What a vector counts is an integer.', {
      given: `${odd}`,
      where: `${where}: weights`,
    });
  }
  const out = new Uint32Array(groups * each);
  for (let group = 0; group < groups; group++) {
    const ties = tieWords(bits, seed, group);
    const vectors = Array.from({ length: rows }, (_, row) => {
      const at = (group * rows + row) * each;
      return x.subarray(at, at + each);
    });
    const bundled =
      weights === undefined
        ? majorityWords(vectors, (word) => ties[word] ?? 0)
        : weighted(vectors, (row) => weights[group * rows + row] ?? 0, ties, bits);
    out.set(bundled, group * each);
  }
  return out;
}

function weighted(
  vectors: readonly Words[],
  weightOf: (row: number) => number,
  ties: Words,
  bits: number,
): Words {
  const sums = new Float64Array(bits);
  for (const [row, words] of vectors.entries()) {
    const weight = weightOf(row);
    for (let place = 0; place < bits; place++) {
      sums[place] = (sums[place] ?? 0) + ((words[place >> 5] ?? 0) & (1 << (place & 31)) ? -weight : weight);
    }
  }
  const out = new Uint32Array(ties.length);
  for (const [place, sum] of sums.entries()) {
    const bit = 1 << (place & 31);
    if (sum < 0 || (sum === 0 && (ties[place >> 5] ?? 0) & bit)) {
      out[place >> 5] = (out[place >> 5] ?? 0) | bit;
    }
  }
  return out;
}

/** How many queries and keys these are. @throws ShapeError; OptionError unless there are so many keys */
export function assertSearch(queries: Words, keys: Words, bits: number, count: number, where: string) {
  const each = Math.ceil(bits / 32);
  const [asked, size] = [vectorsIn(queries, bits, where), vectorsIn(keys, bits, where)];
  if (size === 0) throw new OptionError('There are no keys to search among.', { given: 'none', where });
  if (Number.isSafeInteger(count) && count >= 1 && count <= size) return { each, asked, size };
  throw new OptionError('There are not so many nearest keys.', {
    given: `${count} of ${size} keys`,
    expected: `1 to ${size}`,
    where,
  });
}

/** The nearest keys so far of some queries, in order. */
export class NearestLists {
  readonly #count: number;
  readonly #distances: Words;
  readonly #places: Words;
  /** How far the last of each list is: what is no nearer needs not be put. */
  readonly most: Words;

  constructor(queries: number, count: number) {
    this.#count = count;
    this.#distances = new Uint32Array(queries * count).fill(0xffffffff);
    this.#places = new Uint32Array(queries * count);
    this.most = new Uint32Array(queries).fill(0xffffffff);
  }

  /** Puts a key, which comes after all that were put before and is nearer than the last of them. */
  put(query: number, distance: number, key: number): void {
    const first = query * this.#count;
    const last = first + this.#count - 1;
    let at = last;
    while (at > first && (this.#distances[at - 1] ?? 0) > distance) {
      this.#distances[at] = this.#distances[at - 1] ?? 0;
      this.#places[at] = this.#places[at - 1] ?? 0;
      at -= 1;
    }
    this.#distances[at] = distance;
    this.#places[at] = key;
    this.most[query] = this.#distances[last] ?? 0;
  }

  /** What was found among vectors of so many bits. */
  found(bits: number): Found {
    return {
      keys: this.#places,
      similarities: Int32Array.from(this.#distances, (distance) => bits - 2 * distance),
    };
  }
}

/**
 * The nearest keys of every query, of equally near ones those that come first.
 * @param queries words [queries, ceil(bits / 32)]
 * @param keys words [size, ceil(bits / 32)]
 * @param count how many, no more than there are keys
 * @throws ShapeError, OptionError
 */
export function searchWords(queries: Words, keys: Words, bits: number, count: number): Found {
  const { each, asked, size } = assertSearch(queries, keys, bits, count, 'searchWords');
  const lists = new NearestLists(asked, count);
  for (let query = 0; query < asked; query++) {
    let most = 0xffffffff;
    for (let key = 0; key < size; key++) {
      let distance = 0;
      for (let word = 0; word < each; word++) {
        distance += popcount((queries[query * each + word] ?? 0) ^ (keys[key * each + word] ?? 0));
      }
      if (distance >= most) continue;
      lists.put(query, distance, key);
      most = lists.most[query] ?? 0;
    }
  }
  return lists.found(bits);
}
