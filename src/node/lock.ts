/**
 * A folder that one process writes to: it holds a file that says who, and a second process is told so. What a killed process
 * left is taken over.
 */
import { readFileSync } from 'node:fs';
import { link, open, readFile, rename, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StorageError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { makeFolder, storageError } from './files.ts';
import { isAlive, partialPath, sweepPartials } from './partial.ts';

export interface FolderLock {
  /** Lets others write. Never throws: a lock that can't be removed is one of a process that is gone. */
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601. */
  readonly since: string;
  /** When the process began, by the system's own count; a number may be another process' by now. */
  readonly begun: string;
}

const NAME = '.lock';
/** How often the owner says that it is still there, and after how long without that an owner elsewhere is gone. */
const BEAT_MILLISECONDS = 30_000;
const GONE_MILLISECONDS = 20 * BEAT_MILLISECONDS;

/**
 * Makes the folder if need be, and takes it for this process: so it can be written to.
 * @param files that will be written there: none may be a folder
 * @throws StorageError where it can't be written to, or another process writes there
 */
export async function lockFolder(folder: string, files: readonly string[] = []): Promise<FolderLock> {
  const isNew = await stat(folder).then(
    () => false,
    () => true,
  );
  const path = join(folder, NAME);
  const owner: Owner = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    begun: begunOf(process.pid),
  };
  try {
    await makeFolder(folder);
    for (const name of files) await assertNoFolder(join(folder, name));
    sweepPartials(path);
    while (!(await place(path, JSON.stringify(owner)))) await takeOver(path, folder);
  } catch (cause) {
    if (isNew) await rmdir(folder).catch(() => {});
    throw cause instanceof StorageError
      ? cause
      : storageError('The folder can not be written to.', folder, cause);
  }
  const beat = setInterval(
    () => void utimes(path, new Date(), new Date()).catch(() => {}),
    BEAT_MILLISECONDS,
  );
  beat.unref();
  return {
    async release() {
      clearInterval(beat);
      const now = await readOwner(path);
      if (now?.text === JSON.stringify(owner)) await rm(path, { force: true }).catch(() => {});
      // What was made for nothing goes; a folder that holds something stays.
      if (isNew) await rmdir(folder).catch(() => {});
    },
  };
}

/** Puts the lock there, whole or not at all. @returns whether there was none */
async function place(path: string, text: string): Promise<boolean> {
  const partial = partialPath(path);
  try {
    const file = await open(partial, 'wx');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    // A link is made only where nothing has the name, unlike a renaming.
    await link(partial, path);
    return true;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'EEXIST') return false;
    // Some file systems have no links: there, the file is made under its name.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw cause;
    return await placeUnlinked(path, text);
  } finally {
    await rm(partial, { force: true }).catch(() => {});
  }
}

async function placeUnlinked(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false;
    throw cause;
  }
}

/** Removes a lock whose owner is gone. @throws StorageError where it is there */
async function takeOver(path: string, folder: string): Promise<void> {
  const found = await readOwner(path);
  if (found === undefined) return;
  if (!found.isGone) throw isTaken(found, path, folder);
  // Two may take over at once: what was moved away must be what was looked at, or goes back.
  const aside = partialPath(path);
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await readOwner(aside);
  if (moved !== undefined && moved.text !== found.text) {
    await link(aside, path).catch(() => {});
    await rm(aside, { force: true });
    throw isTaken(moved, path, folder);
  }
  await rm(aside, { force: true });
}

interface Found {
  readonly text: string;
  readonly owner: Owner | undefined;
  readonly isGone: boolean;
}

async function readOwner(path: string): Promise<Found | undefined> {
  try {
    const [text, { mtimeMs }] = [await readFile(path, 'utf8'), await stat(path)];
    const owner = ownerIn(text);
    const isQuiet = Date.now() - mtimeMs > GONE_MILLISECONDS;
    const isHere = owner?.host === hostname();
    const isGone =
      owner !== undefined && isHere
        ? !isAlive(owner.pid) || (owner.begun !== '' && begunOf(owner.pid) !== owner.begun)
        : isQuiet;
    return { text, owner, isGone };
  } catch {
    return undefined;
  }
}

function ownerIn(text: string): Owner | undefined {
  try {
    const value = parseJson(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, host, since, begun } = value as Record<string, unknown>;
    const isOwner =
      Number.isSafeInteger(pid) &&
      Number(pid) > 0 &&
      [host, since, begun].every((field) => typeof field === 'string' && field.length < 300);
    return isOwner ? ({ pid, host, since, begun } as Owner) : undefined;
  } catch {
    return undefined;
  }
}

function isTaken({ owner }: Found, path: string, folder: string): StorageError {
  return new StorageError('Another process writes into this folder.', {
    given: owner && `process ${owner.pid} on ${owner.host}, since ${owner.since}`,
    where: folder,
    remedy: `wait until it ends, or name another folder with --out; if it has ended, remove ${path}`,
  });
}

async function assertNoFolder(path: string): Promise<void> {
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (!isFolder) return;
  throw new StorageError('A file is to be written where a folder is.', {
    given: path,
    where: path,
    remedy: 'rename the folder, or name another one with --out',
  });
}

/** When a process began, in ticks since the machine did; empty where the system doesn't say. */
function begunOf(pid: number): string {
  try {
    // The 22nd field; the second one is the program's name in brackets, which may hold anything.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
