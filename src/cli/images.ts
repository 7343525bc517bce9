/** Images for a network, from the files that people have: pictures, folders and patterns of them, arrays, data sets' files. */

import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { glob } from 'tinyglobby';
import { hasImageName } from '../data/pictures.ts';
import { FormatError, listed, StorageError } from '../errors.ts';
import {
  encodeRows,
  parseCifar10,
  parseIdx,
  readTable,
  type Shape,
  sizeOf,
  type TableEncoding,
} from '../index.ts';
import { decodeImage, isImage } from '../node/images.ts';
import { readFileChecked } from '../node/index.ts';
import { readNpy, samplesOf } from '../node/npy.ts';
import { npx } from '../npx.ts';

export const IMAGE_FILES =
  'pictures (PNG, JPEG, WebP), a folder or a pattern of them, idx, CIFAR-10 records (.bin), an array (.npy), or a table (.csv)';

/** Some of the images, as bytes of pixels or as the numbers that a network takes. */
export interface Images {
  readonly images: Uint8Array | Float32Array;
  /** Names of the pictures; of an array or a data set's file, images have none. */
  readonly names?: readonly string[] | undefined;
  /** What was done to the images, in words. */
  readonly notes: readonly string[];
}

/** Bytes of pictures that are held at once. */
const BYTES_AT_ONCE = 2 ** 26;

/**
 * Reads images a part at a time.
 * @param inputs files, folders of pictures, patterns such as `pictures/*.jpg`
 * @param shape [height, width, channels] that the network takes
 * @param table how it takes the rows of a table
 * @throws FormatError for a file of another kind, or images of another size; StorageError where there is nothing
 */
export async function* readImages(
  inputs: readonly string[],
  shape: Shape,
  table?: TableEncoding,
): AsyncGenerator<Images> {
  const paths = (await Promise.all(inputs.map(expanded))).flat();
  const [only] = paths;
  if (paths.length === 1 && only !== undefined) {
    const bytes = await readFileChecked(only);
    if (/\.[ct]sv$/i.test(only)) {
      yield await rowsOf(bytes, only, table);
      return;
    }
    if (!isImage(bytes)) {
      yield arrayOf(bytes, only, shape);
      return;
    }
  }
  const size = sizeOf(shape);
  const [height = 1, width = 1, channels = 1] = shape;
  if (shape.length !== 3) {
    throw new FormatError('This network takes no pictures.', {
      given: only ?? 'no file',
      expected: `an array of [N, ${shape.join(', ')}] numbers (.npy)`,
      where: 'run',
    });
  }
  const most = Math.max(1, Math.floor(BYTES_AT_ONCE / size));
  for (let first = 0; first < paths.length; first += most) {
    const names = paths.slice(first, first + most);
    const images = new Uint8Array(names.length * size);
    const changed = new Map<string, string[]>();
    for (const [index, path] of names.entries()) {
      const { pixels, changes } = await decodeImage(
        await readFileChecked(path),
        { height, width, channels },
        path,
      );
      images.set(pixels, index * size);
      for (const change of changes) changed.set(change, [...(changed.get(change) ?? []), path]);
    }
    yield { images, names, notes: [...changed].map(([change, files]) => `${listed(files)}: ${change}`) };
  }
}

/** The files that an argument stands for. */
async function expanded(input: string): Promise<string[]> {
  const entry = await stat(input).catch(() => undefined);
  if (entry?.isDirectory() === true) {
    const inside = (await readdir(input, { recursive: true })).filter(hasImageName).sort();
    if (inside.length > 0) return inside.map((name) => join(input, name));
    throw new StorageError('There are no pictures in this folder.', {
      given: input,
      expected: IMAGE_FILES,
      where: 'run',
    });
  }
  if (entry !== undefined || !/[*?[{]/.test(input)) return [input];
  const matched = (await glob(input, { expandDirectories: false, absolute: isAbsolute(input) })).sort();
  if (matched.length > 0) return matched;
  throw new StorageError('No file matches this pattern.', {
    given: input,
    where: 'run',
    remedy: 'check the path',
  });
}

/** The rows of a table as the network was trained with them. */
async function rowsOf(bytes: Uint8Array, path: string, encoding: TableEncoding | undefined): Promise<Images> {
  if (encoding === undefined) {
    throw new FormatError('The file of this network does not say how it takes the rows of a table.', {
      given: path,
      expected: `a network that was trained with one: ${npx('train --dataset table.csv --label COLUMN')}`,
      where: 'run',
      remedy: 'give the numbers themselves: .npy',
    });
  }
  const rows = await readTable(new TextDecoder().decode(bytes), path);
  return { images: encodeRows(rows, encoding), names: rows.rows.map((_, i) => `row ${i + 1}`), notes: [] };
}

/** The images of a file that is no picture. */
function arrayOf(bytes: Uint8Array<ArrayBuffer>, path: string, shape: Shape): Images {
  if (bytes[0] === 0x93 && bytes[1] === 0x4e) {
    const { data, reading } = samplesOf(readNpy(bytes, path), shape, path);
    return { images: data, notes: [`${path}: ${reading}`] };
  }
  // An idx file has no ending: it begins with two zeros. What is packed is said where it is read.
  const [first, second] = bytes;
  const isIdx = (first === 0 && second === 0) || (first === 0x1f && second === 0x8b);
  if (!isIdx && !path.endsWith('.bin')) {
    throw new FormatError('This is no file of images.', { given: path, expected: IMAGE_FILES, where: 'run' });
  }
  const images = path.endsWith('.bin')
    ? parseCifar10([{ bytes, where: path }]).images
    : parseIdx(bytes, path).data;
  if (images.length > 0 && images.length % sizeOf(shape) === 0) return { images, notes: [] };
  throw new FormatError("These images don't fit the network.", {
    given: `${images.length} values`,
    expected: `${shape.join(' x ')}: a multiple of ${sizeOf(shape)}`,
    where: path,
    remedy: 'scale or crop them first: that is part of how the network was trained',
  });
}
