/**
 * Any model that this library reads, from wherever it is: bytes, a URL, the files of a folder, a zip archive. What it is
 * shows in its content, never in its name. Readers that need a package are loaded when a file asks for them.
 *
 *   const loaded = await loadModel('model.safetensors', { onProgress: ({ received, total }) => ... });
 *   const classifier = await loaded.createClassifier(await Gpu.request());
 *   const { results } = await classifier.classify(pixels, { top: 3 });
 */

import { DataUnavailableError, FormatError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import { type FoldedModel, foldForInference, type Model, type ParameterValues } from '../graph/index.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { Classifier } from './classifier.ts';
import { readModelFile } from './model-file.ts';
import { encodePixels, type PixelEncoding, type PixelRange, resolvePixels } from './pixels.ts';

export type ModelFormat = 'webgpu-bnn' | 'ONNX' | 'TFLite' | 'BNN-PYNQ';

type Bytes = Uint8Array<ArrayBuffer>;

/** Contents of a folder's files by name. */
export type ModelFiles = ReadonlyMap<string, Bytes>;

/** A file: its bytes, a Blob or File, or where to fetch it. */
export type ModelFile = string | URL | Blob | ArrayBuffer | Bytes;

/** A file, or all files of a folder. */
export type ModelSource = ModelFile | readonly ModelFile[] | ModelFiles;

export interface LoadProgress {
  /** Bytes so far, of all files together. */
  readonly received: number;
  /** Bytes of all files; undefined until every server has said it, and where one doesn't. */
  readonly total: number | undefined;
}

export interface LoadOptions {
  /** Fold normalisations and signs into integer thresholds where the bits stay the same. Default true. */
  readonly fold?: boolean;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Aborts fetching. */
  readonly signal?: AbortSignal;
}

const OPTIONS = namesOf<LoadOptions>({ fold: true, onProgress: true, signal: true });

/** What a file holds, before it is compiled. */
export interface ModelContent {
  readonly format: ModelFormat;
  readonly model: Model;
  readonly values: ParameterValues;
  /** Names of the outputs, where the file names them. */
  readonly classes: readonly string[] | undefined;
  /** How the network takes the bytes of an image, where the file says it. */
  readonly pixels: PixelEncoding | undefined;
  /** What the reader made thresholds, scales or nothing of. */
  readonly folded: readonly string[];
}

export interface LoadedModel extends ModelContent {
  /** Normalisations that stayed, with the reason. */
  readonly kept: FoldedModel['kept'];
  /** Products that took in what follows them, so that bits pass on. */
  readonly fused: FoldedModel['fused'];
  /** Of the files as they came; of an archive, packed. */
  readonly bytes: number;
  /**
   * Bytes of images to what the network takes.
   * @param pixels u8 [count, height, width, channels]
   * @param encoding default: what the file says, and else 0 to 1
   * @throws ShapeError unless the images are whole
   */
  prepare(pixels: Uint8Array, encoding?: PixelRange | PixelEncoding): Float32Array<ArrayBuffer>;
  /** The model on a GPU. @throws OutOfMemoryError */
  createClassifier(gpu: Gpu): Promise<Classifier>;
}

/**
 * Loads a model: this library's own file, an ONNX file with QONNX or FINN operators, a TensorFlow Lite file of Larq
 * Compute Engine or plain, or a folder of BNN-PYNQ; each as it is or in a zip archive.
 * @param source a file or the files of a folder: bytes, Blobs, or URLs to fetch
 * @throws DataUnavailableError where a file can't be fetched; FormatError where it is no model, is damaged, or has
 *   operators that aren't supported, listing all of them
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
  const files = await collect(source, options);
  const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
  return compileContent(await readContent(files), bytes, options);
}

/** Folds what was read and gives it its methods. */
export function compileContent(content: ModelContent, bytes: number, options: LoadOptions = {}): LoadedModel {
  assertKnownOptions(options, OPTIONS, 'loadModel');
  const folded: FoldedModel | undefined =
    options.fold === false ? undefined : foldForInference(content.model, content.values);
  const loaded: LoadedModel = {
    ...content,
    model: folded?.model ?? content.model,
    values: folded?.values ?? content.values,
    folded: [...content.folded, ...(folded?.folded ?? [])],
    kept: folded?.kept ?? [],
    fused: folded?.fused ?? [],
    bytes,
    prepare: (pixels, encoding = content.pixels ?? '0:1') =>
      encodePixels(pixels, content.model.inputShape, resolvePixels(encoding)),
    createClassifier: (gpu) => Classifier.create(gpu, loaded),
  };
  return loaded;
}

/** What files hold: one model, alone or among others that are none. @throws FormatError */
export async function readContent(files: ModelFiles): Promise<ModelContent> {
  if ([...files.keys()].some((name) => /(^|\/)\d+-\d+-weights\.bin$/.test(name))) {
    const { readBnnPynq } = await import('./bnn-pynq.ts');
    return { format: 'BNN-PYNQ', folded: [], ...readBnnPynq(files) };
  }
  const candidates = [...files].filter(([, bytes]) => detect(bytes) !== undefined);
  const [only] = candidates;
  if (only === undefined || candidates.length > 1) {
    throw new FormatError(
      candidates.length > 1 ? 'There are several models here.' : 'This is no model that can be read.',
      {
        given: candidates.length > 1 ? candidates.map(([name]) => name).join(', ') : describeFiles(files),
        expected:
          "this library's .safetensors, ONNX, TensorFlow Lite, or a folder of BNN-PYNQ; as it is or in a zip archive",
        where: [...files.keys()][0] ?? 'model',
        ...(candidates.length > 1 ? { remedy: 'name one of them' } : {}),
      },
    );
  }
  const [name, bytes] = only;
  return readFile(name, bytes);
}

type FileKind = 'zip' | 'safetensors' | 'onnx' | 'tflite';

async function readFile(name: string, bytes: Bytes): Promise<ModelContent> {
  switch (detect(bytes)) {
    case 'zip': {
      const { readZip } = await import('./zip.ts');
      const files = await readZip(bytes, name);
      const nested = [...files].find(([, content]) => detect(content) === 'zip');
      if (nested !== undefined) {
        throw new FormatError('An archive in an archive is not read.', {
          given: nested[0],
          where: name,
          remedy: 'unpack it',
        });
      }
      return readContent(files);
    }
    case 'safetensors':
      return {
        format: 'webgpu-bnn',
        folded: [],
        classes: undefined,
        pixels: undefined,
        ...(await readModelFile(bytes, name)),
      };
    case 'tflite': {
      const { importTflite } = await import('./tflite/index.ts');
      return { format: 'TFLite', classes: undefined, ...importTflite(bytes) };
    }
    default: {
      const { importOnnx } = await import('./onnx.ts');
      return { format: 'ONNX', classes: undefined, pixels: undefined, ...importOnnx(bytes) };
    }
  }
}

/** What kind of file this is, by its first bytes. */
function detect(bytes: Bytes): FileKind | undefined {
  const [first = 0, second, third, fourth] = bytes;
  if (first === 0x50 && second === 0x4b && (third === 3 || third === 5) && (fourth === 4 || fourth === 6)) {
    return 'zip';
  }
  // Eight bytes with the length of a JSON object.
  if (bytes.length > 9 && bytes[8] === 0x7b && bytes[7] === 0 && bytes[6] === 0) return 'safetensors';
  // A FlatBuffer's identifier.
  if (String.fromCharCode(...bytes.subarray(4, 8)) === 'TFL3') return 'tflite';
  // A protobuf message that begins with ModelProto's version or the names of what wrote it: no text begins like that.
  if (bytes.length > 1 && [0x08, 0x12, 0x1a].includes(first)) return 'onnx';
  return undefined;
}

/** What stands there instead of a model. */
function describeFiles(files: ModelFiles): string {
  const [entry] = files;
  if (entry === undefined) return 'no file';
  if (files.size > 1) return `${files.size} files: ${[...files.keys()].slice(0, 5).join(', ')}`;
  const [, bytes] = entry;
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 200)).trimStart();
  if (/^<(!doctype|html|head|\?xml)/i.test(text)) return 'a web page';
  if (text.startsWith('version https://git-lfs')) return 'a pointer of Git LFS, not the file it points to';
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'a gzip archive';
  if (bytes.length === 0) return 'an empty file';
  return `${bytes.length} bytes that begin with ${[...bytes.subarray(0, 8)].join(' ')}`;
}

/** All bytes of a source, by name. */
async function collect(source: ModelSource, options: LoadOptions): Promise<ModelFiles> {
  if (source instanceof Map) return source;
  const list = Array.isArray(source) ? (source as readonly ModelFile[]) : [source as ModelFile];
  const progress = new Progress(list.length, options.onProgress);
  const files = new Map<string, Bytes>();
  const queue = list.entries();
  const failed = new AbortController();
  const { signal = failed.signal } = options;
  const stop = AbortSignal.any([signal, failed.signal]);
  // A few at a time: some servers refuse a client that asks for hundreds of files at once.
  const worker = async (): Promise<void> => {
    for (const [index, file] of queue) {
      files.set(nameOf(file, index), await bytesOf(file, index, progress, stop));
    }
  };
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  } catch (cause) {
    failed.abort();
    throw cause;
  }
  // In the order in which they were given, whatever arrived first.
  return new Map(
    list.map((file, index) => {
      const name = nameOf(file, index);
      return [name, files.get(name) ?? new Uint8Array()];
    }),
  );
}

/** Files that are fetched at once. */
const CONNECTIONS = 8;

function nameOf(file: ModelFile, index: number): string {
  if (typeof file === 'string' || file instanceof URL) return String(file).replace(/[?#].*$/, '');
  return 'name' in file && typeof file.name === 'string' ? file.name : `file ${index}`;
}

async function bytesOf(
  file: ModelFile,
  index: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Bytes> {
  if (typeof file === 'string' || file instanceof URL) return fetchFile(file, index, progress, signal);
  const bytes =
    file instanceof Uint8Array
      ? file
      : new Uint8Array(file instanceof Blob ? await file.arrayBuffer() : file);
  progress.set(index, bytes.length, bytes.length);
  return bytes;
}

async function fetchFile(
  file: string | URL,
  index: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Bytes> {
  const url = String(file);
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new DataUnavailableError('The model could not be fetched.', {
      given: cause instanceof Error ? cause.message : String(cause),
      where: url,
      remedy: 'check the address and the connection; a server of another origin must allow it (CORS)',
      cause,
    });
  }
  if (!response.ok) {
    throw new DataUnavailableError('The server has no model at this address.', {
      given: `${response.status} ${response.statusText}`.trim(),
      where: url,
    });
  }
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('text/html')) {
    await response.body?.cancel();
    throw new FormatError('The server sent a web page instead of a model.', {
      given: type,
      where: url,
      remedy:
        'servers of single-page applications answer with their page where there is no file: check the address',
    });
  }
  // The length of a body that is compressed on the way says nothing about the file.
  const encoded = response.headers.get('content-encoding') !== null;
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  const total = encoded || !Number.isSafeInteger(length) ? undefined : length;
  const parts: Bytes[] = [];
  let received = 0;
  progress.set(index, 0, total);
  try {
    const reader = response.body?.getReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      parts.push(part.value);
      received += part.value.length;
      progress.set(index, received, total);
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw new DataUnavailableError('The connection broke while the model was fetched.', {
      given: `${received} bytes${total === undefined ? '' : ` of ${total}`}`,
      where: url,
      remedy: 'try again',
      cause,
    });
  }
  progress.set(index, received, received);
  const bytes = new Uint8Array(received);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Adds up what all files say of themselves. */
class Progress {
  readonly #received: number[];
  readonly #totals: (number | undefined)[];
  readonly #report: LoadOptions['onProgress'];

  constructor(files: number, report: LoadOptions['onProgress']) {
    this.#received = new Array<number>(files).fill(0);
    this.#totals = new Array<number | undefined>(files).fill(undefined);
    this.#report = report;
  }

  set(index: number, received: number, total: number | undefined): void {
    this.#received[index] = received;
    this.#totals[index] = total;
    if (this.#report === undefined) return;
    const known = this.#totals.every((value) => value !== undefined);
    const sum = (values: readonly (number | undefined)[]) =>
      values.reduce<number>((all, value) => all + (value ?? 0), 0);
    this.#report({ received: sum(this.#received), total: known ? sum(this.#totals) : undefined });
  }
}
