/** Files in MNIST's format that a visitor has: Fashion-MNIST, and what else is stored as four files of 28×28. */
import { datasetFromIdx, IDX_FILES, type IdxFiles } from '../../src/data/idx.ts';
import { type Dataset, FormatError, isStreamed, type Split } from '../../src/index.ts';
import { SIDE, type StoredPictures, stored } from './pictures.ts';
import { TroubleError, troubleOf } from './protocol.ts';

const KEYS = Object.keys(IDX_FILES) as (keyof IdxFiles)[];

/**
 * Reads the four files, packed by gzip or not.
 * @param classes names of the labels 0, 1, ...
 * @throws TroubleError where one is missing or of another size; FormatError where one is damaged
 */
export async function readIdx(files: readonly File[], classes: readonly string[]): Promise<StoredPictures> {
  const found = new Map<keyof IdxFiles, Uint8Array>();
  for (const file of files) {
    const name = file.name.replace(/\.gz$/, '').replaceAll('.', '-');
    const key = KEYS.find((one) => IDX_FILES[one] === name);
    if (key !== undefined) found.set(key, await unpacked(file));
  }
  const missing = KEYS.filter((key) => !found.has(key)).map((key) => IDX_FILES[key]);
  if (missing.length > 0) {
    throw new TroubleError({
      kind: 'error',
      what: 'Four files belong together, and some are missing.',
      given: files.map(({ name }) => name).join(', '),
      expected: missing.join(', '),
      remedy: 'choose all four at once, packed (.gz) or not',
    });
  }
  const data = read(classes, Object.fromEntries(found) as unknown as IdxFiles);
  if (data.image[0] !== SIDE || data.image[1] !== SIDE) {
    throw new TroubleError({
      kind: 'error',
      what: 'The networks of this page take pictures of 28×28.',
      given: `${data.image[0]}×${data.image[1]}`,
      remedy: 'train with the command line: npx webgpu-bnn train --dataset FOLDER',
    });
  }
  const [train, test] = [data.train, data.test].map((part) => {
    if (isStreamed(part)) throw new Error('idx files are kept in memory');
    return part;
  }) as [Split, Split];
  return stored(`images of ${classes.length} classes`, classes, train, test, []);
}

function read(classes: readonly string[], files: IdxFiles): Dataset {
  try {
    return datasetFromIdx('images', classes, files);
  } catch (cause) {
    const remedy = 'name all classes, in the order of their labels; or get the file again';
    throw cause instanceof FormatError ? new TroubleError({ ...troubleOf(cause), remedy }) : cause;
  }
}

async function unpacked(file: File): Promise<Uint8Array> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isPacked = first === 0x1f && second === 0x8b;
  const stream = isPacked ? file.stream().pipeThrough(new DecompressionStream('gzip')) : file.stream();
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    throw new TroubleError({
      kind: 'error',
      what: 'A file can not be unpacked.',
      where: file.name,
      given: String(cause),
      remedy: 'load it again from where it comes',
    });
  }
}
