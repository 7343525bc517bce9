/** Methods and sources, to write one's own: all that the other entries have of them, and the check that holds WGSL against its twin. */
export {
  defineSource,
  type Labels,
  type ResidentSource,
  type SampleBatch,
  type Source,
  type StreamedSource,
  streamed,
} from './data/index.ts';
export { checkMethod, type MethodCheck } from './methods/check.ts';
export * from './methods/index.ts';
export * from './methods/losses/others.ts';
export * from './methods/optimizers/others.ts';
export * from './methods/penalties/others.ts';
export * from './methods/quantizers/others.ts';
export {
  BINARY,
  type GradientGenome,
  quantizerOfGenome,
  type SearchOptions,
  type SearchResult,
  searchGradients,
  UNARY,
} from './methods/search.ts';
export { EVERY, METHODS, methodByName } from './methods/table.ts';
export { throughRow } from './methods/through.ts';
