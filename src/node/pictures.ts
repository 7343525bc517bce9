/** A folder of pictures as a data set: a folder for each class, or such folders below `train` and `test`. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import {
  classesOf,
  dataOfPictures,
  hasImageName,
  IMAGE_ENDINGS,
  type ListedPicture,
  type PictureData,
  type PictureOptions,
} from '../data/pictures.ts';
import { listed, OptionError, StorageError } from '../errors.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { Decoders } from './picture-pool.ts';

/** What there is to say of pictures. */
export const PICTURE_OPTIONS = namesOf<PictureOptions>({
  ...{ size: true, channels: true, split: true, seed: true, skipBroken: true, stream: true, name: true },
});

/**
 * Reads a folder of pictures (PNG, JPEG, WebP).
 * @throws StorageError for an empty folder; FormatError for a picture that can't be read, and for pictures of several sizes where
 *   no size is given; OptionError for a class with one picture where a part is kept for tests
 * @example const data = await imagesFromFolder('./flowers', { size: [32, 32], split: 0.2 });
 */
export async function imagesFromFolder(path: string, options: PictureOptions = {}): Promise<PictureData> {
  assertKnownOptions(options, PICTURE_OPTIONS, 'imagesFromFolder');
  const folders = await foldersIn(path);
  const isParted = folders.includes('train') && folders.includes('test');
  const roots = isParted ? [join(path, 'train'), join(path, 'test')] : [path];
  const found = await Promise.all(roots.map((root) => classesIn(root)));
  const classes = classesOf(
    found.map((list) => [...list.keys()]),
    path,
  );
  const lists = found.map((list) =>
    classes.flatMap((own, label) => (list.get(own) ?? []).map((file) => ({ file, label }))),
  );
  const decoders = new Decoders(lists.flat().length);
  const parts = await Promise.all(
    lists.map((list) =>
      Promise.all(
        list.map(
          async ({ file, label }): Promise<ListedPicture> => ({
            path: file,
            label,
            identity: `${relative(path, file).replaceAll(sep, '/')}:${(await stat(file)).size}`,
            read: (size) => decoders.read(file, size),
          }),
        ),
      ),
    ),
  );
  return dataOfPictures(
    parts,
    classes,
    { ...options, name: options.name ?? basename(resolve(path)) },
    decoders.atOnce,
  );
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
