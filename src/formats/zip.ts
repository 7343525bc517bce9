/**
 * Files in a zip archive, every one compared with its checksum. The directory at the end of the archive decides what
 * there is; the bytes are inflated by fflate, which is loaded when an archive is.
 */
import { type Bytes, type BytesLike, plainBytes } from '../bytes.ts';
import { FormatError } from '../errors.ts';

/** Writes the inflated bytes into `out`. */
type Inflate = (data: Uint8Array, options: { readonly out: Uint8Array }) => Uint8Array;

const END = 0x0605_4b50;
const END64 = 0x0606_4b50;
const LOCATOR64 = 0x0706_4b50;
const ENTRY = 0x0201_4b50;
const LOCAL = 0x0403_4b50;
const END_BYTES = 22;
const END64_BYTES = 56;
const LOCATOR64_BYTES = 20;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
/** The comment after the directory is at most this long. */
const MOST_COMMENT = 0xffff;
/** The field of an entry that holds numbers which don't fit 32 bits, and what stands in their place. */
const NUMBERS64 = 1;
const ELSEWHERE = 0xffff_ffff;
/** Deflate makes at most this much of a byte. */
const MOST_RATIO = 1032;
/**
 * All files of an archive together: floats that stand for signs shrink to a 25th, and little files of zeros much more; what
 * promises more than this is made to fill memories.
 */
const mostBytes = (archive: number) => Math.min(2 ** 30, 2 ** 24 + 64 * archive);
const STORED = 0;
const DEFLATED = 8;

/**
 * Reads an archive.
 * @returns contents by path, without folders
 * @throws FormatError for an archive that is damaged, encrypted, of several parts, whose files lie over each other, or are
 *   larger together than 16 MiB and 64 times the archive, or than 1 GiB; nothing is inflated before all of that was checked
 */
export async function readZip(
  bytes: BytesLike,
  where = 'zip',
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const { inflateSync } = await import('fflate');
  return readZipWith(inflateSync, plainBytes(bytes, where), where);
}

/** `readZip` with the function that inflates. */
export function readZipWith(
  inflate: Inflate,
  bytes: Bytes,
  where: string,
): Map<string, Uint8Array<ArrayBuffer>> {
  const entries = directoryOf(bytes, where);
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw damaged(`${where}: ${name}`, 'the same name twice');
    names.add(name);
  }
  const placed = placedEntries(bytes, entries, where);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const entry of placed) {
    if (entry.name.endsWith('/')) continue;
    files.set(entry.name, contentOf(inflate, bytes, entry, `${where}: ${entry.name}`));
  }
  return files;
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly checksum: number;
  /** Bytes in the archive, and inflated. */
  readonly stored: number;
  readonly size: number;
  /** Offset of its local header. */
  readonly local: number;
}

function directoryOf(bytes: Uint8Array, where: string): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = findEnd(view, where);
  const [disk, firstDisk] = [view.getUint16(end + 4, true), view.getUint16(end + 6, true)];
  if (disk !== 0 || firstDisk !== 0) throw damaged(where, 'an archive of several parts');
  const { count, length, start } = whereDirectory(view, end, where);
  if (start + length > end) throw damaged(where, `a directory of ${length} bytes at ${start}`);

  const entries: Entry[] = [];
  let total = 0;
  let at = start;
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY) {
      throw damaged(where, `${index} of ${count} files in the directory`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const extra = at + ENTRY_BYTES + nameLength;
    const extraLength = view.getUint16(at + 30, true);
    const next = extra + extraLength + view.getUint16(at + 32, true);
    if (next > end) throw damaged(where, `a directory that is cut off at file ${index}`);
    const name = new TextDecoder().decode(bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength));
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const [size, stored, local] = numbersOf(view, at, extra, extraLength, `${where}: ${name}`);
    total += size;
    const fits = method === STORED ? size === stored : size <= MOST_RATIO * stored;
    if ((flags & 1) !== 0) throw damaged(`${where}: ${name}`, 'an encrypted file');
    if (method !== STORED && method !== DEFLATED) throw damaged(`${where}: ${name}`, `compression ${method}`);
    if (!fits || total > mostBytes(bytes.length)) {
      throw damaged(`${where}: ${name}`, `${size} bytes in ${stored}, ${total} with the files before`);
    }
    entries.push({
      ...{ name, method, stored, size, local },
      checksum: view.getUint32(at + 16, true),
    });
    at = next;
  }
  return entries;
}

/** Files in the directory, its bytes and its offset: of the record for large archives where there is one. */
function whereDirectory(
  view: DataView,
  end: number,
  where: string,
): { readonly count: number; readonly length: number; readonly start: number } {
  const locator = end - LOCATOR64_BYTES;
  if (locator >= 0 && view.getUint32(locator, true) === LOCATOR64) {
    const at = wide(view, locator + 8, where);
    if (at + END64_BYTES > locator || view.getUint32(at, true) !== END64) {
      throw damaged(where, `no record of a large archive at ${at}`);
    }
    return {
      count: wide(view, at + 32, where),
      length: wide(view, at + 40, where),
      start: wide(view, at + 48, where),
    };
  }
  return {
    count: view.getUint16(end + 10, true),
    length: view.getUint32(end + 12, true),
    start: view.getUint32(end + 16, true),
  };
}

/** Size, stored bytes and offset of an entry; those that don't fit 32 bits stand in a field of their own, in this order. */
function numbersOf(
  view: DataView,
  at: number,
  extra: number,
  extraLength: number,
  where: string,
): readonly [size: number, stored: number, local: number] {
  const [size, stored, local] = [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ];
  if (![size, stored, local].includes(ELSEWHERE)) return [size, stored, local];
  let field = extra;
  while (field + 4 <= extra + extraLength && view.getUint16(field, true) !== NUMBERS64) {
    field += 4 + view.getUint16(field + 2, true);
  }
  const found = field + 4 <= extra + extraLength;
  const last = found ? Math.min(extra + extraLength, field + 4 + view.getUint16(field + 2, true)) : field;
  let next = field + 4;
  const take = (number: number): number => {
    if (number !== ELSEWHERE) return number;
    if (next + 8 > last) throw damaged(where, 'no 64-bit sizes where they are promised');
    next += 8;
    return wide(view, next - 8, where);
  };
  return [take(size), take(stored), take(local)];
}

/** A number of 64 bits that a double holds. */
function wide(view: DataView, at: number, where: string): number {
  if (at < 0 || at + 8 > view.byteLength) throw damaged(where, `no number at offset ${at}`);
  const number = view.getBigUint64(at, true);
  if (number > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(where, `${number} bytes`);
  return Number(number);
}

/** Offset of the record that ends the archive: the last one whose comment reaches the end. */
function findEnd(view: DataView, where: string): number {
  const first = Math.max(0, view.byteLength - END_BYTES - MOST_COMMENT);
  for (let at = view.byteLength - END_BYTES; at >= first; at--) {
    if (view.getUint32(at, true) !== END) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  throw damaged(where, 'no directory at the end');
}

interface PlacedEntry extends Entry {
  /** Offset of its bytes. */
  readonly start: number;
}

/** Where the bytes of each file lie. @throws FormatError where two lie over each other: one byte is inflated once */
function placedEntries(
  bytes: Uint8Array<ArrayBuffer>,
  entries: readonly Entry[],
  where: string,
): PlacedEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const placed = entries.map((entry) => {
    const { name, local, stored } = entry;
    if (local + LOCAL_BYTES > bytes.length || view.getUint32(local, true) !== LOCAL) {
      throw damaged(`${where}: ${name}`, `no file at offset ${local}`);
    }
    const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + stored > bytes.length)
      throw damaged(`${where}: ${name}`, `${stored} bytes at offset ${start}`);
    return { ...entry, start };
  });
  const inOrder = [...placed].sort((a, b) => a.local - b.local);
  for (const [index, { name, start, stored }] of inOrder.entries()) {
    const next = inOrder[index + 1];
    if (next !== undefined && next.local < start + stored) {
      throw damaged(`${where}: ${next.name}`, `it begins within the bytes of ${name}`, 'files side by side');
    }
  }
  return placed;
}

function contentOf(
  inflate: Inflate,
  bytes: Uint8Array<ArrayBuffer>,
  { method, checksum, stored, size, start }: PlacedEntry,
  where: string,
): Uint8Array<ArrayBuffer> {
  const data = bytes.subarray(start, start + stored);
  const content = method === STORED ? data : inflated(inflate, data, size, where);
  const found = crc32(content);
  if (content.length !== size || found !== checksum) {
    throw damaged(
      where,
      `${content.length} bytes with checksum ${hex(found)}`,
      `${size} with ${hex(checksum)}`,
    );
  }
  return content;
}

function inflated(inflate: Inflate, data: Uint8Array, size: number, where: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(size);
  if (size === 0) return out;
  try {
    return out.subarray(0, inflate(data, { out }).length);
  } catch (cause) {
    throw damaged(where, cause instanceof Error ? cause.message : String(cause), undefined, cause);
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[i] ?? 0)) & 255] ?? 0);
  }
  return ~crc >>> 0;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function damaged(where: string, given: string, expected?: string, cause?: unknown): FormatError {
  return new FormatError("This zip archive can't be read.", {
    given,
    expected: expected ?? 'a whole archive, stored or deflated, not encrypted',
    where,
    remedy: 'make the archive again, or unpack it and name the folder',
    cause,
  });
}
