import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StorageError } from '../src/errors.ts';
import { readFileChecked, storageError, type WriteContent, writeFileAtomic } from '../src/node/files.ts';
import { lockFolder } from '../src/node/lock.ts';
import { partialPath } from '../src/node/partial.ts';

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
    const inParts = writeFileAtomic(pipe, '', (file) => file.writeFile('parts'));
    expect(String(await failureOf(inParts))).toMatch(/pipe or a device[\s\S]*name a file/);
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

describe('what killed writers leave', () => {
  const dead = () => spawnSync(process.execPath, ['-e', '']).pid;
  /** The name that another process would have written the file under. */
  const partialOf = (path: string, pid: number) =>
    join(
      dirname(path),
      basename(partialPath(path)).replace(`-${process.pid}-`, () => `-${pid}-`),
    );

  test('goes with the next write of that file; what a living one writes, and other files, stay', async () => {
    const path = join(folder, 'checkpoint');
    const orphan = partialOf(path, dead());
    const [alive, elses, foreign] = [
      partialPath(path),
      partialOf(join(folder, 'other'), dead()),
      join(folder, '.checkpoint.partial'),
    ];
    for (const file of [orphan, alive, elses, foreign]) await writeFile(file, 'half');
    await writeFileAtomic(path, 'whole');
    const left = ['checkpoint', ...[alive, elses, foreign].map((file) => basename(file))];
    expect((await readdir(folder)).sort()).toEqual(left.sort());
    // A day later even one whose number another process has by now.
    const old = new Date(Date.now() - 25 * 3_600_000);
    await utimes(alive, old, old);
    await writeFileAtomic(path, 'again');
    expect(await readdir(folder)).not.toContain(basename(alive));
  });

  test('a name as long as names may be has a temporary one, too', async () => {
    const path = join(folder, 'ü'.repeat(127));
    const orphan = partialOf(path, dead());
    expect(Buffer.byteLength(basename(orphan))).toBeLessThan(100);
    await writeFile(orphan, 'half');
    await writeFileAtomic(path, 'whole');
    expect(await readdir(folder)).toEqual([basename(path)]);
    const error = await failureOf(writeFileAtomic(join(folder, 'x'.repeat(256)), ''));
    expect(error.given).toBe('the name is too long (ENAMETOOLONG)');
  });
});

describe('a disk that is read-only', () => {
  test(`is named as one, however deep the folder is (${isRoot ? 'a real one, mounted' : 'only root can mount'})`, async () => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    let reason: string | undefined;
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'tmpfs', disk], { stdio: 'pipe' });
    } catch (error) {
      reason = String(error).split('\n', 2).join(' ');
    }
    if (reason !== undefined) {
      console.warn(`read-only disk: made up, because mounting one failed: ${reason}`);
      const error = storageError('x', disk, Object.assign(new Error('EROFS'), { code: 'EROFS' }));
      expect(error.given).toBe('the file system is read-only (EROFS)');
      return;
    }
    try {
      for (const path of ['checkpoint', 'runs/a/checkpoint']) {
        const error = await failureOf(writeFileAtomic(join(disk, path), 'x'));
        expect(error.given).toBe('the file system is read-only (EROFS)');
        expect((await failureOf(lockFolder(join(disk, dirname(path))))).given).toMatch(/read-only/);
      }
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});

describe('a folder that one process writes to', () => {
  const lock = () => join(folder, 'run', '.lock');
  const owner = async () => JSON.parse(await readFile(lock(), 'utf8')) as Record<string, unknown>;

  test('is refused to a second one, which is told who has it; then it is free', async () => {
    const mine = await lockFolder(join(folder, 'run'));
    const error = await failureOf(lockFolder(join(folder, 'run')));
    expect(error.given).toMatch(new RegExp(`^process ${process.pid} on ${hostname()}, since 20\\d\\d-`));
    expect(error.remedy).toContain('--out');
    await mine.release();
    const next = await lockFolder(join(folder, 'run'));
    await next.release();
    // Nothing was written there: the folder goes as it came.
    expect(await readdir(folder)).toEqual([]);
  });

  test('of 16 at once, one gets it', async () => {
    const all = await Promise.allSettled(Array.from({ length: 16 }, () => lockFolder(join(folder, 'run'))));
    const got = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(got).toHaveLength(1);
    expect(await readdir(join(folder, 'run'))).toEqual(['.lock']);
    await got[0]?.release();
  });

  test('is taken over from a process that is gone, whose number is another one by now, or that is silent elsewhere', async () => {
    await mkdir(join(folder, 'run'));
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const first = await lockFolder(join(folder, 'run'));
    const mine = await owner();
    await first.release();
    const quiet = new Date(Date.now() - 3_600_000);
    for (const [left, isOld] of [
      [{ ...mine, pid }, false],
      // Where the system tells when a process began.
      ...(mine.begun === '' ? [] : [[{ ...mine, begun: '1' }, false] as const]),
      [{ ...mine, host: 'elsewhere' }, true],
      ['no owner', true],
    ] as const) {
      await writeFile(lock(), typeof left === 'string' ? left : JSON.stringify(left));
      if (isOld) await utimes(lock(), quiet, quiet);
      const taken = await lockFolder(join(folder, 'run'));
      expect(await owner()).toMatchObject({ pid: process.pid, host: hostname() });
      await taken.release();
      expect(await readdir(join(folder, 'run'))).toEqual([]);
    }
    // Who was heard of a moment ago is there.
    for (const left of [JSON.stringify({ ...mine, host: 'elsewhere' }), 'no owner']) {
      await writeFile(lock(), left);
      expect((await failureOf(lockFolder(join(folder, 'run')))).remedy).toContain('.lock');
    }
  });

  test('can not be one in which a file is a folder', async () => {
    await mkdir(join(folder, 'run', 'report.json'), { recursive: true });
    const error = await failureOf(lockFolder(join(folder, 'run'), ['checkpoint', 'report.json']));
    expect(error.given).toContain('report.json');
    expect(await readdir(join(folder, 'run'))).toEqual(['report.json']);
  });
});

describe('reading files', () => {
  test('missing, and a folder', async () => {
    expect((await failureOf(readFileChecked(join(folder, 'none')))).given).toMatch(/no such file.*ENOENT/);
    expect((await failureOf(readFileChecked(folder))).given).toMatch(/this is a folder.*EISDIR/);
  });
});
