/**
 * Search and binding on the processor, for where there is no GPU: plain typed arrays, with the results of the GPU to the bit. The
 * loop counts the bits of a word in a dozen operations, which WebAssembly's vectors would halve at best: there is no engine to load.
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

/**
 * The nearest keys of every query, of equally near ones those that come first.
 * @param queries words [queries, ceil(bits / 32)]
 * @param keys words [size, ceil(bits / 32)]
 * @param count how many, no more than there are keys
 * @throws ShapeError, OptionError
 */
export function searchWords(queries: Words, keys: Words, bits: number, count: number): FoundWords {
  const where = 'searchWords';
  const each = Math.ceil(bits / 32);
  const [asked, size] = [countOf(queries.length, each, where), countOf(keys.length, each, where)];
  if (!Number.isSafeInteger(count) || count < 1 || count > size) {
    throw new OptionError('There are not so many nearest keys.', {
      given: `${count} of ${size} keys`,
      expected: `1 to ${size}`,
      where,
    });
  }
  const found = { keys: new Uint32Array(asked * count), similarities: new Int32Array(asked * count) };
  const distances = new Uint32Array(count);
  for (let query = 0; query < asked; query++) {
    const places = found.keys.subarray(query * count, (query + 1) * count);
    distances.fill(0xffffffff);
    let most = 0xffffffff;
    for (let key = 0; key < size; key++) {
      let distance = 0;
      for (let word = 0; word < each; word++) {
        distance += popcount((queries[query * each + word] ?? 0) ^ (keys[key * each + word] ?? 0));
      }
      if (distance >= most) continue;
      let at = count - 1;
      while (at > 0 && (distances[at - 1] ?? 0) > distance) {
        distances[at] = distances[at - 1] ?? 0;
        places[at] = places[at - 1] ?? 0;
        at -= 1;
      }
      distances[at] = distance;
      places[at] = key;
      most = distances[count - 1] ?? 0;
    }
    for (let i = 0; i < count; i++) found.similarities[query * count + i] = bits - 2 * (distances[i] ?? 0);
  }
  return found;
}
