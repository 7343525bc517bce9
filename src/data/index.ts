/** Data sets as bytes, and the files they come in. */
export { CIFAR10_CLASSES, cifar10FromRecords, type NamedBytes, packCifar10, parseCifar10 } from './cifar.ts';
export { type Dataset, type Split, takeFirst } from './dataset.ts';
export {
  datasetFromIdx,
  fetchMnist,
  IDX_FILES,
  type IdxArray,
  type IdxFiles,
  mnistFromIdx,
  parseIdx,
} from './idx.ts';
export { samplesOf, testAccuracy } from './samples.ts';
export {
  defineSource,
  isStreamed,
  type Labels,
  type ResidentSource,
  type SampleBatch,
  type Source,
  type StreamedSource,
  sourceDigest,
  streamed,
} from './source.ts';
