/**
 * Files that hold networks, but none that can be read here: what they are, told by their content, and how to bring what is in
 * them here. Loaded when a file was refused.
 */

import { listed } from '../errors.ts';
import { npx } from '../npx.ts';

export interface ForeignFile {
  /** What the file is. */
  readonly given: string;
  readonly remedy?: string | undefined;
}

type Files = ReadonlyMap<string, Uint8Array>;

const PYTORCH: ForeignFile = {
  given: "a file of PyTorch: weights and Python's objects, without the graph",
  remedy: "export the network as ONNX: torch.onnx.export(model, example, 'model.onnx')",
};
const KERAS: ForeignFile = {
  given: 'a file of Keras (HDF5)',
  remedy:
    'convert the network: Larq Compute Engine writes .tflite (lce.convert_keras_model); tf2onnx writes ONNX',
};
const SAVED_MODEL: ForeignFile = {
  given: 'a SavedModel or a graph of TensorFlow',
  remedy:
    'export the network as ONNX: python -m tf2onnx.convert --saved-model FOLDER --output model.onnx; or as .tflite',
};
const ARRAYS: ForeignFile = {
  given: 'arrays of NumPy, without the graph',
  remedy: 'export the network that they are the weights of as ONNX',
};

/** How files begin. */
const BEGINNINGS: readonly (ForeignFile & { readonly bytes: readonly number[] })[] = [
  { bytes: [0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10], ...KERAS },
  {
    bytes: [0x12, 1, 0, 0, 0, 0, 0, 0],
    given: 'weights of MXNet or BMXNet (.params), without the graph',
    remedy:
      "export the network as ONNX: mxnet.onnx.export_model('net-symbol.json', 'net.params', [shape], 'float32', 'model.onnx')",
  },
  {
    bytes: [...'GGUF'].map((letter) => letter.charCodeAt(0)),
    given: 'a GGUF file: weights of a language model, without the graph',
    remedy: `export the network as ONNX; its tensors: ${npx('inspect FILE')}; what they are like: ${npx('geometry FILE')}`,
  },
  { bytes: [0x93, ...[...'NUMPY'].map((letter) => letter.charCodeAt(0))], ...ARRAYS },
  { bytes: [0x80, 2], ...PYTORCH },
  { bytes: [0x80, 3], ...PYTORCH },
  { bytes: [0x80, 4], ...PYTORCH },
  { bytes: [0x80, 5], ...PYTORCH },
  { bytes: [0x08, 1, 0x12], ...SAVED_MODEL },
  { bytes: [0x1f, 0x8b], given: 'a gzip archive', remedy: 'unpack it, and name the file or the folder' },
];

/** What files are that hold no model. */
export function describeForeign(files: Files): ForeignFile {
  const [entry] = files;
  if (entry === undefined) return { given: 'no file' };
  if (files.size > 1) return describeFolder(files);
  const [, bytes] = entry;
  if (bytes.length === 0) return { given: 'an empty file' };
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 400)).trimStart();
  const known = BEGINNINGS.find((one) => one.bytes.every((byte, at) => bytes[at] === byte));
  // A frozen graph of TensorFlow: the first node, and in it its name; the length in between has one to three bytes.
  if (bytes[0] === 10 && bytes.subarray(2, 5).includes(10) && bytes[1] !== 10) return SAVED_MODEL;
  return (
    known ??
    describeText(text) ?? {
      given: `${bytes.length} bytes that begin with ${[...bytes.subarray(0, 8)].join(' ')}`,
    }
  );
}

function describeText(text: string): ForeignFile | undefined {
  if (/^<\?xml[\s\S]*<net\b|^<net\b/i.test(text)) {
    return { given: 'a network of OpenVINO', remedy: 'name the ONNX file that it was made from' };
  }
  if (/^<(!doctype|html|head|\?xml)/i.test(text)) return { given: 'a web page' };
  if (text.startsWith('version https://git-lfs')) {
    return {
      given: 'a pointer of Git LFS, not the file it points to',
      remedy: 'fetch the file itself: git lfs pull',
    };
  }
  if (/^\{[\s\S]*"(modelTopology|format"\s*:\s*"(graph|layers)-model)/.test(text)) {
    return {
      given: 'a model of TensorFlow.js (model.json)',
      remedy:
        'webgpu-bnn/tfjs runs its layers in TensorFlow.js; to load it here, export it as .tflite or ONNX',
    };
  }
  // FlatBuffers' identifiers stand after four bytes.
  if (text.slice(4, 8) === 'ORTM') {
    return { given: 'a model of ONNX Runtime (.ort)', remedy: 'name the .onnx file that it was made from' };
  }
  return undefined;
}

/** Files of a folder or an archive. */
function describeFolder(files: Files): ForeignFile {
  const names = [...files.keys()];
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (has(/(^|\/)(data|constants)\.pkl$/)) return PYTORCH;
  if (has(/(^|\/)model\.weights\.h5$/)) return KERAS;
  if (has(/(^|\/)saved_model\.pb$/)) return SAVED_MODEL;
  if (names.every((name) => name.endsWith('.npy'))) return ARRAYS;
  return { given: `${files.size} files: ${listed(names)}` };
}

/** Whether an archive's files are one of another system, whatever single ones of them look like. */
export function isForeignArchive(names: readonly string[]): boolean {
  const isSaved = names.some((name) => /(^|\/)((data|constants)\.pkl|model\.weights\.h5)$/.test(name));
  return isSaved || (names.length > 0 && names.every((name) => name.endsWith('.npy')));
}
