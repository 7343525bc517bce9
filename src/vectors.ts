/**
 * The entry `webgpu-bnn/vectors`: hypervectors and search among binary vectors on a GPU, and for where there is none the same to the bit
 * on the processor: `itemWords`, `levelWords`, `bindWords`, `bundleWords`, `rotateWords`, `negateWords` on typed arrays, and
 * `nearestWords` in WebAssembly.
 *
 *   import { nearestWords, signsOf } from 'webgpu-bnn/vectors';
 *
 *   const { keys, similarities } = await nearestWords(signsOf(queries, 1024), signsOf(embeddings, 1024), 1024, 10);
 */
import type { Found } from './vectors/index.ts';

export * from './vectors/index.ts';

/**
 * The nearest keys of every query without a GPU, of equally near ones those that come first: what `VectorIndex.search` finds. The
 * WebAssembly engine is loaded by the first call.
 * @param queries packed signs [queries, ceil(bits / 32)], as `signsOf` gives them; what is behind the last bit of a vector is 0
 * @param keys packed signs [keys, ceil(bits / 32)]
 * @param count how many, no more than there are keys
 * @throws ShapeError, OptionError; WebAssemblyUnavailableError where there are no vectors of 128 bits
 */
export async function nearestWords(
  queries: Uint32Array<ArrayBuffer>,
  keys: Uint32Array<ArrayBuffer>,
  bits: number,
  count: number,
): Promise<Found> {
  const { searchInWasm } = await import('./cpu/search.ts');
  return await searchInWasm(queries, keys, bits, count);
}
