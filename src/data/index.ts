/** Data sets as bytes, and the files they come in. */

export type { PictureSource } from '../pictures.ts';
export { type ArrayOptions, type Arrays, arrays, type Nested } from './arrays.ts';
export { CIFAR10_CLASSES, cifar10FromRecords, type NamedBytes, packCifar10, parseCifar10 } from './cifar.ts';
export type { Dataset, Split, TrainingData } from './dataset.ts';
export { parseTable, type TableColumn, type TableEncoding } from './encoding.ts';
export { imagesFromFiles } from './files.ts';
export {
  datasetFromIdx,
  fetchMnist,
  IDX_FILES,
  type IdxArray,
  type IdxFiles,
  mnistFromIdx,
  parseIdx,
} from './idx.ts';
export type { FilesOptions, PictureData, PictureOptions } from './pictures.ts';
export { residentPart, samplesOf, takeFirst, testAccuracy } from './samples.ts';
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
export { split, withValidation } from './split.ts';
export {
  decodeOutputs,
  encodeRows,
  readTable,
  type Table,
  type TableData,
  type TableOptions,
  tableFromCsv,
} from './table.ts';
