/**
 * Hypervectors and search among binary vectors, on a GPU. Operations are recorded into a program as all of this library's are;
 * `VectorIndex` finds the nearest of many keys in one call.
 *
 *   import { Gpu, VectorIndex, signsOf } from 'webgpu-bnn/vectors';
 *
 *   using gpu = await Gpu.request();
 *   using index = await VectorIndex.create(gpu, signsOf(embeddings, 1024), { bits: 1024 });
 *   const { keys, similarities } = await index.search(signsOf(queries, 1024), 10);
 */
export * from '../errors.ts';
export { Gpu, ProgramBuilder, Tensor } from '../gpu/index.ts';
export { unpackSigns } from '../numerics/pack.ts';
export { binaryMatMul, packSigns } from '../ops/dense.ts';
export {
  bind,
  bundle,
  itemMemory,
  levelMemory,
  MOST_NEAREST,
  nearest,
  negate,
  rotate,
} from '../ops/vectors.ts';
export { itemWords, levelWords, type MemoryOptions } from './memories.ts';
export { meanOf, signsOf } from './signs.ts';
export { type Found, VectorIndex, type VectorIndexOptions } from './vector-index.ts';
export {
  type BundleOptions,
  bindWords,
  bundleWords,
  negateWords,
  rotateWords,
} from './words.ts';
