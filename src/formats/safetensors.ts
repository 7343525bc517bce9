/**
 * safetensors files (huggingface.co/docs/safetensors): eight bytes with the header's length, little-endian; a JSON
 * header {name: {dtype, shape, data_offsets}}, optionally with a `__metadata__` map of strings; then the tensors' bytes,
 * without holes. Numbers are little-endian, as on every machine that runs WebGPU, so tensors are views, not copies.
 */
import { type BytesLike, ownBytes, plainBytes } from '../bytes.ts';
import { FormatError, OptionError, ShapeError } from '../errors.ts';
import { parseJson } from '../json.ts';

/** What holds the elements of a type; types that JavaScript lacks are kept as their bits. */
interface ArrayOf {
  BOOL: Uint8Array<ArrayBuffer>;
  U8: Uint8Array<ArrayBuffer>;
  I8: Int8Array<ArrayBuffer>;
  F8_E4M3: Uint8Array<ArrayBuffer>;
  F8_E5M2: Uint8Array<ArrayBuffer>;
  F8_E8M0: Uint8Array<ArrayBuffer>;
  U16: Uint16Array<ArrayBuffer>;
  I16: Int16Array<ArrayBuffer>;
  F16: Uint16Array<ArrayBuffer>;
  BF16: Uint16Array<ArrayBuffer>;
  U32: Uint32Array<ArrayBuffer>;
  I32: Int32Array<ArrayBuffer>;
  F32: Float32Array<ArrayBuffer>;
  U64: BigUint64Array<ArrayBuffer>;
  I64: BigInt64Array<ArrayBuffer>;
  F64: Float64Array<ArrayBuffer>;
}

/** Element types of safetensors files that are read. */
export type SafetensorsDtype = keyof ArrayOf;

type ArrayType<D extends SafetensorsDtype> = {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayOf[D];
};

const ARRAYS: { readonly [D in SafetensorsDtype]: ArrayType<D> } = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
  F8_E8M0: Uint8Array,
  U16: Uint16Array,
  I16: Int16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
};

/** A tensor of a file; row-major. */
export type SafetensorsTensor = {
  [D in SafetensorsDtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: ArrayOf[D];
  };
}[SafetensorsDtype];

/** A tensor to be written: `data` must be the kind of array that `dtype` is read into. */
export interface SafetensorsInput {
  /** Type of an element, as the format calls it. */
  readonly dtype: SafetensorsDtype;
  /** Extent of each axis; empty for one number. */
  readonly shape: readonly number[];
  /** Elements in row-major order; as many as `shape` has places. */
  readonly data:
    | Uint8Array
    | Int8Array
    | Uint16Array
    | Int16Array
    | Uint32Array
    | Int32Array
    | Float32Array
    | BigUint64Array
    | BigInt64Array
    | Float64Array;
}

/** The tensors of a safetensors file by name, and its map of strings. */
export interface SafetensorsFile {
  /** By name. */
  readonly tensors: Map<string, SafetensorsTensor>;
  /** `__metadata__` of the header; empty where there is none. */
  readonly metadata: Readonly<Record<string, string>>;
}

const LENGTH_BYTES = 8;
/** The header's limit in the reference implementation. */
const MAX_HEADER = 100_000_000;
const METADATA = '__metadata__';

/**
 * Writes tensors and a map of strings. Tensors of wider elements go first, so that all are aligned; else the given order.
 * @throws OptionError for a reserved name or an array of another type than `dtype`, ShapeError for a wrong length
 * @example
 * ```ts
 * import { decodeSafetensors, encodeSafetensors } from 'webgpu-bnn';
 *
 * const weights = { dtype: 'F32', shape: [2, 2], data: new Float32Array(4) } as const;
 * const file = encodeSafetensors({ weights }, { made: 'by hand' });
 * console.log(decodeSafetensors(file, 'weights.safetensors').metadata.made);
 * ```
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafetensorsInput>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors);
  for (const [name, tensor] of entries) assertWritable(name, tensor);
  const width = ({ dtype }: SafetensorsInput) => ARRAYS[dtype].BYTES_PER_ELEMENT;
  entries.sort(([, a], [, b]) => width(b) - width(a));

  const prefix = safetensorsPrefix(
    entries.map(([name, { dtype, shape, data }]) => ({ name, dtype, shape, bytes: data.byteLength })),
    metadata,
  );
  const size = entries.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
  const bytes = new Uint8Array(prefix.length + size);
  bytes.set(prefix);
  let at = prefix.length;
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * What a file begins with: the length of its header, and the header. Tensors follow in their order, one right after the other.
 * @param tensors those of wider elements first, so that all are aligned
 */
export function safetensorsPrefix(
  tensors: readonly (Pick<SafetensorsEntry, 'dtype' | 'shape'> & {
    readonly name: string;
    readonly bytes: number;
  })[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  // Written by hand because objects move keys such as "0" to the front.
  const members: string[] = [];
  const member = (key: string, value: unknown) => `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  if (Object.keys(metadata).length > 0) members.push(member(METADATA, metadata));
  let end = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    const begin = end;
    end += bytes;
    members.push(member(name, { dtype, shape, data_offsets: [begin, end] }));
  }
  const header = new TextEncoder().encode(`{${members.join(',')}}`);
  const start = LENGTH_BYTES + Math.ceil(header.length / 8) * 8;
  const prefix = new Uint8Array(start).fill(0x20);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(start - LENGTH_BYTES), true);
  prefix.set(header, LENGTH_BYTES);
  return prefix;
}

/**
 * Reads a file whole. Tensors are views into the bytes; one that isn't aligned for its type is copied.
 * @param where the file's name, for errors
 * @throws FormatError for a file that is truncated, corrupt, of another kind, or of an element type not known here
 */
export function decodeSafetensors(given: BytesLike, where: string): SafetensorsFile {
  const bytes = plainBytes(given, where);
  const { entries, start, metadata } = decodeSafetensorsHeader(bytes, bytes.length, where);
  const plain = plainBytes(bytes, where);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [name, entry] of entries) tensors.set(name, viewOf(plain, start, entry));
  return { tensors, metadata };
}

/** Where a tensor lies in a file. */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Bytes from the start of the data, which follows the header. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order of the data. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /** Bytes from the start of the file to the data. */
  readonly start: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes to read of a file to know how long its header is. */
export const SAFETENSORS_PREFIX = LENGTH_BYTES;

/**
 * Bytes that hold a file's whole header, from the file's first eight.
 * @throws FormatError where they don't fit the file
 */
export function safetensorsHeaderEnd(prefix: Uint8Array, fileBytes: number, where: string): number {
  if (prefix.length < LENGTH_BYTES) {
    throw new FormatError('The file is too short to be a safetensors file.', {
      given: `${prefix.length} bytes`,
      expected: `at least ${LENGTH_BYTES}`,
      where: `${where}, offset 0`,
      remedy: TRUNCATED,
    });
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const most = Math.min(MAX_HEADER, fileBytes - LENGTH_BYTES);
  if (length > BigInt(most)) {
    throw new FormatError("The header's length doesn't fit the file.", {
      given: `${length} bytes of header in a file of ${fileBytes}`,
      expected: `at most ${most}`,
      where: `${where}, offset 0`,
      remedy: `${TRUNCATED}; or it is no safetensors file`,
    });
  }
  return LENGTH_BYTES + Number(length);
}

/**
 * What a file holds, from its head alone: everything about it is checked but the numbers themselves.
 * @param head the file, or its first bytes up to the end of the header
 * @param fileBytes of the whole file
 * @throws FormatError as `decodeSafetensors` does
 */
export function decodeSafetensorsHeader(
  head: Uint8Array,
  fileBytes: number,
  where: string,
): SafetensorsHeader {
  const { header, start } = readHeader(head, fileBytes, where);
  const metadata: Record<string, string> = Object.create(null);
  const ranges: { name: string; entry: SafetensorsEntry }[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) Object.assign(metadata, parseMetadata(value, where));
    else ranges.push({ name, entry: parseEntry(name, value, fileBytes - start, where) });
  }
  assertCovering(ranges, fileBytes - start, where);
  return { entries: new Map(ranges.map(({ name, entry }) => [name, entry])), start, metadata };
}

function assertWritable(name: string, { dtype, shape, data }: SafetensorsInput): void {
  if (name === METADATA) {
    throw new OptionError('This tensor name is reserved by the file format.', { given: name });
  }
  if (!Object.hasOwn(ARRAYS, dtype) || !(data instanceof ARRAYS[dtype])) {
    throw new OptionError("The tensor's array is not of its element type.", {
      given: `${dtype} in a ${data.constructor.name}`,
      expected: Object.hasOwn(ARRAYS, dtype) ? `a ${ARRAYS[dtype].name}` : Object.keys(ARRAYS).join(', '),
      where: name,
    });
  }
  const whole = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (!whole || size !== data.length) {
    throw new ShapeError("The tensor's array has another length than its shape.", {
      given: `${data.length} elements`,
      expected: `[${shape.join(', ')}]`,
      where: name,
    });
  }
}

function readHeader(
  bytes: Uint8Array,
  fileBytes: number,
  where: string,
): { header: Record<string, unknown>; start: number } {
  const start = safetensorsHeaderEnd(bytes, fileBytes, where);
  const malformed = (given: string, cause?: unknown) =>
    new FormatError('The header is no JSON object.', {
      given,
      expected: '{"name": {"dtype", "shape", "data_offsets"}, ...}',
      where: `${where}, offset ${LENGTH_BYTES}`,
      remedy: CORRUPT,
      cause,
    });
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(LENGTH_BYTES, start),
    );
    header = parseJson(text);
  } catch (cause) {
    throw malformed(String(cause), cause);
  }
  if (!isObject(header)) throw malformed(text.slice(0, 40));
  const twice = duplicateKey(text);
  if (twice !== undefined) {
    throw new FormatError('The header names something twice.', {
      given: `"${twice}"`,
      where: `${where}, offset ${LENGTH_BYTES}`,
      remedy: CORRUPT,
    });
  }
  return { header, start };
}

const TRUNCATED = 'get the file again, it may be cut off';
const CORRUPT = 'get the file again, it is damaged or was written by a faulty tool';

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key that an object of this valid JSON has twice (JSON.parse keeps the last one silently). */
function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(undefined);
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const begin = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      let next = i + 1;
      while (' \t\n\r'.includes(text[next] ?? '-')) next++;
      const keys = open.at(-1);
      if (text[next] !== ':' || keys === undefined) continue;
      const key = JSON.parse(text.slice(begin, i + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function parseMetadata(value: unknown, where: string): Record<string, string> {
  const wrong = (given: string) =>
    new FormatError('The metadata is no map of strings.', {
      given,
      where: `${where}: ${METADATA}, offset ${LENGTH_BYTES}`,
      remedy: CORRUPT,
    });
  if (!isObject(value)) throw wrong(shown(value));
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw wrong(`"${key}": ${shown(text)}`);
  }
  return value as Record<string, string>;
}

/** Checks all of an entry that can be checked without the others. `available`: bytes after the header. */
function parseEntry(name: string, value: unknown, available: number, where: string): SafetensorsEntry {
  const fail = (what: string, given: unknown, expected: string, remedy = CORRUPT): never => {
    throw new FormatError(what, {
      given: shown(given),
      expected,
      where: `${where}: tensor "${name}", header at offset ${LENGTH_BYTES}`,
      remedy,
    });
  };
  if (!isObject(value))
    return fail("A tensor's description is no object.", value, '{dtype, shape, data_offsets}');
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    const remedy = 'convert the tensor to one of these types before saving it';
    return fail('The element type is not known here.', dtype, Object.keys(ARRAYS).join(', '), remedy);
  }
  if (!isIndices(shape)) return fail('The shape is no list of sizes.', shape, 'non-negative integers');
  if (!isIndices(offsets)) return fail('The offsets are no range.', offsets, '[begin, end]');
  const [begin, end, more] = offsets;
  if (begin === undefined || end === undefined || more !== undefined || begin > end) {
    return fail('The offsets are no range.', offsets, '[begin, end] with begin at most end');
  }
  if (end > available) {
    return fail('The tensor reaches beyond the end of the file.', offsets, `at most ${available}`, TRUNCATED);
  }
  // Sizes multiply to a double: exact up to 2^53, and beyond that larger than any file.
  const size = shape.includes(0) ? 0 : shape.reduce((product, axis) => product * axis, 1);
  const bytes = size * ARRAYS[dtype].BYTES_PER_ELEMENT;
  if (bytes !== end - begin) {
    const given = `${end - begin} bytes at [${begin}, ${end}]`;
    return fail(
      "The tensor's bytes don't fit its shape.",
      given,
      `${bytes} for ${dtype} [${shape.join(', ')}]`,
    );
  }
  return { dtype, shape, begin, end };
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(ARRAYS, value);
}

function isIndices(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((index) => Number.isSafeInteger(index) && index >= 0);
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** Sorts by offset and refuses overlaps, holes and bytes that belong to no tensor. */
function assertCovering(
  ranges: { name: string; entry: SafetensorsEntry }[],
  available: number,
  where: string,
): void {
  ranges.sort((a, b) => a.entry.begin - b.entry.begin || a.entry.end - b.entry.end);
  let covered = 0;
  for (const { name, entry } of ranges) {
    if (entry.begin !== covered) {
      throw new FormatError(
        entry.begin < covered ? 'Two tensors overlap.' : 'There are bytes between two tensors.',
        {
          given: `offset ${entry.begin} of the data`,
          expected: `${covered}, where the tensor before ends`,
          where: `${where}: tensor "${name}"`,
          remedy: CORRUPT,
        },
      );
    }
    covered = entry.end;
  }
  if (covered !== available) {
    throw new FormatError('There are bytes after the last tensor.', {
      given: `${available} bytes of data`,
      expected: `${covered}, all of them described by the header`,
      where: `${where}, offset ${covered} of the data`,
      remedy: CORRUPT,
    });
  }
}

function viewOf(bytes: Uint8Array<ArrayBuffer>, start: number, entry: SafetensorsEntry): SafetensorsTensor {
  const { dtype, shape, begin, end } = entry;
  const TypedArray = ARRAYS[dtype];
  const width = TypedArray.BYTES_PER_ELEMENT;
  const offset = bytes.byteOffset + start + begin;
  const aligned =
    offset % width === 0
      ? new TypedArray(bytes.buffer, offset, (end - begin) / width)
      : new TypedArray(ownBytes(bytes.subarray(start + begin, start + end)).buffer, 0, (end - begin) / width);
  // `dtype` chose the array's type, which the compiler can't follow.
  return { dtype, shape, data: aligned } as SafetensorsTensor;
}
