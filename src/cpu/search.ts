/** Search among packed vectors by the loops that count differing signs: `searchWords` to the bit, by vectors of 128 bits. */
import type { Found } from '../vectors/vector-index.ts';
import { assertSearch, NearestLists } from '../vectors/words.ts';
import { areLoopsMeasured, loopFor, measureLoops } from './loops.ts';
import { kernelModule, kernelsOn, memoryOf } from './machine.ts';

type Words = Uint32Array<ArrayBuffer>;

/** Keys that are counted at once, which stay in a processor's cache: a multiple of 4. */
const ROWS = 512;
/** Queries that a call of the loop counts: `BLOCK` of `wasm/count.as`. */
const BLOCK = 32;

/**
 * The nearest keys of every query, of equally near ones those that come first.
 * @param queries words [queries, ceil(bits / 32)]
 * @param keys words [size, ceil(bits / 32)]
 * @param count how many, no more than there are keys
 * @throws ShapeError, OptionError; WebAssemblyUnavailableError where there are no vectors of 128 bits
 */
export async function searchInWasm(queries: Words, keys: Words, bits: number, count: number): Promise<Found> {
  const { each, asked, size } = assertSearch(queries, keys, bits, count, 'nearestWords');
  // Whole vectors, zeros after the last word; queries lie in pairs.
  const stride = 4 * Math.ceil(each / 4);
  const pairs = 2 * Math.ceil(asked / 2);
  const [atRows, atFilters, atCounts] = [0, ROWS * stride, (ROWS + pairs) * stride];
  const bytes = 4 * (atCounts + ROWS * BLOCK);
  const memory = memoryOf(bytes, bytes, false);
  const kernels = await kernelsOn(await kernelModule(false), memory);
  if (!areLoopsMeasured()) await measureLoops();
  const loop = loopFor(each);
  const words = new Uint32Array(memory.buffer);
  for (let query = 0; query < asked; query++) {
    const pair = atFilters + (query & ~1) * stride + 4 * (query & 1);
    for (let word = 0; word < each; word++) {
      words[pair + 8 * (word >> 2) + (word & 3)] = queries[query * each + word] ?? 0;
    }
  }
  const lists = new NearestLists(asked, count);
  for (let first = 0; first < size; first += ROWS) {
    const height = Math.min(ROWS, size - first);
    if (stride === each) words.set(keys.subarray(first * each, (first + height) * each), atRows);
    else {
      for (let row = 0; row < height; row++) {
        const from = (first + row) * each;
        words.set(keys.subarray(from, from + each), atRows + row * stride);
      }
    }
    for (let block = 0; block < asked; block += BLOCK) {
      const width = Math.min(BLOCK, asked - block);
      const filters = atFilters + block * stride;
      kernels.count(loop, 4 * atRows, height, 4 * stride, 4 * filters, width, each, 4 * atCounts);
      for (let row = 0; row < height; row++) {
        for (let i = 0; i < width; i++) {
          const distance = words[atCounts + row * BLOCK + i] ?? 0;
          if (distance < (lists.most[block + i] ?? 0)) lists.put(block + i, distance, first + row);
        }
      }
    }
  }
  return lists.found(bits);
}
