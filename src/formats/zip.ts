/**
 * Files in a zip archive, every one compared with its checksum. The directory at the end of the archive decides what
 * there is; the bytes are inflated by fflate, which is loaded when an archive is.
 */
import { type BytesLike, plainBytes } from '../bytes.ts';
import { FormatError } from '../errors.ts';

/** Writes the inflated bytes into `out`. */
type Inflate = (data: Uint8Array, options: { readonly out: Uint8Array }) => Uint8Array;

const END = 0x0605_4b50;
const ENTRY = 0x0201_4b50;
const LOCAL = 0x0403_4b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
/** The comment after the directory is at most this long. */
const MOST_COMMENT = 0xffff;
/** Deflate makes at most this much of a byte. */
const MOST_RATIO = 1032;
/** All files of an archive together. */
const MOST_BYTES = 2 ** 30;
const STORED = 0;
const DEFLATED = 8;

/**
 * Reads an archive.
 * @returns contents by path, without folders
 * @throws FormatError for an archive that is damaged, encrypted, of several parts or larger than 4 GiB, or whose files
 *   are larger than 1 GiB together; nothing is allocated before the directory was checked
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
  bytes: Uint8Array,
  where: string,
): Map<string, Uint8Array<ArrayBuffer>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const plain = plainBytes(bytes, where);
  for (const entry of directoryOf(plain, where)) {
    if (entry.name.endsWith('/')) continue;
    const at = `${where}: ${entry.name}`;
    if (files.has(entry.name)) throw damaged(at, 'the same name twice');
    files.set(entry.name, contentOf(inflate, plain, entry, at));
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
  const count = view.getUint16(end + 10, true);
  const length = view.getUint32(end + 12, true);
  const start = view.getUint32(end + 16, true);
  if (disk !== 0 || firstDisk !== 0) throw damaged(where, 'an archive of several parts');
  if (count === 0xffff || start === 0xffff_ffff)
    throw damaged(where, 'an archive of more than 4 GiB (zip64)');
  if (start + length > end) throw damaged(where, `a directory of ${length} bytes at ${start}`);

  const entries: Entry[] = [];
  let total = 0;
  let at = start;
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY) {
      throw damaged(where, `${index} of ${count} files in the directory`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const next =
      at + ENTRY_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw damaged(where, `a directory that is cut off at file ${index}`);
    const name = new TextDecoder().decode(bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength));
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const [stored, size] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
    total += size;
    const fits = method === STORED ? size === stored : size <= MOST_RATIO * stored;
    if ((flags & 1) !== 0) throw damaged(`${where}: ${name}`, 'an encrypted file');
    if (method !== STORED && method !== DEFLATED) throw damaged(`${where}: ${name}`, `compression ${method}`);
    if (!fits || total > MOST_BYTES) {
      throw damaged(`${where}: ${name}`, `${size} bytes in ${stored}, ${total} with the files before`);
    }
    entries.push({
      ...{ name, method, stored, size },
      checksum: view.getUint32(at + 16, true),
      local: view.getUint32(at + 42, true),
    });
    at = next;
  }
  return entries;
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

function contentOf(
  inflate: Inflate,
  bytes: Uint8Array<ArrayBuffer>,
  { method, checksum, stored, size, local }: Entry,
  where: string,
): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (local + LOCAL_BYTES > bytes.length || view.getUint32(local, true) !== LOCAL) {
    throw damaged(where, `no file at offset ${local}`);
  }
  const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + stored > bytes.length) throw damaged(where, `${stored} bytes at offset ${start}`);
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
