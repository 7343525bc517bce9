/** Models by path: what `loadModel` of the browser reads, from files and folders; and what was trained, as files. */
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FormatError, listed, OptionError } from '../errors.ts';
import {
  type LoadedModel,
  type LoadOptions,
  loadModel as loadFetched,
  type ModelFile,
  type ModelNotes,
  type ModelSource,
  SAVE_FORMATS,
  type SaveFormat,
  saveTraining as trainingBytes,
} from '../formats/index.ts';
import { detect } from '../formats/load.ts';
import { assertPresent } from '../options.ts';
import type { Trainer } from '../train/index.ts';
import { readFileChecked, storageError, writeFileAtomic } from './files.ts';

/** Files of a folder that may be a model, or a part of one. */
const IN_FOLDERS = /(^\d+-\d+-(weights|thres)\.bin|^classes\.txt|\.(safetensors|onnx|tflite|zip))$/i;
/** Files of a folder that hold a network in a format that isn't read: the error says what to do. */
const FOREIGN = /\.(params|pth?|h5|hdf5|keras|pb|npz|gguf|ort)$/i;

/**
 * `loadModel` in Node: a text that is no URL is a path, to a file or to a folder.
 * @throws StorageError where there is no such file; OptionError for a file URL that names no file here; else what
 *   `loadModel` throws
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
  if (Array.isArray(source)) {
    const files = await Promise.all((source as readonly ModelFile[]).map(named));
    return loadFetched(files, options);
  }
  const path = localPath(source);
  if (path === undefined) return loadFetched(source, options);
  const entry = await statOf(path);
  if (!entry.isDirectory()) {
    const bytes = await readFileChecked(path);
    return loadFetched(new Map([[path, bytes], ...(await weightsBeside(path, bytes))]), options);
  }

  const inside = await readdir(path);
  const names = inside.filter((name) => IN_FOLDERS.test(name));
  const [foreign] = inside.filter((name) => FOREIGN.test(name));
  if (names.length === 0 && foreign !== undefined) return loadModel(join(path, foreign), options);
  if (names.length === 0) {
    throw new FormatError('There is no model in this folder.', {
      given: inside.length === 0 ? 'an empty folder' : listed(inside),
      expected: 'a .safetensors, .onnx, .tflite or .zip file, or the files of BNN-PYNQ',
      where: path,
    });
  }
  const [only] = names;
  if (names.length === 1 && only !== undefined) return loadModel(join(path, only), options);
  const contents = await Promise.all(names.map((name) => readFileChecked(join(path, name))));
  return loadFetched(new Map(names.map((name, i) => [name, contents[i] ?? new Uint8Array()])), options);
}

/**
 * Writes what a trainer has learned as a file by path, with all that is needed to use it; or returns its bytes, for a format.
 * A file of that name is replaced.
 * @param target `name.onnx`, `name.tflite` or `name.safetensors`; or the ending alone, for bytes
 * @returns the bytes, written or not
 * @throws OptionError for an ending that isn't written, StorageError where the file can't be; nothing is half written
 * @example await saveTraining(trainer, 'digits.onnx');
 */
export async function saveTraining(
  trainer: Pick<Trainer, 'trained'>,
  target: string,
  notes: ModelNotes = {},
): Promise<Uint8Array<ArrayBuffer>> {
  assertPresent(trainer, 'the trainer', 'saveTraining', 'trained');
  const isFormat = (SAVE_FORMATS as readonly string[]).includes(target);
  const format = isFormat ? target : extname(String(target)).slice(1).toLowerCase();
  const bytes = await trainingBytes(trainer, format as SaveFormat, notes);
  if (!isFormat) await writeFileAtomic(target, bytes);
  return bytes;
}

/**
 * The path that a source names: a text that is no URL, or a file URL; undefined for what is fetched, and for bytes.
 * @throws OptionError for a file URL of another host, or one that is no path here
 */
export function localPath(source: unknown): string | undefined {
  if (!(source instanceof URL) && typeof source !== 'string') return undefined;
  const text = String(source);
  if (!/^file:/i.test(text))
    return typeof source === 'string' && !/^(https?|data|blob):/i.test(text) ? text : undefined;
  try {
    return fileURLToPath(new URL(text));
  } catch (cause) {
    throw new OptionError('This URL names no file of this machine.', {
      given: text,
      expected: 'file:///path/to/model.onnx, without a host',
      where: 'loadModel',
      remedy: 'name the path itself, or an http(s) URL',
      cause,
    });
  }
}

/** A path as a file with its name; anything else as it is. */
async function named(file: ModelFile): Promise<ModelFile> {
  const path = localPath(file);
  return path === undefined ? file : new File([await readFileChecked(path)], basename(path));
}

/** The files that the weights of an ONNX file are in, as far as they lie in its folder: never any elsewhere. */
async function weightsBeside(path: string, bytes: Uint8Array): Promise<[string, Uint8Array][]> {
  if (detect(bytes) !== 'onnx') return [];
  const { externalFiles } = await import('../formats/onnx.ts');
  const names = externalFiles(bytes).map((name) => name.replace(/^\.\//, ''));
  const inside = new Set(await readdir(dirname(path)));
  const found = names.filter((name) => name !== basename(path) && inside.has(name));
  return Promise.all(
    found.map(
      async (name): Promise<[string, Uint8Array]> => [name, await readFileChecked(join(dirname(path), name))],
    ),
  );
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    throw storageError('There is no such model.', path, cause);
  }
}
