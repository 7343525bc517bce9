/** Models by path: what `loadModel` of the browser reads, from files and folders. */
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FormatError } from '../errors.ts';
import {
  type LoadedModel,
  type LoadOptions,
  loadModel as loadFetched,
  type ModelFile,
  type ModelSource,
} from '../formats/index.ts';
import { readFileChecked, storageError } from './files.ts';

/** Files of a folder that may be a model, or a part of one. */
const IN_FOLDERS = /(^\d+-\d+-(weights|thres)\.bin|^classes\.txt|\.(safetensors|onnx|tflite|zip))$/;

/**
 * `loadModel` in Node: a text that is no URL is a path, to a file or to a folder.
 * @throws StorageError where there is no such file; else what `loadModel` throws
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
  if (Array.isArray(source)) {
    const files = await Promise.all((source as readonly ModelFile[]).map(named));
    return loadFetched(files, options);
  }
  const path = pathOf(source);
  if (path === undefined) return loadFetched(source, options);
  const entry = await statOf(path);
  if (!entry.isDirectory()) return loadFetched(new Map([[path, await readFileChecked(path)]]), options);

  const names = (await readdir(path)).filter((name) => IN_FOLDERS.test(name));
  if (names.length === 0) {
    throw new FormatError('There is no model in this folder.', {
      given: path,
      expected: 'a .safetensors, .onnx, .tflite or .zip file, or the files of BNN-PYNQ',
    });
  }
  const contents = await Promise.all(names.map((name) => readFileChecked(join(path, name))));
  return loadFetched(new Map(names.map((name, i) => [name, contents[i] ?? new Uint8Array()])), options);
}

/** A path as a file with its name; anything else as it is. */
async function named(file: ModelFile): Promise<ModelFile> {
  const path = pathOf(file);
  return path === undefined ? file : new File([await readFileChecked(path)], basename(path));
}

function pathOf(source: unknown): string | undefined {
  if (source instanceof URL) return source.protocol === 'file:' ? fileURLToPath(source) : undefined;
  if (typeof source !== 'string' || /^(https?|data|blob):/.test(source)) return undefined;
  return source.startsWith('file:') ? fileURLToPath(source) : source;
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    throw storageError('There is no such model.', path, cause);
  }
}
