/** Data of a person's own, by path: a folder of pictures, a table, arrays, idx files, a module. What it is shows in what is there. */

import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { toUnitRange } from '../data/dataset.ts';
import {
  type Arrays,
  arrays,
  type Labels,
  type PictureOptions,
  parseIdx,
  type TrainingData,
  tableFromCsv,
} from '../data/index.ts';
import { FormatError, OptionError, StorageError } from '../errors.ts';
import { readZip } from '../formats/zip.ts';
import { sizeOf } from '../gpu/index.ts';
import { npx } from '../npx.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { gunzipChecked, readFileChecked } from './files.ts';
import { loadModule } from './modules.ts';
import { type NpyArray, readNpy } from './npy.ts';
import { imagesFromFolder, PICTURE_OPTIONS } from './pictures.ts';

/** How data of your own are read. */
export interface OwnDataOptions extends Omit<PictureOptions, 'name'> {
  /** Of a table: the column that is predicted, or several of a regression. */
  readonly label?: string | readonly string[];
  /** The label is a number. */
  readonly regression?: boolean;
  /** Of a table: the column of the weights of samples. */
  readonly weights?: string;
  /** Of one array or idx file: the file of its labels. */
  readonly labels?: string;
}

const OWN = namesOf<Omit<OwnDataOptions, keyof PictureOptions>>({
  ...{ label: true, regression: true, weights: true, labels: true },
});

/** What is said of the data beside them. */
export type OwnData = TrainingData & {
  /** Pictures that were left out, and why. */
  readonly skipped?: readonly { readonly path: string; readonly why: string }[];
};

const KINDS =
  'a folder with a folder of pictures for each class, a table (.csv, .tsv), arrays (.npz, or .npy with --labels), idx files, or a module (.js)';

/**
 * Reads data of one's own.
 * @throws StorageError where there is nothing; OptionError where it isn't said what is to be predicted; what the readers throw
 * @example const data = await loadOwnData('flowers.csv', { label: 'species' });
 */
export async function loadOwnData(path: string, options: OwnDataOptions = {}): Promise<OwnData> {
  assertKnownOptions(options, [...PICTURE_OPTIONS.filter((name) => name !== 'name'), ...OWN], 'loadOwnData');
  const entry = await stat(path).catch((cause: unknown) => {
    throw new StorageError('There is no such data set.', {
      given: path,
      expected: KINDS,
      where: '--dataset',
      remedy: `check the path; ${npx('data')} lists the data sets that have names`,
      cause,
    });
  });
  const name = nameOf(path);
  if (entry.isDirectory()) return loadFolder(path, name, options);
  const ending = extname(path.replace(/\.gz$/, '')).toLowerCase();
  if (ending === '.csv' || ending === '.tsv') return loadTable(path, name, options);
  if (['.js', '.mjs', '.ts', '.mts'].includes(ending)) return loadSource(path, name, options);
  const bytes = await readUnpacked(path);
  const fromArrays = (given: Parts) => dataOfArrays(given, name, path, options);
  if (ending === '.npz') return fromArrays(await partsOfNpz(bytes, path));
  if (options.labels === undefined) {
    throw new OptionError('What the samples of this file are is not said.', {
      given: path,
      expected: KINDS,
      where: '--dataset',
      remedy: 'name the file of their labels: --labels y.npy',
    });
  }
  const labels = await readUnpacked(options.labels);
  const [x, y] = [arrayOf(bytes, path), arrayOf(labels, options.labels)];
  return fromArrays({ x, y });
}

/** A name for files of runs: of the path's last part, letters and digits. */
function nameOf(path: string): string {
  const plain = basename(resolve(path))
    .replace(/\.gz$/, '')
    .replace(/\.[a-z]{1,4}$/i, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 64);
  return plain === '' ? 'data' : plain;
}

/** idx files by the names that MNIST's have. */
const IDX = { train: /^train-images[.-]idx3/, test: /^(t10k|test)-images[.-]idx3/ } as const;

async function loadFolder(path: string, name: string, options: OwnDataOptions): Promise<OwnData> {
  const files = await readdir(path).catch((cause: unknown) => {
    throw new StorageError('This folder can not be read.', { given: path, where: '--dataset', cause });
  });
  const found = (pattern: RegExp) => files.find((file) => pattern.test(file));
  const images = found(IDX.train);
  if (images !== undefined) {
    const pair = async (file: string): Promise<Parts> => {
      const labels = file.replace('images', 'labels').replace('idx3', 'idx1');
      return {
        x: arrayOf(await readUnpacked(join(path, file)), file),
        y: arrayOf(await readUnpacked(join(path, labels)), labels),
      };
    };
    const tests = found(IDX.test);
    const test = tests === undefined ? undefined : await pair(tests);
    return dataOfArrays({ ...(await pair(images)), test }, name, path, options);
  }
  const arrayFiles = files.filter((file) => file.endsWith('.npy'));
  if (arrayFiles.length > 0) {
    const read = async (file: string) =>
      [file.slice(0, -4), readNpy(await readFileChecked(join(path, file)), file)] as const;
    const parts = new Map(await Promise.all(arrayFiles.map(read)));
    return dataOfArrays(partsNamed(parts, path), name, path, options);
  }
  const { label, labels, regression, weights, ...pictures } = options;
  return imagesFromFolder(path, { ...pictures, name });
}

async function loadTable(path: string, name: string, options: OwnDataOptions): Promise<OwnData> {
  const { label } = options;
  const text = new TextDecoder().decode(await readUnpacked(path));
  if (label === undefined) {
    throw new OptionError('Which column of the table is to be predicted is not said.', {
      given: `the columns ${text.split(/\r?\n/, 1)[0]?.slice(0, 400)}`,
      where: path,
      remedy: 'name it: --label COLUMN, and --regression where it is a number and no class',
    });
  }
  return tableFromCsv(text, { ...options, label, name });
}

async function loadSource(path: string, name: string, options: OwnDataOptions): Promise<OwnData> {
  const module = await loadModule(path, '--dataset');
  const exported = module.default ?? module.data;
  const { seed = 1, split = 0.2 } = options;
  const data: unknown =
    typeof exported === 'function'
      ? await (exported as (given: object) => unknown)({ seed, split })
      : exported;
  if (typeof data === 'object' && data !== null && 'train' in data)
    return { ...(data as TrainingData), name };
  throw new OptionError('This module exports no data set.', {
    given: Object.keys(module).join(', ') || 'nothing',
    expected: 'export default { classes, image, train, test }, or a function that gives it',
    where: `--dataset ${path}`,
  });
}

/** Arrays of samples and targets. */
interface Parts {
  readonly x: NpyArray;
  readonly y: NpyArray;
  readonly test?: { readonly x: NpyArray; readonly y: NpyArray } | undefined;
}

async function partsOfNpz(bytes: Uint8Array<ArrayBuffer>, where: string): Promise<Parts> {
  const files = await readZip(bytes, where);
  const named = [...files].map(
    ([name, content]) => [name.replace(/\.npy$/, ''), readNpy(content, name)] as const,
  );
  return partsNamed(new Map(named), where);
}

/** By the names that people give them: x and y, x_train and y_test, or the two that there are. */
function partsNamed(named: ReadonlyMap<string, NpyArray>, where: string): Parts {
  const find = (...names: readonly string[]) => names.map((name) => named.get(name)).find(Boolean);
  const x = find('x_train', 'X_train', 'train_x', 'x', 'X', 'images', 'data', 'arr_0');
  const y = find('y_train', 'Y_train', 'train_y', 'y', 'Y', 'labels', 'target', 'arr_1');
  const [testX, testY] = [find('x_test', 'X_test', 'test_x'), find('y_test', 'Y_test', 'test_y')];
  if (x !== undefined && y !== undefined) {
    return testX === undefined || testY === undefined ? { x, y } : { x, y, test: { x: testX, y: testY } };
  }
  throw new FormatError('Which of these arrays are samples and which are labels is not known.', {
    given: [...named.keys()].join(', ') || 'no arrays',
    expected: 'x and y; or x_train, y_train, x_test and y_test',
    where,
  });
}

function arrayOf(bytes: Uint8Array<ArrayBuffer>, where: string): NpyArray {
  if (bytes[0] === 0x93) return readNpy(bytes, where);
  const { shape, data } = parseIdx(bytes, where);
  return { shape, data, dtype: '|u1' };
}

function dataOfArrays(
  { x, y, test }: Parts,
  name: string,
  path: string,
  { regression = false, split, seed }: OwnDataOptions,
): TrainingData {
  const [, ...own] = x.shape;
  // Grey pictures have a channel, too.
  const isPicture = x.data instanceof Uint8Array && own.length === 2;
  const shape = isPicture ? [...own, 1] : own.length === 0 ? [1] : own;
  const given = (part: { readonly x: NpyArray; readonly y: NpyArray }, where: string): Arrays => ({
    x: part.x.data,
    y: targetsOf(part.y, regression, where),
  });
  const channels = shape.at(-1) ?? 1;
  const targets = regression ? 'reals' : isRows(y) ? 'bits' : 'classes';
  const width = sizeOf(y.shape.slice(1));
  const outputs =
    targets === 'classes' ? {} : { classes: Array.from({ length: width }, (_, i) => `output ${i}`) };
  return arrays({
    ...given({ x, y }, path),
    ...{ shape, name, targets, ...outputs },
    ...(x.data instanceof Uint8Array ? { normalise: toUnitRange(channels) } : {}),
    ...(test === undefined ? { split: split ?? 0.2 } : { test: given(test, path) }),
    ...(seed === undefined ? {} : { seed }),
  });
}

/** Whether there are several numbers for each sample. */
function isRows({ shape }: NpyArray): boolean {
  return (shape[1] ?? 1) > 1;
}

function targetsOf(y: NpyArray, regression: boolean, where: string): Labels {
  const { dtype, data, shape } = y;
  if (regression) return Float32Array.from(data);
  const isBits = isRows(y);
  if (isBits && data.every((value) => value === 0 || value === 1)) return Uint8Array.from(data);
  if (!isBits && data.every((value) => Number.isInteger(value) && value >= 0)) return Uint32Array.from(data);
  throw new OptionError('These labels are no classes.', {
    given: `[${shape.join(', ')}] ${dtype}`,
    expected: isBits ? '0 and 1, a number for each output' : 'indices of classes from 0 on',
    where,
    remedy: 'for numbers that are to be predicted: --regression',
  });
}

/** More than any data set that is held in memory. */
const MOST_UNPACKED = 2 ** 31;

/** The bytes of a file, unpacked where it is an archive of gzip. */
async function readUnpacked(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const exact = await stat(path).catch(() => undefined);
  const bytes = await readFileChecked(exact === undefined ? `${path}.gz` : path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return gunzipChecked(bytes, MOST_UNPACKED, path);
}
