/** File formats, read and written from bytes: nothing here touches a disk. */
export { type BnnPynqNetwork, bnnPynqFiles, readBnnPynq } from './bnn-pynq.ts';
export type { BnnPynqFolding } from './bnn-pynq-layout.ts';
export { type BnnPynqOptions, encodeBnnPynq } from './bnn-pynq-writer.ts';
export { checkpointValues, decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
export { compileContent } from './compile.ts';
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
} from './load.ts';
export {
  decodeModel,
  describeModel,
  encodeModel,
  type ModelDescription,
  modelOfDescription,
  type ReadOptions,
  type StoredModel,
} from './model-file.ts';
export type { ModelNotes, ReadNotes } from './notes.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsDtype,
  type SafetensorsFile,
  type SafetensorsInput,
  type SafetensorsTensor,
} from './safetensors.ts';
export { SAVE_FORMATS, type SaveFormat, saveModel, saveTraining } from './save.ts';
export { readZip } from './zip.ts';
