/** Pictures of the visitor's own: read by the library, as grey ones of the size that the networks take. */
import { toUnitRange } from '../../src/data/dataset.ts';
import { type Dataset, FormatError, imagesFromFiles, isStreamed, type Split } from '../../src/index.ts';
import type { PictureGroup } from '../state/pictures.ts';
import { type OwnPictures, TroubleError, troubleOf } from './protocol.ts';

/** Networks of the page take pictures of this height and width. */
export const SIDE = 28;
/** Labels are bytes. */
const MOST_CLASSES = 256;
/** Pictures of each class that are shown. */
const SHOWN = 8;

/** Pictures as the browser keeps them. */
export interface StoredPictures {
  /** SHA-256 of what networks see of them. */
  readonly id: string;
  readonly name: string;
  readonly classes: readonly string[];
  readonly train: Split;
  readonly test: Split;
  /** Those that could not be read and were left out. */
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
}

/**
 * Reads pictures, and keeps a fifth of each class for tests.
 * @param skipBroken leaves out what can't be read
 * @throws TroubleError that says what a visitor can do
 */
export async function readPictures(
  groups: readonly PictureGroup[],
  skipBroken: boolean,
): Promise<StoredPictures> {
  // Folders are listed in an order that is the browser's own.
  const all = groups
    .flatMap(({ name, files }) => files.map((file) => ({ name, file })))
    .sort((a, b) => (a.file.name < b.file.name ? -1 : 1));
  const counts = new Map<string, number>();
  for (const { name } of all) counts.set(name, (counts.get(name) ?? 0) + 1);
  const names = [...counts.keys()];
  if (names.length < 2 || names.length > MOST_CLASSES) {
    throw new TroubleError({
      kind: 'error',
      what: 'A network learns to tell classes apart.',
      given: names.length === 1 ? `one class, ${names[0]}` : `${names.length} classes with pictures`,
      expected: `2 to ${MOST_CLASSES} classes, with two pictures each or more`,
      remedy: 'add pictures of another class, from a folder or with a name of their own',
    });
  }
  const alone = names.filter((name) => counts.get(name) === 1);
  if (alone.length > 0) {
    throw new TroubleError({
      kind: 'error',
      what: 'A class has one picture only: none is left to test with.',
      given: alone.join(', '),
      expected: 'two pictures of each class, or more',
      remedy: 'add pictures of this class, or remove it',
    });
  }
  const data = await imagesFromFiles(
    all.map(({ file }) => file),
    {
      labels: all.map(({ name }) => name),
      ...{
        name: `${names.length} classes of pictures`,
        size: [SIDE, SIDE],
        channels: 1,
        stream: false,
        skipBroken,
      },
    },
  ).catch((cause: unknown) => {
    if (!(cause instanceof FormatError)) throw cause;
    throw new TroubleError({
      ...troubleOf(cause),
      remedy: 'remove this class and add it without the file, or leave out what can not be read',
    });
  });
  const [train, test] = [data.train, data.test].map((part): Split => {
    if (isStreamed(part)) throw new Error('pictures are kept in memory');
    const { images, labels, count } = part;
    return { images: Uint8Array.from(images), labels: Uint8Array.from(labels), count };
  }) as [Split, Split];
  return stored(data.name, data.classes, train, test, data.skipped);
}

/** Pictures with what they are known by. */
export async function stored(
  name: string,
  classes: readonly string[],
  train: Split,
  test: Split,
  skipped: StoredPictures['skipped'],
): Promise<StoredPictures> {
  const told = new TextEncoder().encode(JSON.stringify([classes, train.count, test.count]));
  const content = new Blob([train, test].flatMap(({ images, labels }) => [images, labels] as BlobPart[]));
  const bytes = await new Blob([told, content]).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const id = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return { id, name, classes, train, test, skipped };
}

/** The data set of pictures. */
export function datasetOf({ name, classes, train, test }: StoredPictures): Dataset {
  return { name, classes, image: [SIDE, SIDE, 1], train, test, normalise: toUnitRange(1) };
}

/** Bytes that pictures take in the browser's storage. */
export function bytesOf({ train, test }: StoredPictures): number {
  return (train.count + test.count) * (SIDE * SIDE + 1);
}

/** What the page shows of them. */
export function ownPicturesOf(stored: StoredPictures): OwnPictures {
  const { id, name, train, test, skipped } = stored;
  const countOf = (split: Split, label: number) =>
    split.labels.reduce((n, own) => n + Number(own === label), 0);
  const classes = stored.classes.map((className, label) => {
    const rows = [...train.labels.keys()].filter((row) => train.labels[row] === label).slice(0, SHOWN);
    return {
      name: className,
      train: countOf(train, label),
      test: countOf(test, label),
      shown: rows.map((row) =>
        Uint8Array.from(train.images.subarray(row * SIDE * SIDE, (row + 1) * SIDE * SIDE)),
      ),
    };
  });
  return { id, name, classes, skipped, train: train.count };
}
