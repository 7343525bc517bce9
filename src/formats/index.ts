/** File formats, read and written from bytes: nothing here touches a disk. */
export { type BnnPynqNetwork, readBnnPynq } from './bnn-pynq.ts';
export { decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsDtype,
  type SafetensorsFile,
  type SafetensorsInput,
  type SafetensorsTensor,
} from './safetensors.ts';
