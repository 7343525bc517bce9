/**
 * Classifiers of hyperdimensional computing: things are encoded as packed vectors of signs, and a vector is found for each class.
 *
 *   import { adaptHd, recordEncoder, trainClassifier } from 'webgpu-bnn/hypervectors';
 *
 *   const encoder = recordEncoder({ features: 784, levels: 256, bits: 10_000 });
 *   const classifier = trainClassifier(adaptHd, encoder.encode(images), labels, { bits: 10_000, classes: 10 });
 *   classifier.classify(encoder.encode(others));
 */
export * from '../errors.ts';
export { Gpu } from '../gpu/index.ts';
export {
  type ClassifierOptions,
  classifierOf,
  trainClassifier,
  type VectorClassifier,
} from './classifier.ts';
export {
  type DensityEncoder,
  type DensityOptions,
  densityEncoder,
  type RidgeClassifier,
  type RidgeOptions,
  trainRidge,
} from './density.ts';
export {
  type RecordEncoder,
  type RecordOptions,
  recordEncoder,
  type TextEncoder,
  type TextOptions,
  textEncoder,
} from './encoding.ts';
export { type KeyValueMemory, type KeyValueOptions, keyValueMemory } from './key-value-memory.ts';
export { type LeHdcOptions, trainLeHdc } from './le-hdc.ts';
export {
  adaptHd,
  type Change,
  CLASSIFIER_RULES,
  type ClassifierRule,
  centroid,
  onlineHd,
  quantHd,
  type Shown,
} from './rules/index.ts';
export { superpose, takeOut } from './superposition.ts';
