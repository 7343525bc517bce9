/**
 * Index files of binary vectors, and the files of reals that they are made of: all are read piece by piece, whatever their size. An
 * index is a safetensors file: `keys` U32 [count, ceil(bits / 32)], `mean` F32 [bits], and `int8` I8 [count, bits] where candidates
 * can be scored again.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { BnnError, FormatError, OptionError, ShapeError } from '../errors.ts';
import { type SafetensorsEntry, type SafetensorsHeader, safetensorsPrefix } from '../formats/safetensors.ts';
import { type Gpu, wordsFor } from '../gpu/index.ts';
import { npx } from '../npx.ts';
import { widenBrains } from '../numerics/halves.ts';
import { firstWithTail } from '../vectors/signs.ts';
import { MOST_NEAREST, nearestWords, signsOf, VectorIndex } from '../vectors.ts';
import { storageError, writeAt, writeFileAtomic } from './files.ts';
import { NPY_PREFIX, npyNumbers, readNpyHeader } from './npy.ts';
import { openSafetensors, type TensorFile } from './tensors.ts';

/** Rows of reals in a file. */
export interface VectorFile {
  readonly count: number;
  readonly bits: number;
  /** f32 [rows, bits] @throws StorageError, FormatError for what is no number */
  read(first: number, rows: number): Promise<Float32Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Bytes that are read at once. */
const PIECE = 2 ** 24;
const KIND = 'webgpu-bnn vector index';

/** Rows of a piece. */
const rowsAtOnce = (bytes: number) => Math.max(1, Math.floor(PIECE / bytes));

/**
 * Opens vectors of reals.
 * @param path `.npy` [count, bits], or safetensors
 * @param tensor which of a safetensors file; may be missing where there is one of two dimensions
 * @throws StorageError, FormatError, OptionError, ShapeError
 */
export async function openVectors(path: string, tensor?: string): Promise<VectorFile> {
  if (!/\.(npy|safetensors)$/i.test(path)) {
    throw new OptionError('Vectors are read from NumPy arrays and safetensors.', {
      given: path,
      expected: 'a name that ends in .npy or .safetensors',
      where: 'vectors',
    });
  }
  return /\.npy$/i.test(path) ? await openNpy(path) : await openTensor(path, tensor);
}

function assertMatrix(shape: readonly number[], where: string): void {
  if (shape.length === 2 && shape.every((extent) => extent > 0)) return;
  throw new ShapeError('Vectors are the rows of a matrix.', {
    given: `[${shape.join(', ')}]`,
    expected: '[count, bits], neither of them 0',
    where,
  });
}

function assertFinite(values: Float32Array<ArrayBuffer>, first: number, bits: number, where: string) {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  throw new FormatError('A vector holds what is no finite number.', {
    given: `${values[at]} in vector ${first + Math.floor(at / bits)}`,
    where,
    remedy: 'leave such vectors out',
  });
}

async function openNpy(path: string): Promise<VectorFile> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const handle = file;
    const { size } = await file.stat();
    const prefix = new Uint8Array(Math.min(size, NPY_PREFIX));
    await readAll(file, prefix, 0, path);
    const header = readNpyHeader(prefix, size, path);
    assertMatrix(header.shape, path);
    const [count = 0, bits = 0] = header.shape;
    if (header.fortran) {
      throw new FormatError('The rows of this array do not lie one after another.', {
        given: 'Fortran order',
        expected: 'C order',
        where: path,
        remedy: "save it anew: numpy.save('x.npy', numpy.ascontiguousarray(array))",
      });
    }
    const width = Number(header.type.slice(1)) * bits;
    return {
      count,
      bits,
      read: async (first, rows) => {
        const bytes = new Uint8Array(rows * width);
        await readAll(handle, bytes, header.start + first * width, path);
        return assertFinite(npyNumbers(bytes, header), first, bits, path);
      },
      close: () => handle.close(),
    };
  } catch (cause) {
    await file?.close();
    throw cause instanceof BnnError ? cause : storageError('The file could not be read.', path, cause);
  }
}

async function readAll(file: FileHandle, into: Uint8Array, at: number, path: string): Promise<void> {
  const { bytesRead } = await file.read(into, 0, into.length, at);
  if (bytesRead === into.length) return;
  throw new FormatError('The file has become shorter.', {
    given: `${bytesRead} bytes at ${at}`,
    where: path,
  });
}

/** Numbers of a safetensors type, as f32; through the types that NumPy has, too. */
const TYPES: Readonly<Record<string, string>> = { F32: 'f4', F16: 'f2', F64: 'f8', I8: 'i1' };

async function openTensor(path: string, wanted: string | undefined): Promise<VectorFile> {
  const file = await openSafetensors(path);
  try {
    const { entries } = file.header;
    const matrices = [...entries].filter(([, { shape }]) => shape.length === 2).map(([name]) => name);
    const name = wanted ?? (matrices.length === 1 ? matrices[0] : undefined);
    const entry = name === undefined ? undefined : entries.get(name);
    if (entry === undefined) {
      throw new OptionError('It is not clear which tensor holds the vectors.', {
        given: wanted ?? `${matrices.length} of two dimensions`,
        expected: matrices.slice(0, 20).join(', '),
        where: path,
        remedy: 'name it: --tensor NAME',
      });
    }
    assertMatrix(entry.shape, path);
    const [count = 0, bits = 0] = entry.shape;
    const type = TYPES[entry.dtype];
    if (type === undefined && entry.dtype !== 'BF16') {
      throw new FormatError('Vectors of this type are not read.', {
        given: entry.dtype,
        expected: [...Object.keys(TYPES), 'BF16'].join(', '),
        where: `${path}: ${name}`,
      });
    }
    const width = (entry.end - entry.begin) / count;
    return {
      count,
      bits,
      read: async (first, rows) => {
        const bytes = await file.read(entry, first * width, new Uint8Array(rows * width));
        const values =
          type === undefined
            ? widenBrains(new Uint16Array(bytes.buffer))
            : npyNumbers(bytes, { type, order: '<', shape: [], fortran: false, start: 0, count: 0 });
        return assertFinite(values, first, bits, path);
      },
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

/** What an index is made with. */
export interface IndexOptions {
  /** Which tensor of a safetensors file. */
  readonly tensor?: string | undefined;
  /** Keeps a byte a dimension too, so that candidates can be scored again. */
  readonly int8?: boolean | undefined;
  /** Whether the mean is taken off; default true. */
  readonly mean?: boolean | undefined;
}

/**
 * Makes an index of vectors: one bit a dimension, and a byte more where that is wanted. It is written whole or not at all.
 * @throws StorageError, FormatError, OptionError, ShapeError
 */
export async function writeVectorIndex(
  path: string,
  out: string,
  options: IndexOptions = {},
): Promise<{ readonly count: number; readonly bits: number; readonly bytes: number }> {
  const file = await openVectors(path, options.tensor);
  try {
    const { count, bits } = file;
    const rows = rowsAtOnce(4 * bits);
    const mean = new Float64Array(bits);
    for (let first = 0; options.mean !== false && first < count; first += rows) {
      const values = await file.read(first, Math.min(rows, count - first));
      for (let i = 0; i < values.length; i++)
        mean[i % bits] = (mean[i % bits] ?? 0) + (values[i] ?? 0) / count;
    }
    const kept = Float32Array.from(mean);
    const words = wordsFor(bits);
    const [forMean, forKeys, forBytes] = [
      4 * bits,
      4 * words * count,
      options.int8 === true ? count * bits : 0,
    ];
    const prefix = safetensorsPrefix(
      [
        { name: 'mean', dtype: 'F32', shape: [bits], bytes: forMean },
        { name: 'keys', dtype: 'U32', shape: [count, words], bytes: forKeys },
        ...(options.int8 === true
          ? [{ name: 'int8', dtype: 'I8', shape: [count, bits], bytes: forBytes } as const]
          : []),
      ],
      { kind: KIND, version: '1', bits: `${bits}` },
    );
    const start = prefix.length;
    await writeFileAtomic(out, '', async (target) => {
      await writeAt(target, prefix, 0);
      await writeAt(target, kept, start);
      for (let first = 0; first < count; first += rows) {
        const values = await file.read(first, Math.min(rows, count - first));
        const signs = signsOf(values, bits, { mean: kept });
        await writeAt(target, signs, start + forMean + 4 * words * first);
        if (forBytes === 0) continue;
        await writeAt(target, bytesOf(values, kept, bits), start + forMean + forKeys + bits * first);
      }
    });
    return { count, bits, bytes: start + forMean + forKeys + forBytes };
  } finally {
    await file.close();
  }
}

/** A byte for each number: 127 is the largest of its vector. Only directions count, so that it need not be kept. */
function bytesOf(values: Float32Array, mean: Float32Array, bits: number): Int8Array<ArrayBuffer> {
  const bytes = new Int8Array(values.length);
  for (let first = 0; first < values.length; first += bits) {
    let most = 0;
    for (let i = 0; i < bits; i++) {
      most = Math.max(most, Math.abs((values[first + i] ?? 0) - (mean[i] ?? 0)));
    }
    if (most === 0) continue;
    for (let i = 0; i < bits; i++) {
      bytes[first + i] = Math.round((127 * ((values[first + i] ?? 0) - (mean[i] ?? 0))) / most);
    }
  }
  return bytes;
}

/** The nearest keys of queries, [queries][count]: by signs, or by cosines with `int8` where that was asked for. */
export interface FoundInFile {
  readonly keys: readonly (readonly number[])[];
  /** Similarities of signs: bits less twice the differing ones; or cosines. */
  readonly scores: readonly (readonly number[])[];
}

/** How an index is searched. */
export interface SearchOptions {
  /** On which to search; without it, the processor does, to the same bits. */
  readonly gpu?: Gpu | undefined;
  /** Takes four times as many by their signs, and of them the nearest by their bytes. */
  readonly rescore?: boolean | undefined;
}

/** Candidates for each key that is wanted, where they are scored again. */
const CANDIDATES = 4;

/** An index file that is open: of its keys only a piece is in memory. */
export class VectorIndexFile {
  readonly count: number;
  readonly bits: number;
  readonly #file: TensorFile<SafetensorsHeader>;
  readonly #keys: SafetensorsEntry;
  readonly #mean: Float32Array<ArrayBuffer>;
  readonly #bytes: SafetensorsEntry | undefined;

  private constructor(file: TensorFile<SafetensorsHeader>, mean: Float32Array<ArrayBuffer>, parts: Parts) {
    this.#file = file;
    this.#mean = mean;
    [this.#keys, this.#bytes] = [parts.keys, parts.int8];
    [this.count = 0, this.bits] = [parts.keys.shape[0], mean.length];
  }

  /** @throws StorageError, FormatError for what is no such file, or says of itself what isn't so */
  static async open(path: string): Promise<VectorIndexFile> {
    if (/\.npy$/i.test(path)) {
      throw new FormatError('These are vectors, and no index of them.', {
        given: path,
        expected: 'what vectors index wrote',
        where: 'vectors search',
        remedy: `make one: ${npx(`vectors index ${path} --out ${path.slice(0, -'.npy'.length)}.index`)}`,
      });
    }
    const file = await openSafetensors(path);
    try {
      const parts = indexParts(file.header, path);
      const bytes = await file.read(parts.mean, 0, new Uint8Array(parts.mean.end - parts.mean.begin));
      const mean = new Float32Array(bytes.buffer);
      assertFinite(mean, 0, mean.length, path);
      return new VectorIndexFile(file, mean, parts);
    } catch (cause) {
      await file.close();
      throw cause;
    }
  }

  /**
   * The nearest keys of every query.
   * @param values f32 [queries, bits], as they are: what was taken off the keys is taken off them
   * @throws StorageError, FormatError, ShapeError, OptionError
   */
  async search(values: Float32Array, count: number, options: SearchOptions = {}): Promise<FoundInFile> {
    const { bits } = this;
    const where = 'vectors search';
    if (options.rescore === true && this.#bytes === undefined) {
      throw new OptionError('This index has no bytes to score candidates again.', {
        where,
        remedy: 'make it with --int8',
      });
    }
    const most = Math.min(this.count, MOST_NEAREST);
    if (!Number.isSafeInteger(count) || count < 1 || count > most) {
      throw new OptionError('There are not so many nearest keys.', {
        given: `${count} of ${this.count} keys`,
        expected: `1 to ${most}`,
        where,
      });
    }
    const queries = signsOf(values, bits, { mean: this.#mean });
    const asked = queries.length / wordsFor(bits);
    const wanted = options.rescore === true ? Math.min(this.count, CANDIDATES * count) : count;
    let best: [similarity: number, key: number][][] = Array.from({ length: asked }, () => []);
    const rows = rowsAtOnce(4 * wordsFor(bits));
    for (let first = 0; first < this.count; first += rows) {
      const words = await this.#words(first, Math.min(rows, this.count - first));
      const here = Math.min(wanted, words.length / wordsFor(bits));
      const { keys, similarities } = await nearestOf(queries, words, { bits, count: here, gpu: options.gpu });
      best = best.map((list, query) => {
        const found = Array.from({ length: here }, (_, i): [number, number] => {
          return [similarities[query * here + i] ?? 0, first + (keys[query * here + i] ?? 0)];
        });
        // Sorting keeps the order of equals, and earlier pieces come first.
        return [...list, ...found].sort(([a], [b]) => b - a).slice(0, wanted);
      });
    }
    if (options.rescore === true) {
      for (const [query, list] of best.entries()) {
        best[query] = (await this.#rescored(values.subarray(query * bits, (query + 1) * bits), list)).slice(
          0,
          count,
        );
      }
    }
    return {
      keys: best.map((list) => list.map(([, key]) => key)),
      scores: best.map((list) => list.map(([score]) => score)),
    };
  }

  /**
   * The nearest keys of all vectors of a file, of which only a piece is in memory.
   * @throws StorageError, FormatError, ShapeError, OptionError
   */
  async searchFile(
    path: string,
    count: number,
    options: SearchOptions & { tensor?: string | undefined } = {},
  ) {
    const file = await openVectors(path, options.tensor);
    try {
      if (file.bits !== this.bits) {
        throw new ShapeError('Queries are as long as the keys.', {
          given: `${file.bits} dimensions`,
          expected: `${this.bits}`,
          where: path,
        });
      }
      const rows = rowsAtOnce(4 * file.bits);
      const found: { keys: (readonly number[])[]; scores: (readonly number[])[] } = { keys: [], scores: [] };
      for (let first = 0; first < file.count; first += rows) {
        const values = await file.read(first, Math.min(rows, file.count - first));
        const { keys, scores } = await this.search(values, count, options);
        // One by one: an argument list has its limits.
        for (const list of keys) found.keys.push(list);
        for (const list of scores) found.scores.push(list);
      }
      return found;
    } finally {
      await file.close();
    }
  }

  async #words(first: number, rows: number): Promise<Uint32Array<ArrayBuffer>> {
    const width = 4 * wordsFor(this.bits);
    const bytes = await this.#file.read(this.#keys, first * width, new Uint8Array(rows * width));
    return keyWords(bytes, this.bits, first, this.#file.path);
  }

  /** Candidates by the cosines of their bytes with the query. */
  async #rescored(query: Float32Array, list: readonly [number, number][]): Promise<[number, number][]> {
    const entry = this.#bytes as SafetensorsEntry;
    const scored: [number, number][] = [];
    const centred = Float64Array.from(query, (value, i) => value - (this.#mean[i] ?? 0));
    for (const [, key] of list) {
      const bytes = await this.#file.read(entry, key * this.bits, new Uint8Array(this.bits));
      const values = new Int8Array(bytes.buffer);
      let [dot, ofKey, ofQuery] = [0, 0, 0];
      for (let i = 0; i < this.bits; i++) {
        const [a, b] = [centred[i] ?? 0, values[i] ?? 0];
        dot += a * b;
        ofKey += b * b;
        ofQuery += a * a;
      }
      scored.push([ofKey * ofQuery === 0 ? 0 : dot / Math.sqrt(ofKey * ofQuery), key]);
    }
    return scored.sort(([a, i], [b, j]) => b - a || i - j);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function nearestOf(
  queries: Uint32Array<ArrayBuffer>,
  words: Uint32Array<ArrayBuffer>,
  { bits, count, gpu }: { readonly bits: number; readonly count: number; readonly gpu: Gpu | undefined },
) {
  // Candidates may be more than a GPU finds at once.
  if (gpu === undefined || count > MOST_NEAREST) {
    return await nearestWords(queries, words, bits, count);
  }
  using index = await VectorIndex.create(gpu, words, { bits });
  return await index.search(queries, count);
}

/**
 * Keys of an index.
 * @param first the place of the first of them
 * @throws FormatError for one with bits behind its last one, which would count
 */
export function keyWords(bytes: Uint8Array<ArrayBuffer>, bits: number, first: number, path: string) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const bad = firstWithTail(words, bits);
  if (bad < 0) return words;
  throw new FormatError('A key has bits behind its last one.', {
    given: `key ${first + bad}`,
    expected: `${bits} bits in ${wordsFor(bits)} words`,
    where: path,
  });
}

/** Where the parts of an index lie. */
export interface Parts {
  readonly mean: SafetensorsEntry;
  readonly keys: SafetensorsEntry;
  readonly int8: SafetensorsEntry | undefined;
}

/** @throws FormatError for what is no index of vectors, or contradicts itself */
export function indexParts(header: SafetensorsHeader, path: string): Parts {
  const { entries, metadata } = header;
  const [mean, keys, int8] = ['mean', 'keys', 'int8'].map((name) => entries.get(name));
  const bits = mean?.shape[0] ?? 0;
  const [count = 0, words] = keys?.shape ?? [];
  const fits =
    metadata.kind === KIND &&
    metadata.version === '1' &&
    metadata.bits === `${bits}` &&
    mean?.dtype === 'F32' &&
    mean.shape.length === 1 &&
    keys?.dtype === 'U32' &&
    keys.shape.length === 2 &&
    bits > 0 &&
    count > 0 &&
    words === wordsFor(bits) &&
    (int8 === undefined || (int8.dtype === 'I8' && int8.shape.join() === `${count},${bits}`));
  if (fits && mean !== undefined && keys !== undefined) return { mean, keys, int8 };
  throw new FormatError('This is no index of vectors.', {
    given: `kind ${metadata.kind ?? 'not said'}, tensors ${[...entries.keys()].slice(0, 10).join(', ')}`,
    expected: `${KIND} of version 1`,
    where: path,
    remedy: `make one: ${npx('vectors index')}`,
  });
}
