/**
 * Tensors of files of any size, read piece by piece: safetensors and GGUF; one file, a folder of them, an index of shards, or many
 * of these.
 */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { BnnError, FormatError, OptionError, StorageError } from '../errors.ts';
import { decodeGgufHeader, GGUF_MOST_HEADER, type GgufHeader, isGguf } from '../formats/gguf.ts';
import { decodeBlocks, GGUF_TYPES, type GgufType, READ_TYPES } from '../formats/gguf-types.ts';
import { detect } from '../formats/load.ts';
import {
  decodeSafetensorsHeader,
  SAFETENSORS_PREFIX,
  type SafetensorsHeader,
  safetensorsHeaderEnd,
} from '../formats/safetensors.ts';
import { filtersAlong } from '../geometry/axis.ts';
import { withOneBit } from '../geometry/one-bit.ts';
import type { FilterSurvey, LayerSurvey, StoredFilters, StoredFormat } from '../geometry/survey.ts';
import { parseJson } from '../json.ts';
import { npx } from '../npx.ts';
import { readFileChecked, storageError } from './files.ts';

/** Where a tensor lies in its file, and as what. */
export interface StoredEntry {
  /** Type of an element, as the format calls it. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes from the start of the data, which follows the header. */
  readonly begin: number;
  readonly end: number;
}

interface TensorsHeader {
  readonly entries: ReadonlyMap<string, StoredEntry>;
  readonly start: number;
}

/** One open file: its header is in memory, its tensors are not. */
export class TensorFile<Header extends TensorsHeader = TensorsHeader> {
  readonly path: string;
  readonly header: Header;
  /** Of the whole file. */
  readonly bytes: number;
  readonly #file: FileHandle;

  private constructor(path: string, header: Header, bytes: number, file: FileHandle) {
    this.path = path;
    this.header = header;
    this.bytes = bytes;
    this.#file = file;
  }

  /** @throws StorageError, and what `readHeader` throws of ours */
  static async open<Header extends TensorsHeader>(
    path: string,
    readHeader: (head: (bytes: number) => Promise<Uint8Array<ArrayBuffer>>, size: number) => Promise<Header>,
  ): Promise<TensorFile<Header>> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const handle = file;
      const { size } = await file.stat();
      const head = (bytes: number) => readRange(handle, 0, new Uint8Array(Math.min(size, bytes)), path);
      return new TensorFile(path, await readHeader(head, size), size, file);
    } catch (cause) {
      await file?.close();
      if (cause instanceof BnnError) throw cause;
      throw storageError('The file could not be read.', path, cause);
    }
  }

  /**
   * Fills `into` with a tensor's bytes, from `offset` bytes after its begin on.
   * @throws StorageError where the file can't be read or has become shorter
   */
  async read(
    entry: StoredEntry,
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

  /** Bytes of the head, from `begin` to `end` of the file. @throws StorageError */
  async readHead(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    return await readRange(this.#file, begin, new Uint8Array(end - begin), this.path);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** @throws StorageError, FormatError */
export function openSafetensors(path: string): Promise<TensorFile<SafetensorsHeader>> {
  return TensorFile.open(path, async (head, size) => {
    const end = safetensorsHeaderEnd(await head(SAFETENSORS_PREFIX), size, path);
    return decodeSafetensorsHeader(await head(end), size, path);
  });
}

/** Bytes of a GGUF file in which a header is looked for first; tables of words make it longer. */
const GGUF_HEAD = 2 ** 16;

/** @throws StorageError, FormatError */
export function openGguf(path: string): Promise<TensorFile<GgufHeader>> {
  return TensorFile.open(path, async (head, size) => {
    for (let bytes = GGUF_HEAD; ; bytes *= 4) {
      const header = decodeGgufHeader(await head(Math.min(bytes, GGUF_MOST_HEADER)), size, path);
      if (header !== undefined) return header;
    }
  });
}

/** A file of either kind, by how it begins. @throws StorageError, FormatError */
export async function openTensors(path: string): Promise<TensorFile> {
  const kind = detect(await firstBytes(path));
  if (kind !== undefined && kind !== 'safetensors') {
    throw new FormatError('Tensors are read of safetensors and GGUF files.', {
      given: `${path}, which begins as ${KINDS[kind]} does`,
      expected: '.safetensors or .gguf',
      remedy: `what is in it: ${npx(`inspect ${path}`)}; its tensors: ${npx(`convert ${path} model.safetensors`)}`,
    });
  }
  return (await isGgufFile(path)) ? await openGguf(path) : await openSafetensors(path);
}

/** Whether a file is there, and begins as GGUF does. */
export async function isGgufFile(path: string): Promise<boolean> {
  return isGguf(await firstBytes(path));
}

/** How a file begins; nothing of one that can't be read. */
async function firstBytes(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return new Uint8Array();
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(16), 0, 16, 0);
    return buffer.subarray(0, bytesRead);
  } catch {
    // A folder can be opened, but not read.
    return new Uint8Array();
  } finally {
    await file.close();
  }
}

/** Other models, as people call them. */
const KINDS = { onnx: 'ONNX', tflite: 'TensorFlow Lite', zip: 'a zip archive' } as const;

/** A tensor, and the file that it lies in. */
export interface StoredTensor {
  /** Unique among those that were opened together. */
  readonly name: string;
  /** In its file. */
  readonly ownName: string;
  readonly entry: StoredEntry;
  readonly file: TensorFile;
}

/** Types that kernels read as they are, as reports call them. */
const FORMATS: Readonly<Record<string, StoredFormat>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };
/** Elements that are decoded at once. */
const PIECE = 2 ** 18;

/** Types whose elements are read. */
export const MEASURED_TYPES: readonly string[] = READ_TYPES;

/**
 * Elements of a tensor, whatever its type.
 * @param tensor of one of `MEASURED_TYPES`
 * @returns f32, `count` of them from `first` on
 * @throws StorageError
 */
export async function readNumbers(
  { entry, file }: StoredTensor,
  first: number,
  count: number,
): Promise<Float32Array<ArrayBuffer>> {
  const type = entry.dtype as GgufType;
  const { block, bytes } = GGUF_TYPES[type];
  const from = Math.floor(first / block);
  const to = Math.ceil((first + count) / block);
  const blocks = await file.read(entry, from * bytes, new Uint8Array((to - from) * bytes));
  return decodeBlocks(type, blocks).subarray(first - from * block, first - from * block + count);
}

/**
 * Filters of a tensor, as a survey takes them. Blocks become f32 on their way, a piece at a time.
 * @param tensor of one of `MEASURED_TYPES`
 */
export function storedFilters(tensor: StoredTensor): StoredFilters {
  const { name, entry, file } = tensor;
  const { dtype, shape } = entry;
  const format = FORMATS[dtype];
  if (format !== undefined) {
    return { name, shape, format, read: (offset, into) => file.read(entry, offset, into) };
  }
  return {
    name,
    shape,
    format: 'f32',
    async read(offset, into) {
      for (let at = 0; at < into.length; at += 4 * PIECE) {
        const values = await readNumbers(tensor, (offset + at) / 4, Math.min(PIECE, (into.length - at) / 4));
        into.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
      }
    },
  };
}

/**
 * Measures a tensor.
 * @param options.axis that counts the filters
 * @param options.groups also says what one bit a weight would do, with scales of groups
 * @param onShare called after each piece with its share of the tensor
 * @throws StorageError; what `FilterSurvey.measure` and `filtersAlong` throw
 */
export async function measureTensor(
  survey: FilterSurvey,
  tensor: StoredTensor,
  options: { readonly axis: number; readonly groups: boolean },
  onShare: (share: number) => void,
): Promise<LayerSurvey> {
  const along = filtersAlong(storedFilters(tensor), options.axis);
  const { filters, oneBit } = options.groups ? withOneBit(along) : { filters: along };
  const layer = await survey.measure(filters, onShare);
  const { dtype } = tensor.entry;
  return { ...layer, format: FORMATS[dtype] ?? dtype, ...(oneBit && { oneBit: oneBit() }) };
}

/**
 * Opens models for reading: a safetensors or GGUF file, a `.safetensors.index.json` of shards beside it, a folder with such an
 * index, with any number of safetensors files or else of GGUF files, or a folder of such folders.
 * @returns every tensor, file by file; `close` closes them all
 * @throws StorageError, FormatError for damaged files, tensors that the index promises and no shard has, or two files
 * with a tensor of the same name; OptionError where there is nothing to read
 */
export async function openModel(
  path: string,
): Promise<{ readonly tensors: readonly StoredTensor[]; close(): Promise<void> }> {
  const files: TensorFile[] = [];
  const close = async () => {
    for (const file of files) await file.close();
  };
  try {
    const models = await modelsOf(path);
    const tensors = new Map<string, StoredTensor>();
    for (const { prefix, paths, promised } of models) {
      for (const one of paths) {
        const file = await openTensors(one);
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
/** Files that llama.cpp parts a model into: their tensors have names that differ. */
const GGUF_SHARD = /-\d{5}-of-\d{5}\.gguf$/i;

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
    given: 'no safetensors file, and no GGUF file',
    expected: `files *.safetensors or *.gguf, one *${INDEX}, or folders of these`,
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
  const ending = (pattern: RegExp) => names.filter((name) => pattern.test(name));
  const shards = ending(GGUF_SHARD).map((name) => join(folder, name));
  const [found = []] = [ending(/\.safetensors$/), ending(/\.gguf$/i)].filter(({ length }) => length > 0);
  if (found.length > 0 && found.length === shards.length) return [{ prefix: '', paths: shards }];
  if (found.length > 0) {
    return found.map((name) => ({ prefix: basename(name, extname(name)), paths: [join(folder, name)] }));
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
