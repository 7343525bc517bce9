/** Running networks: what takes a network and images and says classes, and the engines that it may run on. */
export { type RankedClass, rankClasses } from './classes.ts';
export {
  type Classification,
  Classifier,
  type ClassifierModel,
  type ClassifierOptions,
  type ClassifyOptions,
} from './classifier.ts';
export { type Engine, type EngineChoice, gpuEngine, type Runner, type RunsOn, wasmEngine } from './engine.ts';
export {
  describePixels,
  encodePixels,
  type IntegerGrid,
  PIXEL_RANGES,
  type PixelEncoding,
  type PixelRange,
  rangeName,
} from './pixels.ts';
