/** A folder of pictures as a data set: a folder for each class, or such folders below `train` and `test`. */
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { toUnitRange } from '../data/dataset.ts';
import { type ResidentSource, split, type TrainingData } from '../data/index.ts';
import { shuffled } from '../data/split.ts';
import { FormatError, listed, OptionError, StorageError } from '../errors.ts';
import { readFileChecked } from './files.ts';
import { decodePicture, fitted, hasImageName, IMAGE_ENDINGS, type Picture } from './images.ts';

export interface FolderOptions {
  /** [height, width] that pictures are resized to. Default: their own, where all have the same. */
  readonly size?: readonly [height: number, width: number];
  /** 1 for grey, 3 for colours. Default: colours, unless all pictures are grey. */
  readonly channels?: 1 | 3;
  /** Share of each class that is kept for tests, where there are no folders `train` and `test`. Default 0.2. */
  readonly split?: number;
  /** The split and the order follow from it. Default 1. */
  readonly seed?: number;
  /** Leave out pictures that can't be read. Default false. */
  readonly skipBroken?: boolean;
  readonly name?: string;
}

/** What a folder gives; its sources are in memory. */
export type FolderData = TrainingData & {
  readonly train: ResidentSource;
  readonly test: ResidentSource;
  /** Pictures that were left out, and why. */
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
};

/** A picture and its class. */
interface Listed {
  readonly path: string;
  readonly label: number;
}

/**
 * Reads a folder of pictures (PNG, JPEG, WebP).
 * @throws StorageError for an empty folder; FormatError for a picture that can't be read, and for pictures of several sizes where
 *   no size is given; OptionError for a class with one picture where a part is kept for tests
 * @example const data = await imagesFromFolder('./flowers', { size: [32, 32], split: 0.2 });
 */
export async function imagesFromFolder(path: string, options: FolderOptions = {}): Promise<FolderData> {
  const { seed = 1, name = basename(resolve(path)) } = options;
  assertSize(options.size);
  const folders = await foldersIn(path);
  const isParted = folders.includes('train') && folders.includes('test');
  const roots = isParted ? [join(path, 'train'), join(path, 'test')] : [path];
  const lists = await Promise.all(roots.map((root) => classesIn(root)));
  const classes = [...new Set(lists.flatMap((list) => [...list.keys()]))].sort();
  if (classes.length < 2) {
    throw new StorageError('A folder of pictures has a folder for each class.', {
      given: classes.length === 0 ? `no folders with pictures in ${path}` : `one class, ${classes[0]}`,
      expected: `two or more folders with pictures (${IMAGE_ENDINGS.join(', ')}), or such folders in train and test`,
      where: path,
    });
  }
  const skipped: { path: string; why: string }[] = [];
  const decoder = new Decoder(options, skipped);
  const parts: { pictures: Picture[]; labels: number[] }[] = [];
  for (const list of lists) {
    const files: Listed[] = classes.flatMap((own, label) =>
      (list.get(own) ?? []).map((file) => ({ path: file, label })),
    );
    parts.push(await decoder.read(files));
  }
  const { image, bytesOf } = decoder.finish(parts.flatMap(({ pictures }) => pictures));
  const sources = parts.map(({ pictures, labels }): ResidentSource => {
    const images = new Uint8Array(pictures.length * image[0] * image[1] * image[2]);
    for (const [i, picture] of pictures.entries())
      images.set(bytesOf(picture), i * (images.length / pictures.length));
    return { count: pictures.length, images, labels: Uint32Array.from(labels) };
  });
  const [first = { count: 0, images: new Uint8Array(), labels: new Uint32Array() }, second] = sources;
  const both =
    second === undefined
      ? split(first, options.split ?? 0.2, seed, classes, path)
      : { train: shuffled(first, seed), test: second };
  return { name, classes, image, targets: 'classes', normalise: toUnitRange(image[2]), ...both, skipped };
}

function assertSize(size: unknown): void {
  const isExtent = (extent: unknown) => Number.isInteger(extent) && Number(extent) > 0;
  if (size === undefined || (Array.isArray(size) && size.length === 2 && size.every(isExtent))) return;
  throw new OptionError('This is no size of pictures.', {
    given: JSON.stringify(size) ?? typeof size,
    expected: '[height, width], two positive integers',
    where: 'size',
    remedy: isExtent(size) ? `for squares: size: [${size}, ${size}]` : undefined,
  });
}

/** Decodes pictures of one size. */
class Decoder {
  readonly #options: FolderOptions;
  readonly #skipped: { path: string; why: string }[];
  #first: { readonly path: string; readonly width: number; readonly height: number } | undefined;

  constructor(options: FolderOptions, skipped: { path: string; why: string }[]) {
    this.#options = options;
    this.#skipped = skipped;
  }

  async read(files: readonly Listed[]): Promise<{ pictures: Picture[]; labels: number[] }> {
    const { size, skipBroken = false } = this.#options;
    const pictures: Picture[] = [];
    const labels: number[] = [];
    for (const { path, label } of files) {
      let picture: Picture;
      try {
        picture = await decodePicture(await readFileChecked(path), path);
      } catch (cause) {
        if (!(cause instanceof FormatError)) throw cause;
        if (!skipBroken) {
          throw new FormatError('A picture of the data set can not be read.', {
            given: [cause.what, cause.given].filter(Boolean).join(' '),
            where: path,
            remedy:
              'mend or remove it, or leave out all that can not be read: --skip-broken (skipBroken: true)',
            cause,
          });
        }
        this.#skipped.push({ path, why: cause.what });
        continue;
      }
      // What is larger than it needs to be is not kept.
      if (size !== undefined) picture = sized(picture, size, picture.channels);
      else this.#assertSize(picture, path);
      pictures.push(picture);
      labels.push(label);
    }
    return { pictures, labels };
  }

  /** What all pictures have in common, and their bytes. */
  finish(pictures: readonly Picture[]): {
    image: readonly [number, number, number];
    bytesOf: (picture: Picture) => Uint8Array;
  } {
    const [any] = pictures;
    if (any === undefined) {
      throw new StorageError('There are no pictures that can be read.', {
        given: `${this.#skipped.length} that can not`,
      });
    }
    const channels = this.#options.channels ?? (pictures.every(isGrey) ? 1 : 3);
    const { height, width } = any;
    return {
      image: [height, width, channels],
      bytesOf: (picture) => sized(picture, [height, width], channels).data,
    };
  }

  #assertSize({ width, height }: Picture, path: string): void {
    this.#first ??= { path, width, height };
    const { path: other, width: w, height: h } = this.#first;
    if (width === w && height === h) return;
    throw new FormatError('The pictures of the data set are not of one size.', {
      given: `${width} x ${height}, and ${w} x ${h} of ${other}`,
      expected: 'one size for all',
      where: path,
      remedy: 'say the size that they are brought to: --size 32 (size: [32, 32])',
    });
  }
}

function sized(picture: Picture, [height, width]: readonly [number, number], channels: 1 | 3): Picture {
  const { pixels } = fitted(picture, { height, width, channels });
  return { height, width, channels, data: pixels };
}

function isGrey({ channels, data }: Picture): boolean {
  if (channels === 1) return true;
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  }
  return true;
}

async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    throw new StorageError('This folder can not be read.', { given: path, remedy: 'check the path', cause });
  });
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

/** Pictures by class. @throws OptionError for a class without one */
async function classesIn(root: string): Promise<Map<string, string[]>> {
  const classes = new Map<string, string[]>();
  const empty: string[] = [];
  for (const name of await foldersIn(root)) {
    const inside = (await readdir(join(root, name), { recursive: true })).filter(hasImageName).sort();
    if (inside.length === 0) empty.push(name);
    else
      classes.set(
        name,
        inside.map((file) => join(root, name, file)),
      );
  }
  if (classes.size > 0 && empty.length > 0) {
    throw new OptionError('A class has no pictures.', {
      given: listed(empty),
      expected: `files that end in ${IMAGE_ENDINGS.join(', ')}`,
      where: root,
      remedy: 'add some, or remove the folder',
    });
  }
  return classes;
}
