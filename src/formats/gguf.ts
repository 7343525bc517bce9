/**
 * GGUF files of versions 2 and 3 (`docs/gguf.md` of ggml), little-endian: `GGUF`, the version, how many tensors and how many values;
 * the values {key, type, value}; the tensors {name, extents, type, offset}; zeros up to the alignment; then the tensors' bytes, each
 * from a multiple of the alignment on. Extents are written from the innermost axis out; here shapes are row-major, as everywhere.
 */
import { FormatError } from '../errors.ts';
import { GGUF_TYPES, type GgufType } from './gguf-types.ts';
import { joinedBytes } from './joined.ts';

/** Where a tensor lies in a file. */
export interface GgufEntry {
  readonly dtype: GgufType;
  /** Extent of each axis; the last is that of a row, which is made of whole blocks. */
  readonly shape: readonly number[];
  /** Bytes from the start of the data, which follows the header. */
  readonly begin: number;
  readonly end: number;
}

/** A value of the file: of an array only how many elements it has, of which type, and the first of them. */
export type GgufValue =
  | { readonly type: GgufScalar; readonly value: number | string | boolean }
  | {
      readonly type: 'array';
      readonly of: GgufScalar | 'array';
      readonly length: number;
      readonly first: readonly GgufValue[];
    };

export interface GgufHeader {
  readonly version: number;
  /** In the order of the data. */
  readonly entries: ReadonlyMap<string, GgufEntry>;
  /** Bytes from the start of the file to the data. */
  readonly start: number;
  /** What tensors begin at multiples of. */
  readonly alignment: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** By key: where key, type and value lie in the file. */
  readonly ranges: ReadonlyMap<string, readonly [begin: number, end: number]>;
}

/** Bytes of each type of a value, in the order of their numbers; 0 where they vary. */
const SCALARS = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  bool: 1,
  string: 0,
  array: 0,
  uint64: 8,
  int64: 8,
  float64: 8,
} as const;
const VALUE_TYPES = Object.keys(SCALARS) as readonly (keyof typeof SCALARS)[];
/** Types of values but arrays; 64 bits beyond 2^53 are told as decimal digits. */
export type GgufScalar = Exclude<keyof typeof SCALARS, 'array'>;

const MAGIC = [...'GGUF'].map((letter) => letter.charCodeAt(0));
/** Bytes of a header at most: tables of words are a few million. */
export const GGUF_MOST_HEADER = 100_000_000;
/** What a key or a name may be long. */
const MAX_NAME = 65_535;
const MAX_AXES = 4;
/** How deep arrays lie in arrays. */
const MAX_DEPTH = 8;
/** Elements of an array that are kept. */
const FIRST = 8;
/** What a value and a tensor take at least. */
const [LEAST_VALUE, LEAST_TENSOR] = [13, 24];
const ALIGNMENT = 'general.alignment';

/** Whether a file begins as GGUF does. */
export function isGguf(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte);
}

/** What is behind the bytes at hand, though not behind the file. */
class MoreNeeded extends Error {}

/**
 * What a file holds, from its head alone: everything is checked but the elements themselves.
 * @param head the file, or its first bytes
 * @param fileBytes of the whole file
 * @returns undefined where the header is longer than these bytes
 * @throws FormatError for a file that is truncated, damaged, of another kind, or of a type not known here
 */
export function decodeGgufHeader(
  head: Uint8Array<ArrayBuffer>,
  fileBytes: number,
  where: string,
): GgufHeader | undefined {
  try {
    return new HeaderReader(head, fileBytes, where).header();
  } catch (error) {
    if (error instanceof MoreNeeded) return undefined;
    throw error;
  }
}

const CORRUPT = 'get the file again, it is damaged or was written by a faulty tool';
const TRUNCATED = 'get the file again, it may be cut off';

class HeaderReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #file: number;
  readonly #where: string;
  #at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>, file: number, where: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#bytes = bytes;
    this.#file = file;
    this.#where = where;
  }

  header(): GgufHeader {
    const magic = this.#bytes.subarray(0, this.#take(4) + 4);
    if (!isGguf(magic)) {
      this.#fail('This is no GGUF file.', `bytes ${[...magic].join(' ')}`, 'GGUF', CORRUPT);
    }
    const version = this.#u32();
    if (version !== 2 && version !== 3) {
      // Both ends of a word: a big machine's 3 is 2^24 times as much.
      const given =
        version > 0 && version % 2 ** 24 === 0 ? 'one with the most significant byte first' : `${version}`;
      this.#fail(
        'GGUF files of this version are not read.',
        given,
        '2 or 3, with the least significant byte first',
        'convert the model anew with a current tool',
      );
    }
    const tensors = this.#count('tensors', LEAST_TENSOR);
    const values = this.#count('values', LEAST_VALUE);
    const metadata = new Map<string, GgufValue>();
    const ranges = new Map<string, readonly [number, number]>();
    for (let i = 0; i < values; i++) {
      const begin = this.#at;
      const key = this.#name('key');
      if (metadata.has(key)) this.#fail('The file says something twice.', `"${key}"`);
      metadata.set(key, this.#value(this.#type(), 0));
      ranges.set(key, [begin, this.#at]);
    }
    const alignment = this.#alignment(metadata.get(ALIGNMENT));
    const entries = new Map<string, GgufEntry>();
    for (let i = 0; i < tensors; i++) {
      const name = this.#name('name of a tensor');
      if (entries.has(name)) this.#fail('Two tensors have one name.', `"${name}"`);
      entries.set(name, this.#tensor(name, alignment));
    }
    const start = padded(this.#at, alignment);
    return {
      version,
      alignment,
      metadata,
      ranges,
      start,
      entries: this.#covering(entries, start, alignment),
    };
  }

  /** Moves on by so many bytes. @returns where they begin */
  #take(count: number): number {
    const at = this.#at;
    const end = at + count;
    if (end > this.#file) {
      this.#fail('The file ends within its header.', `${this.#file} bytes`, `${end} at least`, TRUNCATED);
    }
    if (end > GGUF_MOST_HEADER)
      this.#fail('The header is too long.', `${end} bytes`, `${GGUF_MOST_HEADER} at most`);
    if (end > this.#bytes.length) throw new MoreNeeded();
    this.#at = end;
    return at;
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A length or an offset: no number beyond 2^53 is either. */
  #u64(what: string): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.#fail(`There can't be ${what}.`, `${value}`);
    return Number(value);
  }

  /** How many things follow, each of so many bytes at least. */
  #count(things: string, least: number): number {
    const count = this.#u64(`so many ${things}`);
    const most = Math.floor((Math.min(this.#file, GGUF_MOST_HEADER) - this.#at) / least);
    if (count > most) {
      this.#fail(
        `There are more ${things} than the file has room for.`,
        `${count}`,
        `${most} at most`,
        TRUNCATED,
      );
    }
    return count;
  }

  #name(what: string): string {
    const length = this.#u64(`so long a ${what}`);
    if (length > MAX_NAME) this.#fail(`The ${what} is too long.`, `${length} bytes`, `${MAX_NAME} at most`);
    const at = this.#take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.#bytes.subarray(at, at + length),
      );
    } catch (cause) {
      return this.#fail(`The ${what} is no text.`, String(cause));
    }
  }

  #type(): keyof typeof SCALARS {
    const code = this.#u32();
    return VALUE_TYPES[code] ?? this.#fail('A value has an unknown type.', `${code}`, '0 to 12');
  }

  #value(type: keyof typeof SCALARS, depth: number): GgufValue {
    if (type === 'array') return this.#array(depth);
    if (type === 'string') {
      const at = this.#string();
      return { type, value: new TextDecoder().decode(this.#bytes.subarray(at, this.#at)) };
    }
    return { type, value: this.#scalar(type, this.#take(SCALARS[type])) };
  }

  /** Moves over a text. @returns where it begins */
  #string(): number {
    return this.#take(this.#u64('so long a text'));
  }

  #scalar(type: Exclude<GgufScalar, 'string'>, at: number): number | string | boolean {
    const view = this.#view;
    switch (type) {
      case 'uint8':
        return view.getUint8(at);
      case 'int8':
        return view.getInt8(at);
      case 'uint16':
        return view.getUint16(at, true);
      case 'int16':
        return view.getInt16(at, true);
      case 'uint32':
        return view.getUint32(at, true);
      case 'int32':
        return view.getInt32(at, true);
      case 'float32':
        return view.getFloat32(at, true);
      case 'float64':
        return view.getFloat64(at, true);
      case 'uint64':
        return exact(view.getBigUint64(at, true));
      case 'int64':
        return exact(view.getBigInt64(at, true));
      case 'bool': {
        const byte = view.getUint8(at);
        return byte > 1 ? this.#fail('A truth is 0 or 1.', `${byte}`) : byte === 1;
      }
    }
  }

  #array(depth: number): GgufValue {
    if (depth === MAX_DEPTH)
      this.#fail('Arrays lie too deep in arrays.', `${depth + 1}`, `${MAX_DEPTH} at most`);
    const of = this.#type();
    const width = SCALARS[of];
    // A text has its length, and an array its type, too.
    const length = this.#count('elements', width === 0 ? (of === 'array' ? 12 : 8) : width);
    const first: GgufValue[] = [];
    for (let i = 0; i < Math.min(length, FIRST); i++) first.push(this.#value(of, depth + 1));
    const rest = length - first.length;
    if (width > 0) this.#take(rest * width);
    else if (of === 'string') for (let i = 0; i < rest; i++) this.#string();
    else for (let i = 0; i < rest; i++) this.#array(depth + 1);
    return { type: 'array', of, length, first };
  }

  #alignment(value: GgufValue | undefined): number {
    if (value === undefined) return 32;
    const given = value.type === 'uint32' ? Number(value.value) : 0;
    // A power of two has one bit.
    if (given > 0 && (given & (given - 1)) === 0) return given;
    return this.#fail(
      'Tensors are aligned to a power of two.',
      `${ALIGNMENT} ${value.type} ${'value' in value ? value.value : ''}`,
      'uint32 32, for instance',
    );
  }

  #tensor(name: string, alignment: number): GgufEntry {
    const axes = this.#u32();
    if (axes > MAX_AXES) {
      this.#fail('A tensor has too many axes.', `"${name}": ${axes}`, `${MAX_AXES} at most`);
    }
    const shape = Array.from({ length: axes }, () => this.#u64('so long an axis')).reverse();
    const code = this.#u32();
    const dtype = NAMES.get(code);
    if (dtype === undefined) {
      return this.#fail(
        'The element type is not known here.',
        `"${name}": ${code}`,
        [...NAMES.values()].join(', '),
        'convert the model anew with a current llama.cpp',
      );
    }
    const { block, bytes } = GGUF_TYPES[dtype];
    const row = shape.at(-1) ?? 1;
    if (row % block !== 0) {
      this.#fail('A row is made of whole blocks.', `"${name}": ${row} of ${dtype}`, `a multiple of ${block}`);
    }
    // Extents multiply to a double: exact up to 2^53, and beyond that larger than any file.
    const size = shape.includes(0) ? 0 : shape.reduce((product, axis) => product * axis, 1);
    const begin = this.#u64('so large an offset');
    if (begin % alignment !== 0) {
      this.#fail('A tensor is not aligned.', `"${name}" at ${begin}`, `a multiple of ${alignment}`);
    }
    return { dtype, shape, begin, end: begin + (size / block) * bytes };
  }

  /** Sorts by offset and refuses overlaps, holes, and what lies beyond the file. */
  #covering(
    ranges: ReadonlyMap<string, GgufEntry>,
    start: number,
    alignment: number,
  ): Map<string, GgufEntry> {
    const sorted = [...ranges].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
    let covered = 0;
    for (const [name, { begin, end }] of sorted) {
      if (begin !== padded(covered, alignment)) {
        this.#fail(
          begin < covered ? 'Two tensors overlap.' : 'There are bytes between two tensors.',
          `"${name}" at ${begin} of the data`,
          `${padded(covered, alignment)}, after the tensor before`,
        );
      }
      if (start + end > this.#file) {
        this.#fail(
          'A tensor reaches beyond the end of the file.',
          `"${name}": bytes ${begin} to ${end} of the data`,
          `${Math.max(0, this.#file - start)} at most`,
          TRUNCATED,
        );
      }
      covered = end;
    }
    if (this.#file > padded(start + covered, alignment)) {
      this.#fail(
        'There are bytes after the last tensor.',
        `${this.#file} bytes`,
        `${padded(start + covered, alignment)} at most`,
      );
    }
    return new Map(sorted);
  }

  #fail(what: string, given: string, expected?: string, remedy = CORRUPT): never {
    throw new FormatError(what, { given, expected, where: `${this.#where}, offset ${this.#at}`, remedy });
  }
}

const NAMES = new Map(Object.entries(GGUF_TYPES).map(([name, { code }]) => [code, name as GgufType]));

/** The next multiple of an alignment. */
function padded(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function exact(value: bigint): number | string {
  return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : `${value}`;
}

/** What tensors are aligned to in files that are written. */
const WRITTEN_ALIGNMENT = 32;

/** A value as it stands in a file. */
export function encodeGgufValue(key: string, value: string | number): Uint8Array<ArrayBuffer> {
  const type = typeof value === 'string' ? 'string' : 'uint32';
  return joinedBytes([
    text(key),
    unsigned(VALUE_TYPES.indexOf(type), 4),
    typeof value === 'string' ? text(value) : unsigned(value, 4),
  ]);
}

/**
 * What a file begins with, and where its tensors lie.
 * @param tensors in the order of the data, each name once
 * @param values as `encodeGgufValue` makes them, or as they lie in another file; none of them the alignment
 * @returns `size` of the whole file
 */
export function ggufPrefix(
  tensors: readonly (Pick<GgufEntry, 'dtype' | 'shape'> & { readonly name: string })[],
  values: readonly Uint8Array<ArrayBuffer>[],
): { prefix: Uint8Array<ArrayBuffer>; begins: readonly number[]; size: number } {
  const begins: number[] = [];
  let end = 0;
  const infos = tensors.map(({ name, dtype, shape }) => {
    const { code, block, bytes } = GGUF_TYPES[dtype];
    begins.push(end);
    const extents = shape.toReversed().map((extent) => unsigned(extent, 8));
    const info = joinedBytes([
      text(name),
      unsigned(shape.length, 4),
      ...extents,
      unsigned(code, 4),
      unsigned(end, 8),
    ]);
    end += padded(
      (shape.reduce((product, extent) => product * extent, 1) / block) * bytes,
      WRITTEN_ALIGNMENT,
    );
    return info;
  });
  const counts = [unsigned(3, 4), unsigned(tensors.length, 8), unsigned(values.length, 8)];
  const head = joinedBytes([Uint8Array.from(MAGIC), ...counts, ...values, ...infos]);
  const prefix = new Uint8Array(padded(head.length, WRITTEN_ALIGNMENT));
  prefix.set(head);
  return { prefix, begins: begins.map((begin) => prefix.length + begin), size: prefix.length + end };
}

function unsigned(value: number, width: 4 | 8): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes.subarray(0, width);
}

function text(given: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(given);
  return joinedBytes([unsigned(bytes.length, 8), bytes]);
}
