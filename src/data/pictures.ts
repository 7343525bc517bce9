/**
 * Pictures as a data set: those of a folder on disk, or the files that a person chooses in a page. Few are decoded once and kept;
 * many are decoded again whenever they are needed, ahead of the GPU, and their order and bytes are the same.
 */
import { FormatError, listed, OptionError, StorageError } from '../errors.ts';
import { digestOfBytes } from '../numerics/digest.ts';
import { decodeSource, fitted, isGrey, isPicture, type Picture, type PictureSource } from '../pictures.ts';
import { type TrainingData, toUnitRange } from './dataset.ts';
import { defineSource, type Source } from './source.ts';
import { orderOf, parted } from './split.ts';

/** How pictures become data that train. */
export interface PictureOptions {
  /** [height, width] that pictures are resized to. Default: their own, where all have the same. */
  readonly size?: readonly [height: number, width: number];
  /** 1 for grey, 3 for colours. Default: colours, unless all pictures are grey and kept in memory. */
  readonly channels?: 1 | 3;
  /** Share of each class that is kept for tests, where there are no folders `train` and `test`. Default 0.2. */
  readonly split?: number;
  /** The split and the order follow from it. Default 1. */
  readonly seed?: number;
  /** Leave out pictures that can't be read. Default false. */
  readonly skipBroken?: boolean;
  /** Decode pictures whenever they are needed, and keep none. Default: where they would take more than 256 MB. */
  readonly stream?: boolean;
  /** What it is called in messages and reports. */
  readonly name?: string;
}

/** What pictures give. */
export type PictureData = TrainingData & {
  /** Pictures that are kept for tests. */
  readonly test: Source;
  /** Pictures that were left out, and why. */
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
};

/** A picture and its class. */
export interface ListedPicture {
  /** For errors. */
  readonly path: string;
  readonly label: number;
  /** Stands for its content where that isn't kept: its name below the folder, and its size in bytes. */
  readonly identity: string;
  /** @param size that it is brought to; its own when absent. @throws FormatError for what is no picture */
  readonly read: (size?: readonly [height: number, width: number]) => Promise<Picture>;
}

/** Endings of the names of files that are taken for pictures; what a file is shows in its content. */
export const IMAGE_ENDINGS = ['.png', '.jpg', '.jpeg', '.webp'] as const;

/** Whether a file's name is one of a picture that can be read. */
export function hasImageName(path: string): boolean {
  return IMAGE_ENDINGS.some((ending) => path.toLowerCase().endsWith(ending));
}

/** How files of a page become data that train. */
export interface FilesOptions extends PictureOptions {
  /** The class of each file. Default: the folder that it is in, below the one that was chosen. */
  readonly labels?: readonly string[];
}

/** See `imagesFromFiles`. */
export async function dataOfFiles(
  files: Iterable<PictureSource> | ArrayLike<PictureSource>,
  options: FilesOptions = {},
): Promise<PictureData> {
  const where = 'imagesFromFiles';
  const all = Array.from(files);
  const wrong = all.findIndex((file) => !isPicture(file));
  if (wrong >= 0) {
    throw new OptionError('This is no picture of a page.', {
      given: `entry ${wrong}: ${Object.prototype.toString.call(all[wrong])}`,
      expected: 'files, images, canvases, frames of videos, ImageData',
      where,
    });
  }
  const [root, parts] =
    options.labels === undefined ? foldersOf(all) : [undefined, labelled(all, options.labels)];
  const classes = classesOf(
    parts.map((part) => part.map(({ name }) => name)),
    root ?? 'these files',
  );
  // One class after the other, as a folder is read in Node.
  const lists = parts.map((part) =>
    classes.flatMap((own, label) =>
      part
        .filter(({ name }) => name === own)
        .map(
          ({ file, path }): ListedPicture => ({
            path,
            label,
            identity: `${path}:${'size' in file ? file.size : ''}`,
            read: async (size) => sized(await decodeSource(file, path), size),
          }),
        ),
    ),
  );
  // Content that has no name could be any other.
  const isNamed = all.every((file) => 'size' in file);
  return dataOfPictures(lists, classes, {
    ...options,
    name: options.name ?? root ?? 'pictures',
    ...(isNamed ? {} : { stream: false }),
  });
}

/** A file, and the name of its class. */
interface Labelled {
  readonly file: PictureSource;
  readonly path: string;
  readonly name: string;
}

function labelled(files: readonly PictureSource[], labels: readonly string[]): Labelled[][] {
  if (labels.length !== files.length) {
    throw new OptionError('There is one label for every file.', {
      given: `${labels.length} labels, ${files.length} files`,
      where: 'imagesFromFiles: labels',
    });
  }
  return [
    files.map((file, i) => ({
      file,
      path: 'name' in file ? String(file.name) : `picture ${i}`,
      name: labels[i] ?? '',
    })),
  ];
}

/** Files by the folders that they are in: of `flowers/rose/1.png`, rose; of `flowers/train/rose/1.png`, a part for itself. */
function foldersOf(files: readonly PictureSource[]): [root: string | undefined, parts: Labelled[][]] {
  const found = files
    .flatMap((file) => {
      const path = 'webkitRelativePath' in file ? String(file.webkitRelativePath) : '';
      const folders = path.split('/').slice(0, -1);
      return hasImageName(path) && !folders.some((name) => name.startsWith('.'))
        ? [{ file, path, folders }]
        : [];
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  if (found.length === 0) {
    throw new StorageError('There are no pictures in a folder here.', {
      given: `${files.length} files`,
      expected: `files that end in ${IMAGE_ENDINGS.join(', ')}, chosen with <input type="file" webkitdirectory>`,
      where: 'imagesFromFiles',
      remedy: 'for files without folders say the class of each: { labels }',
    });
  }
  const roots = new Set(found.map(({ folders }) => folders[1]));
  const isParted = roots.has('train') && roots.has('test');
  const partOf = (part?: string) =>
    found.flatMap(({ file, path, folders }) => {
      const name = folders[part === undefined ? 1 : 2];
      return name === undefined || (part !== undefined && folders[1] !== part) ? [] : [{ file, path, name }];
    });
  return [found[0]?.folders[0], isParted ? [partOf('train'), partOf('test')] : [partOf()]];
}

/** Names of classes, sorted. @throws StorageError for fewer than two */
export function classesOf(parts: readonly (readonly string[])[], where: string): string[] {
  const classes = [...new Set(parts.flat())].sort();
  if (classes.length >= 2) return classes;
  throw new StorageError('A folder of pictures has a folder for each class.', {
    given: classes.length === 0 ? `no folders with pictures in ${where}` : `one class, ${classes[0]}`,
    expected: `two or more folders with pictures (${IMAGE_ENDINGS.join(', ')}), or such folders in train and test`,
    where,
  });
}

/** Bytes of samples that are kept in memory. */
const KEPT_BYTES = 2 ** 28;

/**
 * The data set of pictures.
 * @param parts one that is to be split, by class, or a part to train with and one for tests
 * @param atOnce pictures that are decoded at the same time
 * @throws as `imagesFromFiles`
 */
export async function dataOfPictures(
  parts: readonly (readonly ListedPicture[])[],
  classes: readonly string[],
  options: PictureOptions & { readonly name: string },
  atOnce = 4,
): Promise<PictureData> {
  const { size, name, seed = 1, skipBroken = false } = options;
  assertSize(size);
  const album = new Album(options, atOnce);
  const isKept = !(options.stream ?? (await album.bytesOf(parts.flat())) > KEPT_BYTES);
  const read: { readonly list: readonly ListedPicture[]; readonly pictures: readonly Picture[] }[] = [];
  for (const part of parts) {
    // What can be read is known once it was.
    read.push(isKept || skipBroken ? await album.readable(part, isKept) : { list: part, pictures: [] });
  }
  const lists = read.map(({ list }) => list);
  assertClasses(lists, classes, name);
  const [height, width] = await album.sizeOf(lists.flat());
  const kept = read.flatMap(({ pictures }) => pictures);
  const channels = options.channels ?? (isKept && kept.every(isGrey) ? 1 : 3);
  const image = [height, width, channels] as const;
  const [first = [], second] = lists;
  const labels = first.map(({ label }) => label);
  const order =
    second === undefined
      ? parted({ count: first.length, labels }, options.split ?? 0.2, seed, classes, name)
      : { train: orderOf(first.length, seed), test: second.map((_, i) => i) };
  const sourceOf = (part: number, samples: readonly number[]): Source => {
    const own = samples.map((i) => lists[part]?.[i]).filter((picture) => picture !== undefined);
    if (!isKept) return album.stream(own, image, classes.length);
    const images = new Uint8Array(samples.length * height * width * channels);
    for (const [i, sample] of samples.entries()) {
      const picture = read[part]?.pictures[sample];
      if (picture !== undefined)
        images.set(fitted(picture, { height, width, channels }).pixels, i * (images.length / samples.length));
    }
    const labels = Uint32Array.from(own, ({ label }) => label);
    return { count: samples.length, images, labels, names: own.map(({ path }) => path) };
  };
  return {
    ...{ name, classes, image, targets: 'classes', normalise: toUnitRange(channels) },
    train: sourceOf(0, order.train),
    test: sourceOf(second === undefined ? 0 : 1, order.test),
    skipped: album.skipped,
  };
}

/** @throws OptionError for a class without a picture that can be read */
function assertClasses(
  lists: readonly (readonly ListedPicture[])[],
  classes: readonly string[],
  where: string,
): void {
  const there = new Set(lists.flat().map(({ label }) => label));
  const empty = classes.filter((_, label) => !there.has(label));
  if (there.size === 0) {
    throw new StorageError('There are no pictures that can be read.', {
      given: 'only such that can not',
      where,
    });
  }
  if (empty.length === 0) return;
  throw new OptionError('A class has no picture that can be read.', {
    given: listed(empty),
    where,
    remedy: 'add some, or remove the folder',
  });
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

/** A picture at another size, its colours as they are. */
export function sized(picture: Picture, size?: readonly [height: number, width: number]): Picture {
  const { channels } = picture;
  const [height, width] = size ?? [picture.height, picture.width];
  return { height, width, channels, data: fitted(picture, { height, width, channels }).pixels };
}

/** Pictures of one size. */
class Album {
  readonly skipped: { path: string; why: string }[] = [];
  readonly #options: PictureOptions;
  readonly #atOnce: number;
  #first: { readonly path: string; readonly width: number; readonly height: number } | undefined;

  constructor(options: PictureOptions, atOnce: number) {
    this.#options = options;
    this.#atOnce = atOnce;
  }

  /** Bytes that all pictures would take, decoded. */
  async bytesOf(pictures: readonly ListedPicture[]): Promise<number> {
    const [height, width] = await this.sizeOf(pictures);
    return pictures.length * height * width * (this.#options.channels ?? 3);
  }

  /** [height, width] of all pictures: what is said, or that of the first one that can be read. */
  async sizeOf(pictures: readonly ListedPicture[]): Promise<readonly [number, number]> {
    const { size, skipBroken = false } = this.#options;
    if (size !== undefined) return size;
    for (const picture of pictures) {
      if (this.#first !== undefined) break;
      const result = await readOrRefused(picture);
      if (!(result instanceof FormatError)) this.#assertAlike(picture, result);
      else if (!skipBroken) throw broken(picture, result);
    }
    return [this.#first?.height ?? 1, this.#first?.width ?? 1];
  }

  /** Those that can be read. @param isKept whether they are kept decoded */
  async readable(
    listed: readonly ListedPicture[],
    isKept: boolean,
  ): Promise<{ list: readonly ListedPicture[]; pictures: readonly Picture[] }> {
    const list: ListedPicture[] = [];
    const pictures: Picture[] = [];
    await this.#each(listed, (picture, result) => {
      if (result instanceof FormatError) {
        if (this.#options.skipBroken !== true) throw broken(picture, result);
        this.skipped.push({ path: picture.path, why: result.what });
        return;
      }
      list.push(picture);
      if (isKept) pictures.push(result);
    });
    return { list, pictures };
  }

  /** Pictures that are decoded whenever they are asked for. */
  stream(
    pictures: readonly ListedPicture[],
    [height, width, channels]: readonly [number, number, number],
    classes: number,
  ): Source {
    const perClass = new Array<number>(classes).fill(0);
    for (const { label } of pictures) perClass[label] = (perClass[label] ?? 0) + 1;
    const names = pictures.map(({ identity, label }) => `${label}:${identity}`).join('\n');
    const length = height * width * channels;
    return defineSource({
      count: pictures.length,
      dtype: 'u8',
      identity: digestOfBytes(new TextEncoder().encode(`${height}x${width}x${channels}\n${names}`)),
      perClass,
      read: async (samples, { images, labels }) => {
        const own = Array.from(samples, (sample) => pictures[sample]).filter((one) => one !== undefined);
        let row = 0;
        await this.#each(own, (picture, result) => {
          if (result instanceof FormatError) throw broken(picture, result);
          images.set(fitted(result, { height, width, channels }).pixels, row * length);
          labels[row] = picture.label;
          row += 1;
        });
      },
    });
  }

  /** Reads some at once, and hands them over in their order. */
  async #each(
    pictures: readonly ListedPicture[],
    take: (picture: ListedPicture, result: Picture | FormatError) => void,
  ): Promise<void> {
    const { size } = this.#options;
    for (let first = 0; first < pictures.length; first += this.#atOnce) {
      const some = pictures.slice(first, first + this.#atOnce);
      const results = await Promise.all(some.map((picture) => readOrRefused(picture, size)));
      for (const [i, picture] of some.entries()) {
        const result = results[i];
        if (result === undefined) continue;
        if (!(result instanceof FormatError)) this.#assertAlike(picture, result);
        take(picture, result);
      }
    }
  }

  #assertAlike({ path }: ListedPicture, { width, height }: Picture): void {
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

/** A picture, or why it can't be read. */
function readOrRefused(
  picture: ListedPicture,
  size?: readonly [number, number],
): Promise<Picture | FormatError> {
  return picture.read(size).catch((cause: unknown) => {
    if (cause instanceof FormatError) return cause;
    throw cause;
  });
}

function broken({ path }: ListedPicture, cause: FormatError): FormatError {
  return new FormatError('A picture of the data set can not be read.', {
    given: [cause.what, cause.given].filter(Boolean).join(' '),
    where: path,
    remedy: 'mend or remove it, or leave out all that can not be read: --skip-broken (skipBroken: true)',
    cause,
  });
}
