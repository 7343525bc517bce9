/**
 * Search and binding on the processor, for where there is no GPU: plain typed arrays, with the results of the GPU to the bit. Among
 * many keys `src/cpu/search.ts` is some twenty times as fast, but has an engine to load.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { popcount } from '../numerics/pack.ts';
import { countOf } from './signs.ts';

type Words = Uint32Array<ArrayBuffer>;

/** The nearest keys of queries, as `VectorIndex.search` gives them. */
export interface FoundWords {
  readonly keys: Words;
  readonly similarities: Int32Array<ArrayBuffer>;
}

/**
 * Binds packed vectors: the products of their signs.
 * @param x words [count, ceil(bits / 32)]
 * @param y as many, or one vector that all are bound to
 * @throws ShapeError
 */
export function bindWords(x: Words, y: Words, bits: number): Words {
  const each = Math.ceil(bits / 32);
  const [rows, others] = [countOf(x.length, each, 'bindWords'), countOf(y.length, each, 'bindWords')];
  if (others !== 1 && others !== rows) {
    throw new ShapeError('Vectors that are bound are as many, or one.', {
      given: `${rows} and ${others}`,
      where: 'bindWords',
    });
  }
  return x.map((word, i) => word ^ (y[i % y.length] ?? 0));
}

/** How many queries and keys these are. @throws ShapeError; OptionError unless there are so many keys */
export function assertSearch(queries: Words, keys: Words, bits: number, count: number, where: string) {
  const each = Math.ceil(bits / 32);
  const [asked, size] = [countOf(queries.length, each, where), countOf(keys.length, each, where)];
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
  found(bits: number): FoundWords {
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
export function searchWords(queries: Words, keys: Words, bits: number, count: number): FoundWords {
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
