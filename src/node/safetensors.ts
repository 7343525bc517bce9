/** Safetensors files that are read piece by piece, of any size: one file, a folder of them, an index of shards, or many of these. */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FormatError, OptionError, StorageError } from '../errors.ts';
import {
  decodeSafetensorsHeader,
  SAFETENSORS_PREFIX,
  type SafetensorsEntry,
  type SafetensorsHeader,
  safetensorsHeaderEnd,
} from '../formats/safetensors.ts';
import { parseJson } from '../json.ts';
import { readFileChecked, storageError } from './files.ts';

/** One open file: its header is in memory, its tensors are not. */
export class SafetensorsReader {
  readonly path: string;
  readonly header: SafetensorsHeader;
  readonly #file: FileHandle;

  private constructor(path: string, header: SafetensorsHeader, file: FileHandle) {
    this.path = path;
    this.header = header;
    this.#file = file;
  }

  /** @throws StorageError, FormatError */
  static async open(path: string): Promise<SafetensorsReader> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const { size } = await file.stat();
      const prefix = await readRange(file, 0, new Uint8Array(Math.min(size, SAFETENSORS_PREFIX)), path);
      const end = safetensorsHeaderEnd(prefix, size, path);
      const head = await readRange(file, 0, new Uint8Array(end), path);
      return new SafetensorsReader(path, decodeSafetensorsHeader(head, size, path), file);
    } catch (cause) {
      await file?.close();
      if (cause instanceof FormatError || cause instanceof StorageError) throw cause;
      throw storageError('The file could not be read.', path, cause);
    }
  }

  /**
   * Fills `into` with a tensor's bytes, from `offset` bytes after its begin on.
   * @throws StorageError where the file can't be read or has become shorter
   */
  async read(
    entry: SafetensorsEntry,
    offset: number,
    into: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (offset < 0 || entry.begin + offset + into.length > entry.end) {
      throw new OptionError('The bytes asked for lie outside the tensor.', {
        given: `${into.length} bytes at ${offset}`,
        expected: `at most ${entry.end - entry.begin}`,
        where: this.path,
      });
    }
    return await readRange(this.#file, this.header.start + entry.begin + offset, into, this.path);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** A tensor, and the file that it lies in. */
export interface StoredTensor {
  /** Unique among those that were opened together. */
  readonly name: string;
  /** In its file. */
  readonly ownName: string;
  readonly entry: SafetensorsEntry;
  readonly file: SafetensorsReader;
}

/**
 * Opens models for reading: a `.safetensors` file, a `.safetensors.index.json` of shards beside it, a folder with such an index
 * or with any number of safetensors files, or a folder of such folders.
 * @returns every tensor, file by file; `close` closes them all
 * @throws StorageError, FormatError for damaged files, tensors that the index promises and no shard has, or two files
 * with a tensor of the same name; OptionError where there is nothing to read
 */
export async function openModel(
  path: string,
): Promise<{ readonly tensors: readonly StoredTensor[]; close(): Promise<void> }> {
  const files: SafetensorsReader[] = [];
  const close = async () => {
    for (const file of files) await file.close();
  };
  try {
    const models = await modelsOf(path);
    const tensors = new Map<string, StoredTensor>();
    for (const { prefix, paths, promised } of models) {
      for (const one of paths) {
        const file = await SafetensorsReader.open(one);
        files.push(file);
        for (const [ownName, entry] of file.header.entries) {
          const name = models.length > 1 ? `${prefix}:${ownName}` : ownName;
          if (tensors.has(name)) {
            throw new FormatError('Two shards hold a tensor of the same name.', {
              given: `"${name}"`,
              where: one,
            });
          }
          tensors.set(name, { name, ownName, entry, file });
        }
      }
      for (const [ownName, shard] of promised ?? []) {
        const name = models.length > 1 ? `${prefix}:${ownName}` : ownName;
        if (basename(tensors.get(name)?.file.path ?? '') === shard) continue;
        throw new FormatError('The index promises a tensor that its shard does not have.', {
          given: `"${ownName}"`,
          expected: shard,
          where: path,
          remedy: 'get the index and all shards again',
        });
      }
    }
    return { tensors: [...tensors.values()], close };
  } catch (error) {
    await close();
    throw error;
  }
}

const INDEX = '.safetensors.index.json';

/** Files whose tensors have names that differ. */
interface StoredModel {
  /** What tells it from others that are opened with it. */
  readonly prefix: string;
  readonly paths: readonly string[];
  /** What an index says that is in which file. */
  readonly promised?: ReadonlyMap<string, string>;
}

async function modelsOf(path: string): Promise<StoredModel[]> {
  if (path.endsWith('.index.json')) return [await shardsOf(path)];
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (cause) {
    throw storageError('The file could not be read.', path, cause);
  }
  if (!isFolder) return [{ prefix: '', paths: [path] }];
  const models = await modelsBelow(path);
  if (models.length > 0) return models;
  throw new OptionError('It is not clear what to read in this folder.', {
    given: 'no safetensors file',
    expected: `files *.safetensors, one *${INDEX}, or folders of these`,
    where: path,
  });
}

/** The models of a folder; of folders within it only where it has none itself: they may hold the same in another form. */
async function modelsBelow(folder: string): Promise<StoredModel[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw storageError('The folder could not be read.', folder, cause);
  });
  const names = entries.map(({ name }) => name).sort();
  const indices = names.filter((name) => name.endsWith(INDEX));
  if (indices[0] !== undefined && indices.length === 1) return [await shardsOf(join(folder, indices[0]))];
  if (indices.length > 1) {
    throw new OptionError('It is not clear what to read in this folder.', {
      given: indices.join(', '),
      expected: `files *.safetensors, or one *${INDEX}`,
      where: folder,
    });
  }
  const found = names.filter((name) => name.endsWith('.safetensors'));
  if (found.length > 0) {
    return found.map((name) => ({ prefix: basename(name, '.safetensors'), paths: [join(folder, name)] }));
  }
  // Folders themselves, and no links to them: these may lead in a circle.
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const below: StoredModel[] = [];
  for (const name of folders.sort()) {
    for (const model of await modelsBelow(join(folder, name))) {
      below.push({ ...model, prefix: model.prefix === '' ? name : `${name}/${model.prefix}` });
    }
  }
  return below;
}

async function shardsOf(path: string): Promise<StoredModel> {
  const bytes = await readFileChecked(path);
  const wrong = (given: string, cause?: unknown) =>
    new FormatError('This is no index of shards.', {
      given,
      expected: '{"weight_map": {"tensor": "file.safetensors", ...}}, files beside the index',
      where: path,
      cause,
    });
  let index: unknown;
  try {
    index = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw wrong(String(cause), cause);
  }
  const map =
    typeof index === 'object' && index !== null && 'weight_map' in index ? index.weight_map : undefined;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw wrong('no weight_map');
  const promised = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    // A shard lies beside its index; paths that lead elsewhere are not followed.
    if (typeof shard !== 'string' || shard === '' || shard !== basename(shard) || shard.includes('\\')) {
      throw wrong(`"${name}": ${JSON.stringify(shard)}`);
    }
    promised.set(name, shard);
  }
  if (promised.size === 0) throw wrong('an empty weight_map');
  const shards = [...new Set(promised.values())].sort();
  return { prefix: '', paths: shards.map((shard) => join(dirname(path), shard)), promised };
}

async function readRange(
  file: FileHandle,
  position: number,
  into: Uint8Array<ArrayBuffer>,
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  for (let done = 0; done < into.length; ) {
    let read: number;
    try {
      read = (await file.read(into, done, into.length - done, position + done)).bytesRead;
    } catch (cause) {
      throw storageError('The file could not be read.', path, cause);
    }
    if (read === 0) {
      throw new StorageError('The file has become shorter while it was read.', {
        given: `nothing at byte ${position + done}`,
        where: path,
      });
    }
    done += read;
  }
  return into;
}
