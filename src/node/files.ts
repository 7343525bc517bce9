/** Files that are either the old ones or the new ones, never half of each. */
import { readdirSync } from 'node:fs';
import {
  access,
  constants,
  mkdir,
  open,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { plainBytes } from '../bytes.ts';
import { BnnError, FormatError, StorageError } from '../errors.ts';
import { npx } from '../npx.ts';
import { partialPath, sweepPartials } from './partial.ts';

/** Of a `FileHandle` what writing takes: the package's types need none of Node's, which a project may not have. */
export interface OpenFile {
  /** Appends content. */
  writeFile(bytes: Uint8Array | string): Promise<void>;
  /** Writes `length` bytes from `offset` on, to the place `position` of the file; it may write fewer. */
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
}

/** Puts content into an open, empty file; tests replace it by one that fails. */
export type WriteContent = (file: OpenFile, bytes: Uint8Array | string) => Promise<void>;

const writeAll: WriteContent = (file, bytes) => file.writeFile(bytes);

/**
 * Writes a file, and its folder if need be, so that a crash, a full disk or a lost connection leaves the old file: the
 * content goes to a temporary file beside it, is flushed to the disk, and takes the name in one step. A link is followed;
 * into a pipe or a device (`/dev/stdout`), which can't be replaced, the content is written as it is.
 * @param check is given the path of the temporary file before it takes the name; what it throws is thrown, and nothing is
 *   written then
 * @throws StorageError; the old file is then as it was and the temporary one is gone
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array | string,
  write: WriteContent = writeAll,
  check?: (written: string) => Promise<void>,
): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const folder = dirname(target);
  const partial = partialPath(target);
  let created = false;
  try {
    if (await isStream(target)) {
      if (check !== undefined || write !== writeAll) {
        throw new StorageError(
          'This can not be written into a pipe or a device: parts of it are gone back to.',
          {
            where: path,
            remedy: 'name a file',
          },
        );
      }
      return await writeFile(target, bytes);
    }
    await makeFolder(folder);
    sweepPartials(target);
    const file = await open(partial, 'wx');
    created = true;
    try {
      await write(file, bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await check?.(partial);
    await rename(partial, target);
    created = false;
  } catch (cause) {
    if (created) await rm(partial, { force: true }).catch(() => {});
    if (cause instanceof BnnError) throw cause;
    throw storageError('The file could not be written; what was there before is untouched.', path, cause);
  }
  await syncFolder(folder);
}

/** Writes all of a view, to a place of an open file. */
export async function writeAt(file: OpenFile, view: ArrayBufferView<ArrayBuffer>, at: number): Promise<void> {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

/**
 * Makes a folder and those above it. Node says "no such folder" of one that lies in a folder which nobody may write to, or
 * on a disk that is read-only: what keeps it from being made is told instead.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    const above = await nearestThatIs(folder);
    await access(above, constants.W_OK);
    throw cause;
  }
}

/** What a folder holds, in order; nothing where there is none. @throws StorageError for what is no folder that can be read */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw storageError('The folder can not be written to.', folder, cause);
  }
}

/** Whether there is nothing at a path, or an empty folder. */
function isVacant(path: string): boolean {
  try {
    return namesIn(path).length === 0;
  } catch {
    return false;
  }
}

/** How to begin in a folder that holds nothing to go on with: there, or in a new one where it holds something else. */
export function howToBegin(command: string, folder: string): string {
  const begin = isVacant(folder)
    ? `begin one there: ${npx(`${command} --out ${folder}`)}`
    : `begin one, in a new folder: ${npx(`${command} --out FOLDER`)}`;
  return `${begin}; what there is: ${npx('runs')}`;
}

/** The nearest folder above a path that there is. */
async function nearestThatIs(path: string): Promise<string> {
  const above = dirname(path);
  const isThere = await stat(above).then(
    () => true,
    () => false,
  );
  return isThere || above === path ? above : nearestThatIs(above);
}

async function isStream(path: string): Promise<boolean> {
  const entry = await stat(path).catch(() => undefined);
  return entry !== undefined && !entry.isFile() && !entry.isDirectory();
}

/** @throws StorageError for a file that is missing, unreadable or a folder */
export async function readFileChecked(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return plainBytes(await readFile(path), path);
  } catch (cause) {
    throw storageError('The file could not be read.', path, cause);
  }
}

/**
 * What an archive of gzip holds.
 * @param most bytes that it may unpack to
 * @throws FormatError for one that is damaged, cut off, or holds more
 */
export async function gunzipChecked(
  bytes: Uint8Array,
  most: number,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await promisify(gunzip)(bytes, { maxOutputLength: most }));
  } catch (cause) {
    throw new FormatError('The file can not be unpacked.', {
      given: String(cause),
      expected: 'a gzip archive',
      where,
      remedy: 'get the file again, it is damaged or cut off',
      cause,
    });
  }
}

/** Makes the new name durable. Windows can't open folders, and some network file systems can't flush them. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // The file itself is complete and flushed; only whether its name survives a power cut is left open.
  }
}

const REMEDIES: Readonly<Record<string, readonly [given: string, remedy: string]>> = {
  ENOSPC: ['the disk is full', 'free some space, or name a folder on another disk'],
  EDQUOT: ["this user's quota is used up", 'free some space, or name a folder on another disk'],
  EFBIG: ['the file is too large for this file system', 'name a folder on another disk'],
  EACCES: ['permission denied', 'change the permissions, or name another folder'],
  EPERM: ['operation not permitted', 'change the permissions, or name another folder'],
  EROFS: ['the file system is read-only', 'name a folder on another disk'],
  EISDIR: ['this is a folder', 'name a file'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'name another path'],
  EEXIST: ['a part of the path is a file, not a folder', 'name another path'],
  ENOENT: ['there is no such file or folder', 'check the path'],
  ELOOP: ['links that lead in a circle', 'name another path'],
  EBUSY: ['it is in use', 'close what uses it, and try again'],
  EIO: ['the disk does not work', 'name a folder on another disk'],
  ENAMETOOLONG: ['the name is too long', 'name a shorter path'],
  ERR_FS_FILE_TOO_LARGE: ['the file is larger than 2 GiB', 'name a smaller file'],
  EMFILE: ['too many files are open', 'raise the limit: ulimit -n 4096'],
};

/** The error of a failed file operation, with what to do about it. */
export function storageError(what: string, path: string, cause: unknown): StorageError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const [given, remedy] = REMEDIES[code] ?? [String(cause), 'see what the operating system says above'];
  return new StorageError(what, {
    given: code === '' ? given : `${given} (${code})`,
    where: path,
    remedy,
    cause,
  });
}
