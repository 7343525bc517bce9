import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StorageError } from '../src/errors.ts';
import { readFileChecked, type WriteContent, writeFileAtomic } from '../src/node/files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bnn-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function failureOf(promise: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(StorageError);
  return error as StorageError;
}

/** Mounts a file system of 64 KiB, or says why that can't be done. */
function smallDisk(path: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return String(error).split('\n', 2).join(' ');
  }
}

const isRoot = process.getuid?.() === 0;

describe('writing files atomically', () => {
  test('text and bytes, in folders that are made', async () => {
    const path = join(folder, 'a/b/c.json');
    await writeFileAtomic(path, 'größe');
    expect(await readFile(path, 'utf8')).toBe('größe');
    await writeFileAtomic(path, new Uint8Array([0, 255, 7]));
    expect([...(await readFileChecked(path))]).toEqual([0, 255, 7]);
    expect(await readdir(join(folder, 'a/b'))).toEqual(['c.json']);
  });

  test('32 writers at once leave one of the contents, whole', async () => {
    const path = join(folder, 'shared');
    const contents = Array.from({ length: 32 }, (_, i) => String.fromCharCode(65 + i).repeat(50_000));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    expect(contents).toContain(await readFile(path, 'utf8'));
    expect(await readdir(folder)).toEqual(['shared']);
  });

  test('a link is followed', async () => {
    await writeFile(join(folder, 'real'), 'old');
    await symlink('real', join(folder, 'link'));
    await writeFileAtomic(join(folder, 'link'), 'new');
    expect(await readFile(join(folder, 'real'), 'utf8')).toBe('new');
  });

  test('a pipe is written to, not replaced', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const [text] = await Promise.all([readFile(pipe, 'utf8'), writeFileAtomic(pipe, 'through')]);
    expect(text).toBe('through');
    expect(await readdir(folder)).toEqual(['pipe']);
  });

  const faults: [string, WriteContent][] = [
    [
      'a write that stops half-way with ENOSPC',
      async (file) => {
        await file.writeFile('half');
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      },
    ],
    ['a write that fails for another reason', () => Promise.reject(new Error('cable pulled'))],
  ];
  for (const [name, write] of faults) {
    test(`injected: ${name} leaves the old file and no other`, async () => {
      const path = join(folder, 'kept');
      await writeFile(path, 'old');
      const error = await failureOf(writeFileAtomic(path, 'new', write));
      expect(error.given).toMatch(/disk is full \(ENOSPC\)|cable pulled/);
      expect(error.where).toBe(path);
      expect(await readFile(path, 'utf8')).toBe('old');
      expect(await readdir(folder)).toEqual(['kept']);
    });
  }

  test(`a full disk (${isRoot ? 'a real one of 64 KiB, mounted' : 'made up by an injected write: only root can mount'})`, async () => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    const reason = smallDisk(disk);
    // Where the kernel refuses to mount (not root, or a container without the right), the write itself is made to fail.
    if (reason !== undefined) console.warn(`full disk: made up, because mounting one failed: ${reason}`);
    const refuse: WriteContent = async () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    };
    const path = join(disk, 'checkpoint');
    try {
      await writeFileAtomic(path, 'old');
      const full = new Uint8Array(1 << 20);
      const error = await failureOf(
        reason === undefined ? writeFileAtomic(path, full) : writeFileAtomic(path, full, refuse),
      );
      expect(error.given).toBe('the disk is full (ENOSPC)');
      expect(error.remedy).toMatch(/free some space/);
      expect(await readFile(path, 'utf8')).toBe('old');
      expect(await readdir(disk)).toEqual(['checkpoint']);
    } finally {
      if (reason === undefined) execFileSync('umount', [disk]);
    }
  });

  test('a folder of the same name, and a file where a folder should be', async () => {
    await mkdir(join(folder, 'sub'));
    expect((await failureOf(writeFileAtomic(join(folder, 'sub'), 'x'))).given).toMatch(/EISDIR/);
    await writeFile(join(folder, 'file'), 'x');
    const error = await failureOf(writeFileAtomic(join(folder, 'file', 'inner'), 'x'));
    expect(error.given).toMatch(/a part of the path is a file/);
    expect((await readdir(folder)).sort()).toEqual(['file', 'sub']);
  });

  test(`a folder without permission (${isRoot ? 'made up by an injected write: root may write anywhere' : 'a real one'})`, async () => {
    const locked = join(folder, 'locked');
    await mkdir(locked);
    await chmod(locked, 0o555);
    const refuse: WriteContent = () => Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }));
    const path = join(locked, 'x');
    const error = await failureOf(isRoot ? writeFileAtomic(path, 'x', refuse) : writeFileAtomic(path, 'x'));
    expect(error.given).toBe('permission denied (EACCES)');
    expect(error.what).toMatch(/untouched/);
    expect(await readdir(locked)).toEqual([]);
  });
});

describe('reading files', () => {
  test('missing, and a folder', async () => {
    expect((await failureOf(readFileChecked(join(folder, 'none')))).given).toMatch(/no such file.*ENOENT/);
    expect((await failureOf(readFileChecked(folder))).given).toMatch(/this is a folder.*EISDIR/);
  });
});
