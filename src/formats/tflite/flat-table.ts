/**
 * FlatBuffers read with every bound checked. The `flatbuffers` runtime decodes the scalars; it trusts offsets and
 * lengths as they come, so here each table, field and vector is held against the end of the file before it is used.
 * Offsets in a FlatBuffer point forwards, and a schema without recursion is read to a fixed depth: nothing can go round
 * in circles. What can still grow is work, when many offsets share one large vector; `Budget` ends that.
 */
import { ByteBuffer } from 'flatbuffers';
import { FormatError } from '../../errors.ts';

const OFFSET_BYTES = 4;
/** Vector elements and tables, in bytes, that may be read for each byte of a file. Honest files need one. */
const READS_A_BYTE = 4;

export function damaged(given: string, where: string): FormatError {
  return new FormatError('This TensorFlow Lite file is damaged.', { given, where });
}

/** What is used of a `ByteBuffer`: named here, so that nobody needs that package for the types. */
type Scalars = Readonly<
  Record<
    'readInt8' | 'readUint8' | 'readUint16' | 'readInt32' | 'readUint32' | 'readFloat32',
    (position: number) => number
  > &
    Record<'readInt64' | 'readUint64', (position: number) => bigint>
>;

/** The bytes of a file, and how many of them may still be read. */
export class FlatFile {
  readonly bytes: Uint8Array;
  readonly reader: Scalars;
  #left: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.reader = new ByteBuffer(bytes);
    this.#left = READS_A_BYTE * bytes.length + 1024;
  }

  /** @throws FormatError unless `count` bytes from `position` lie in the file, and the file isn't read over and over */
  claim(position: number, count: number, where: string): number {
    if (!(position >= 0 && position + count <= this.bytes.length)) {
      throw damaged(
        `bytes ${position} to ${position + count} of a file of ${this.bytes.length} bytes`,
        where,
      );
    }
    this.#left -= count;
    if (this.#left < 0) throw damaged('the same bytes stand for many things at once', where);
    return position;
  }

  /** The table that the offset at a position leads to. */
  tableAt(position: number, where: string): FlatTable {
    this.claim(position, OFFSET_BYTES, where);
    return new FlatTable(this, position + this.reader.readUint32(position), where);
  }
}

/** A table whose header was checked; fields are checked as they are read. Absent fields give the default. */
export class FlatTable {
  readonly #file: FlatFile;
  readonly #position: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;
  readonly #bytes: number;
  readonly where: string;

  /** @throws FormatError unless the table and its vtable lie in the file */
  constructor(file: FlatFile, position: number, where: string) {
    const { reader } = file;
    file.claim(position, OFFSET_BYTES, where);
    const vtable = position - reader.readInt32(position);
    file.claim(vtable, 4, where);
    const vtableBytes = reader.readUint16(vtable);
    const bytes = reader.readUint16(vtable + 2);
    if (vtableBytes < 4 || vtableBytes % 2 !== 0 || bytes < OFFSET_BYTES) {
      throw damaged(`a table of ${bytes} bytes with a vtable of ${vtableBytes}`, where);
    }
    file.claim(vtable, vtableBytes, where);
    file.claim(position, bytes, where);
    this.#file = file;
    this.#position = position;
    this.#vtable = vtable;
    this.#vtableBytes = vtableBytes;
    this.#bytes = bytes;
    this.where = where;
  }

  int8(slot: number, otherwise = 0): number {
    return this.#scalar(slot, 1, (position) => this.#file.reader.readInt8(position)) ?? otherwise;
  }

  uint8(slot: number, otherwise = 0): number {
    return this.#scalar(slot, 1, (position) => this.#file.reader.readUint8(position)) ?? otherwise;
  }

  bool(slot: number): boolean {
    return this.uint8(slot) !== 0;
  }

  int32(slot: number, otherwise = 0): number {
    return this.#scalar(slot, 4, (position) => this.#file.reader.readInt32(position)) ?? otherwise;
  }

  uint32(slot: number, otherwise = 0): number {
    return this.#scalar(slot, 4, (position) => this.#file.reader.readUint32(position)) ?? otherwise;
  }

  float32(slot: number, otherwise = 0): number {
    return this.#scalar(slot, 4, (position) => this.#file.reader.readFloat32(position)) ?? otherwise;
  }

  /** Exact up to 2⁵³. */
  uint64(slot: number): number {
    return Number(this.#scalar(slot, 8, (position) => this.#file.reader.readUint64(position)) ?? 0n);
  }

  string(slot: number): string {
    const bytes = this.bytes(slot);
    return bytes === undefined ? '' : new TextDecoder().decode(bytes);
  }

  /** The bytes of a vector, as a view of the file. */
  bytes(slot: number): Uint8Array | undefined {
    const vector = this.#vector(slot, 1);
    return vector && this.#file.bytes.subarray(vector.first, vector.first + vector.length);
  }

  int32s(slot: number): number[] {
    return this.#elements(slot, 4, (position) => this.#file.reader.readInt32(position));
  }

  float32s(slot: number): number[] {
    return this.#elements(slot, 4, (position) => this.#file.reader.readFloat32(position));
  }

  /** Exact up to 2⁵³. */
  int64s(slot: number): number[] {
    return this.#elements(slot, 8, (position) => Number(this.#file.reader.readInt64(position)));
  }

  has(slot: number): boolean {
    return this.#field(slot, 1) !== undefined;
  }

  table(slot: number, where: string): FlatTable | undefined {
    const field = this.#field(slot, OFFSET_BYTES);
    return field === undefined ? undefined : this.#file.tableAt(field, where);
  }

  tables(slot: number, where: string): FlatTable[] {
    let index = 0;
    return this.#elements(slot, OFFSET_BYTES, (position) =>
      this.#file.tableAt(position, `${where} ${index++}`),
    );
  }

  #scalar<T>(slot: number, width: number, read: (position: number) => T): T | undefined {
    const field = this.#field(slot, width);
    return field === undefined ? undefined : read(field);
  }

  /** Where a field is; undefined where the table leaves it away. */
  #field(slot: number, width: number): number | undefined {
    const entry = 4 + 2 * slot;
    if (entry + 2 > this.#vtableBytes) return undefined;
    const offset = this.#file.reader.readUint16(this.#vtable + entry);
    if (offset === 0) return undefined;
    if (offset < OFFSET_BYTES || offset + width > this.#bytes) {
      throw damaged(`a field at ${offset} of a table of ${this.#bytes} bytes`, this.where);
    }
    return this.#position + offset;
  }

  #vector(slot: number, width: number): { first: number; length: number } | undefined {
    const field = this.#field(slot, OFFSET_BYTES);
    if (field === undefined) return undefined;
    const { reader } = this.#file;
    const start = this.#file.claim(field + reader.readUint32(field), OFFSET_BYTES, this.where);
    const length = reader.readUint32(start);
    return { first: this.#file.claim(start + OFFSET_BYTES, length * width, this.where), length };
  }

  #elements<T>(slot: number, width: number, read: (position: number) => T): T[] {
    const vector = this.#vector(slot, width);
    if (vector === undefined) return [];
    return Array.from({ length: vector.length }, (_, index) => read(vector.first + width * index));
  }
}
