/**
 * Any model that this library reads, from wherever it is: bytes, a URL, the files of a folder, a zip archive. What it is
 * shows in its content, never in its name. Readers that need a package are loaded when a file asks for them.
 *
 *   const loaded = await loadModel('model.safetensors', { onProgress: ({ received, total }) => ... });
 *   const classifier = await loaded.createClassifier();
 *   const { results } = await classifier.classify(pixels, { top: 3 });
 */
import { type Bytes, type BytesLike, plainBytes } from '../bytes.ts';
import { BnnError, DataUnavailableError, FormatError, listed, OptionError } from '../errors.ts';
import type { FoldedModel, Model, ParameterValues } from '../graph/index.ts';
import type { Guest } from '../layers/index.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { Classifier, type ClassifierOptions } from '../run/classifier.ts';
import type { RunsOn } from '../run/engine.ts';
import {
  chosenPixels,
  encodePixels,
  type IntegerGrid,
  onGrid,
  type PixelEncoding,
  type PixelRange,
  rangeOfGrid,
  resolvePixels,
} from '../run/pixels.ts';
import { decodeNotes, type ReadNotes } from './notes.ts';
import type { OnnxEnd } from './onnx.ts';

/** Formats that `loadModel` reads. */
export type ModelFormat = 'webgpu-bnn' | 'ONNX' | 'TFLite' | 'BNN-PYNQ';

/** Contents of a folder's files by name. */
export type ModelFiles = ReadonlyMap<string, BytesLike>;

/** A file: its bytes (a `Buffer`, any view or buffer), a Blob or File, or where to fetch it. */
export type ModelFile = string | URL | Blob | BytesLike;

/** A file, or all files of a folder. */
export type ModelSource = ModelFile | readonly ModelFile[] | ModelFiles;

/** How much of a download is here. */
export interface LoadProgress {
  /** Bytes so far, of all files together. */
  readonly received: number;
  /** Bytes of all files; undefined until every server has said it, and where one doesn't. */
  readonly total: number | undefined;
}

/** How a model is loaded: layers and quantizers of your own, progress, notes that the file lacks. */
export interface LoadOptions {
  /** Fold normalisations and signs into integer thresholds where the bits stay the same. Default true. */
  readonly fold?: boolean;
  /**
   * Shape of the input, of ONNX files that leave height and width open: [height, width, channels] or [features]; of several
   * inputs, by name.
   */
  readonly input?: readonly number[] | Readonly<Record<string, readonly number[]>> | undefined;
  /** What makes the layers and quantizers of a file that aren't this library's own: factories of them. */
  readonly with?: readonly Guest[] | undefined;
  /** Called while files are fetched, with bytes so far and in all. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Aborts fetching. */
  readonly signal?: AbortSignal;
}

const OPTIONS = namesOf<LoadOptions>({ fold: true, input: true, with: true, onProgress: true, signal: true });

/** What a file holds, before it is compiled. */
export interface ModelContent extends ReadNotes {
  /** What the content was found to be. */
  readonly format: ModelFormat;
  /** Its layers. */
  readonly model: Model;
  /** Its parameters by `layer/parameter`: reals, or packed signs. */
  readonly values: ParameterValues;
  /** Names of the outputs, where the file names them. */
  readonly classes: readonly string[] | undefined;
  /** How the network takes the bytes of an image, where the file says it. */
  readonly pixels: PixelEncoding | undefined;
  /** Of a network that takes 8-bit integers for reals: a range of pixels by name is one of the reals. */
  readonly grid?: IntegerGrid | undefined;
  /** What goes in and comes out as the file has it, where its format leaves the order of axes open (ONNX). */
  readonly inputs?: readonly OnnxEnd[] | undefined;
  /** The same of what comes out. */
  readonly outputs?: readonly OnnxEnd[] | undefined;
  /** What the reader made thresholds, scales or nothing of. */
  readonly folded: readonly string[];
}

/** A model that is ready to be run. */
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
   * @param encoding a range by name, or the numbers that the network takes; default: what the file says
   * @throws ShapeError unless the images are whole; OptionError where neither the file nor the caller says the encoding
   */
  prepare(pixels: Uint8Array, encoding?: PixelRange | PixelEncoding): Float32Array<ArrayBuffer>;
  /**
   * The model on a GPU, or on another engine; `engine` of the classifier says which.
   * @param on a GPU, `{ engine: 'gpu' | 'wasm', threads }`, or an engine of one's own as `{ engine }`; default: a GPU where
   *   there is hardware, else WebAssembly on the processor
   * @throws OutOfMemoryError; NoAdapterError, WebGpuUnavailableError or WebAssemblyUnavailableError where nothing runs it
   * @example const classifier = await loaded.createClassifier({ engine: 'wasm', threads: 2 });
   */
  createClassifier(on?: RunsOn, options?: ClassifierOptions): Promise<Classifier>;
}

/**
 * Loads a model: this library's own file, an ONNX file with QONNX or FINN operators, a TensorFlow Lite file of Larq
 * Compute Engine or plain, or a folder of BNN-PYNQ; each as it is or in a zip archive. Files beside an ONNX file are those
 * that its weights may be in.
 * @param source a file or the files of a folder: bytes, Blobs, or URLs to fetch
 * @throws DataUnavailableError where a file can't be fetched; FormatError where it is no model, is damaged, or has
 *   operators that aren't supported, listing all of them
 * @example
 * ```ts
 * import { initialValues, loadModel, mlp, saveModel } from 'webgpu-bnn';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const file = await saveModel('onnx', network, initialValues(network, 1));
 * const loaded = await loadModel(file); // or '/network.onnx'
 * console.log(loaded.model.summary(), loaded.folded);
 * ```
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
  assertLoadOptions(options);
  // What folds is fetched while the file is, and by no page that loads no file.
  const [files, folding] = await Promise.all([
    collect(source, options),
    options.fold === false ? undefined : import('../graph/fold.ts'),
  ]);
  const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
  const content = await readContent(files, options);
  return loadedOf(content, bytes, folding?.foldForInference(content.model, content.values));
}

/** @throws OptionError for an option that `loadModel` doesn't have */
export function assertLoadOptions(options: LoadOptions): void {
  assertKnownOptions(options, OPTIONS, 'loadModel');
}

/** Gives what was read its methods. @param folded what runs in its place */
export function loadedOf(content: ModelContent, bytes: number, folded: FoldedModel | undefined): LoadedModel {
  const loaded: LoadedModel = {
    ...content,
    model: folded?.model ?? content.model,
    values: folded?.values ?? content.values,
    folded: [...content.folded, ...(folded?.folded ?? [])],
    kept: folded?.kept ?? [],
    fused: folded?.fused ?? [],
    bytes,
    prepare: (pixels, encoding) =>
      encodePixels(pixels, content.model.inputShape, chosenPixels(content, encoding)),
    createClassifier: (on, settings) => Classifier.create(on, loaded, settings),
  };
  return loaded;
}

/** Bytes of a file or of all files of a folder, by name. */
type Files = ReadonlyMap<string, Bytes>;

/**
 * What files hold: one model, alone or among others that are none.
 * @param archive the archive that they were in, for errors
 * @throws FormatError
 */
export async function readContent(
  given: ModelFiles,
  options: LoadOptions = {},
  archive?: string,
): Promise<ModelContent> {
  const files: Files = new Map([...given].map(([name, bytes]) => [name, plainBytes(bytes, name)]));
  if ([...files.keys()].some((name) => /(^|\/)\d+-\d+-weights\.bin$/.test(name))) {
    const { readBnnPynq } = await import('./bnn-pynq.ts');
    return {
      format: 'BNN-PYNQ',
      folded: [],
      producer: 'BNN-PYNQ',
      layout: undefined,
      table: undefined,
      ...readBnnPynq(files),
    };
  }
  const found = [...files].filter(([, bytes]) => detect(bytes) !== undefined);
  // Weights beside a model may begin like one: then names decide.
  const named = found.filter(([name]) => MODEL_NAMES.test(name));
  const candidates = named.length === 1 ? named : found;
  const [only] = candidates;
  if (only === undefined) throw await noModel(files, archive);
  if (candidates.length > 1) {
    throw new FormatError('There are several models here.', {
      given: listed(candidates.map(([name]) => name)),
      expected: 'one model',
      where: archive ?? only[0],
      remedy: 'name one of them',
    });
  }
  const [name, bytes] = only;
  const beside: Files = new Map([...files].filter(([other]) => other !== name));
  return readFile(archive === undefined ? name : `${archive}: ${name}`, bytes, options, beside);
}

/** The error for files that hold no model: what they are instead, and what to do. */
async function noModel(files: Files, archive?: string): Promise<FormatError> {
  const { describeForeign } = await import('./foreign.ts');
  return new FormatError('This is no model that can be read.', {
    ...describeForeign(files),
    expected:
      "this library's .safetensors, ONNX, TensorFlow Lite, or a folder of BNN-PYNQ; as it is or in a zip archive",
    where: archive ?? [...files.keys()][0] ?? 'model',
  });
}

/** What files with a model in them are usually called. */
const MODEL_NAMES = /\.(safetensors|onnx|tflite|zip)$/i;

type FileKind = 'zip' | 'safetensors' | 'onnx' | 'tflite';

async function readFile(
  name: string,
  bytes: Bytes,
  options: LoadOptions,
  beside: Files,
): Promise<ModelContent> {
  const kind = detect(bytes);
  const { input } = options;
  if (input !== undefined && kind !== 'onnx' && kind !== 'zip') {
    throw new OptionError('This file says the shape of its input itself.', {
      given: `input: ${JSON.stringify(input)}`,
      where: name,
      remedy: 'leave input away',
    });
  }
  switch (kind) {
    case 'zip':
      return readArchive(name, bytes, options);
    case 'safetensors': {
      const { readModelFile } = await import('./model-file.ts');
      return { format: 'webgpu-bnn', folded: [], ...(await readModelFile(bytes, name, options)) };
    }
    case 'tflite': {
      const { importTflite } = await import('./tflite/index.ts');
      const network = inFile(name, () => importTflite(bytes));
      const { type, grid } = network.input;
      const range = type === 'int8' && grid !== undefined ? rangeOfGrid(grid) : undefined;
      const found = {
        pixels: range && grid && onGrid(resolvePixels(range), grid),
        layout: network.model.inputShape.length === 3 ? 'NHWC' : undefined,
      };
      const { model, values, folded } = network;
      return { format: 'TFLite', model, values, folded, ...notesOf(network, name, found), grid };
    }
    default: {
      const { importOnnx } = await import('./onnx.ts');
      const network = inFile(name, () =>
        importOnnx(bytes, { files: beside, ...(input === undefined ? {} : { input }) }),
      );
      const found = { ...network, layout: network.inputs[0]?.layout };
      return { format: 'ONNX', ...network, ...notesOf(network, name, found) };
    }
  }
}

async function readArchive(name: string, bytes: Bytes, options: LoadOptions): Promise<ModelContent> {
  const { readZip } = await import('./zip.ts');
  const files = await readZip(bytes, name);
  const { isForeignArchive } = await import('./foreign.ts');
  if (isForeignArchive([...files.keys()])) throw await noModel(files, name);
  const nested = [...files].find(([, content]) => detect(content) === 'zip');
  if (nested !== undefined) {
    throw new FormatError('An archive in an archive is not read.', {
      given: nested[0],
      where: name,
      remedy: 'unpack it',
    });
  }
  return readContent(files, options, name);
}

/** What a reader returns besides the network. */
interface Imported {
  readonly model: Model;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Our notes in a file's metadata, and else what the reader found out itself. */
function notesOf({ model, metadata }: Imported, where: string, found: Partial<ReadNotes>): ReadNotes {
  const notes = decodeNotes(metadata, where, model.outputShape.at(-1));
  return {
    classes: notes.classes ?? found.classes,
    pixels: notes.pixels ?? found.pixels,
    producer: notes.producer ?? found.producer,
    layout: notes.layout ?? found.layout,
    table: notes.table ?? found.table,
  };
}

/** Runs a reader; its errors say which file they are about. */
function inFile<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof BnnError)) throw cause;
    const { what, given, expected, where, remedy } = cause;
    throw new FormatError(what, {
      ...{ given, expected, remedy, cause },
      where: where === undefined ? name : `${name}: ${where}`,
    });
  }
}

/** What kind of file this is, by its first bytes. */
export function detect(bytes: Uint8Array): FileKind | undefined {
  const [first = 0, second, third, fourth] = bytes;
  if (first === 0x50 && second === 0x4b && (third === 3 || third === 5) && (fourth === 4 || fourth === 6)) {
    return 'zip';
  }
  // Eight bytes with the length of a JSON object.
  if (bytes.length > 9 && bytes[8] === 0x7b && bytes[7] === 0 && bytes[6] === 0) return 'safetensors';
  // A FlatBuffer's identifier.
  if (String.fromCharCode(...bytes.subarray(4, 8)) === 'TFL3') return 'tflite';
  // A protobuf message that begins with ModelProto's version or the names of what wrote it: no text begins like that; but
  // TensorFlow's SavedModel (version 1) and the arrays of MXNet do.
  const isOther =
    (first === 0x08 && second === 1 && third === 0x12) || (first === 0x12 && second === 1 && third === 0);
  return bytes.length > 1 && [0x08, 0x12, 0x1a].includes(first) && !isOther ? 'onnx' : undefined;
}

/** All bytes of a source, by name. */
async function collect(source: ModelSource, options: LoadOptions): Promise<Files> {
  if (source instanceof Map) {
    return new Map([...(source as ModelFiles)].map(([name, bytes]) => [name, plainBytes(bytes, name)]));
  }
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
  return file instanceof Blob && 'name' in file && typeof file.name === 'string'
    ? file.name
    : `file ${index}`;
}

async function bytesOf(
  file: ModelFile,
  index: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Bytes> {
  if (typeof file === 'string' || file instanceof URL) return fetchFile(file, index, progress, signal);
  const bytes = plainBytes(file instanceof Blob ? await file.arrayBuffer() : file, nameOf(file, index));
  progress.set(index, bytes.length, bytes.length);
  return bytes;
}

/** Whether an address says from where; the others are a page's own, or paths. */
function isAbsolute(url: string): boolean {
  return /^[a-z][a-z0-9+.-]+:/i.test(url);
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
      remedy: isAbsolute(url)
        ? 'check the address and the connection; a server of another origin must allow it (CORS)'
        : "in a page, check the address and the connection; in Node, import loadModel from 'webgpu-bnn/node', which takes paths",
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
