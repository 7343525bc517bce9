/**
 * Running models, and nothing else: what a page needs of webgpu-bnn that loads networks and predicts with them. The same
 * names as in the main entry, for bundlers that can't tell what a page uses of that.
 *
 *   const loaded = await loadModel('model.safetensors');
 *   const classifier = await loaded.createClassifier();
 *   classifier.engine; // 'gpu', or 'wasm' where there is none
 */
export * from './errors.ts';
export {
  type LoadedModel,
  type LoadOptions,
  type LoadProgress,
  loadModel,
  type ModelContent,
  type ModelFile,
  type ModelFiles,
  type ModelFormat,
  type ModelSource,
} from './formats/load.ts';
export { type AdapterSummary, Gpu, type RequestOptions } from './gpu/index.ts';
export { type Model, Network, type NetworkOptions } from './graph/index.ts';
export {
  type Classification,
  Classifier,
  type ClassifierOptions,
  type ClassifyOptions,
  type Engine,
  type EngineChoice,
  type PixelEncoding,
  type PixelRange,
  type Runner,
  type RunsOn,
  wasmEngine,
} from './run/index.ts';
