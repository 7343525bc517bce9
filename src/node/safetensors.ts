/** Safetensors files that are read piece by piece, of any size: one file, a folder of them, or an index of shards. */
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
  readonly name: string;
  readonly entry: SafetensorsEntry;
  readonly file: SafetensorsReader;
}

/**
 * Opens a model for reading: a `.safetensors` file, a `.safetensors.index.json` of shards beside it, or a folder with
 * such an index or with any number of safetensors files.
 * @returns every tensor, file by file; `close` closes them all
 * @throws StorageError, FormatError for damaged files, tensors that the index promises and no shard has, or two files
 * with a tensor of the same name; OptionError where there is nothing to read
 */
export async function openModel(
  path: string,
): Promise<{ readonly tensors: readonly StoredTensor[]; close(): Promise<void> }> {
  const { paths, promised } = await filesOf(path);
  const files: SafetensorsReader[] = [];
  const close = async () => {
    for (const file of files) await file.close();
  };
  try {
    const tensors = new Map<string, StoredTensor>();
    for (const one of paths) {
      const file = await SafetensorsReader.open(one);
      files.push(file);
      for (const [name, entry] of file.header.entries) {
        // Shards share their names; independent files of a folder don't.
        const key =
          promised === undefined && paths.length > 1 ? `${basename(one, '.safetensors')}:${name}` : name;
        if (tensors.has(key)) {
          throw new FormatError('Two shards hold a tensor of the same name.', {
            given: `"${key}"`,
            where: one,
          });
        }
        tensors.set(key, { name: key, entry, file });
      }
    }
    for (const [name, shard] of promised ?? []) {
      if (basename(tensors.get(name)?.file.path ?? '') === shard) continue;
      throw new FormatError('The index promises a tensor that its shard does not have.', {
        given: `"${name}"`,
        expected: shard,
        where: path,
        remedy: 'get the index and all shards again',
      });
    }
    return { tensors: [...tensors.values()], close };
  } catch (error) {
    await close();
    throw error;
  }
}

const INDEX = '.safetensors.index.json';

async function filesOf(
  path: string,
): Promise<{ paths: readonly string[]; promised?: ReadonlyMap<string, string> }> {
  if (path.endsWith('.index.json')) return await shardsOf(path);
  let names: string[];
  try {
    if (!(await stat(path)).isDirectory()) return { paths: [path] };
    names = (await readdir(path)).sort();
  } catch (cause) {
    throw storageError('The file could not be read.', path, cause);
  }
  const indices = names.filter((name) => name.endsWith(INDEX));
  if (indices[0] !== undefined && indices.length === 1) return await shardsOf(join(path, indices[0]));
  const found = names.filter((name) => name.endsWith('.safetensors'));
  if (found.length === 0 || indices.length > 1) {
    throw new OptionError('It is not clear what to read in this folder.', {
      given: indices.length > 1 ? indices.join(', ') : 'no safetensors file',
      expected: `files *.safetensors, or one *${INDEX}`,
      where: path,
    });
  }
  return { paths: found.map((name) => join(path, name)) };
}

async function shardsOf(
  path: string,
): Promise<{ paths: readonly string[]; promised: ReadonlyMap<string, string> }> {
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
  return { paths: shards.map((shard) => join(dirname(path), shard)), promised };
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
