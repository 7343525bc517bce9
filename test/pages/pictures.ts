/** The page that tests hand pictures to: as files of a folder, and as whatever else a page holds pictures in. */
import {
  encodeModel,
  Gpu,
  imagesFromFiles,
  initialValues,
  isStreamed,
  loadModel,
  mlp,
  PIXEL_RANGES,
  type PictureOptions,
  type PictureSource,
  type Source,
} from '../../src/index.ts';

/** Files by the paths that an input would give, as bytes. */
export type Sent = readonly (readonly [path: string, bytes: readonly number[]])[];

export interface Folder {
  readonly name: string;
  readonly classes: readonly string[];
  readonly image: readonly number[];
  readonly skipped: readonly string[];
  readonly parts: readonly { readonly images: readonly number[]; readonly labels: readonly number[] }[];
}

declare global {
  interface Window {
    folderOf(files: Sent, options: PictureOptions): Promise<Folder | string>;
    labelled(bytes: readonly number[], labels: readonly string[]): Promise<Folder | string>;
    scoresOf(bytes: readonly number[]): Promise<Record<string, readonly number[]>>;
    refusals(): Promise<readonly string[]>;
  }
}

const pngOf = (bytes: readonly number[]) => new Blob([Uint8Array.from(bytes)], { type: 'image/png' });

async function partOf(source: Source, size: number): Promise<Folder['parts'][number]> {
  if (!isStreamed(source)) return { images: [...source.images], labels: [...source.labels] };
  const { count, read } = source;
  const into = {
    images: new Uint8Array(count * size),
    labels: new Uint32Array(count),
    weights: new Float32Array(count),
  };
  await read(
    Uint32Array.from({ length: count }, (_, i) => i),
    into,
  );
  return { images: [...into.images], labels: [...into.labels] };
}

async function described(data: ReturnType<typeof imagesFromFiles>): Promise<Folder | string> {
  try {
    const { name, classes, image, skipped, train, test } = await data;
    const size = image.reduce((product, extent) => product * extent, 1);
    const parts = [await partOf(train, size), await partOf(test, size)];
    return { name, classes, image, parts, skipped: skipped.map(({ path, why }) => `${path}: ${why}`) };
  } catch (error) {
    return String(error);
  }
}

window.folderOf = (sent, options) => {
  const files = sent.map(([path, bytes]) => {
    const file = new File([Uint8Array.from(bytes)], path.split('/').at(-1) ?? '');
    Object.defineProperty(file, 'webkitRelativePath', { value: path });
    return file;
  });
  return described(imagesFromFiles(files, options));
};

/** All that a page may hold one picture in. */
async function everyKind(bytes: readonly number[]): Promise<Record<string, PictureSource>> {
  const blob = pngOf(bytes);
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  await image.decode();
  // What the page shows is no matter.
  image.width = 3;
  const bitmap = await createImageBitmap(blob);
  const canvas = document.createElement('canvas');
  const offscreen = new OffscreenCanvas(bitmap.width, bitmap.height);
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
  const context = offscreen.getContext('2d') as OffscreenCanvasRenderingContext2D;
  context.drawImage(bitmap, 0, 0);
  const data = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const frame = new VideoFrame(canvas, { timestamp: 0 });
  return { blob, image, bitmap, canvas, offscreen, data, frame };
}

window.labelled = async (bytes, labels) =>
  described(imagesFromFiles(Object.values(await everyKind(bytes)), { labels }));

window.scoresOf = async (bytes) => {
  const model = mlp({ input: [8, 8, 3], classes: 4, units: 32 });
  const file = encodeModel(model, initialValues(model, 5), { pixels: PIXEL_RANGES['0:1'] });
  using gpu = await Gpu.request();
  using classifier = await (await loadModel(file)).createClassifier(gpu);
  const kinds = await everyKind(bytes);
  const scores: Record<string, readonly number[]> = {};
  for (const [name, picture] of Object.entries(kinds))
    scores[name] = [...(await classifier.classify(picture)).scores];
  scores.all = [...(await classifier.classify(Object.values(kinds))).scores];
  return scores;
};

window.refusals = async () => {
  const refused = (files: unknown, labels?: readonly string[]) =>
    described(imagesFromFiles(files as PictureSource[], labels === undefined ? {} : { labels })).then(String);
  const empty = document.createElement('canvas');
  empty.width = 0;
  return [
    await refused([]),
    await refused([new Blob([])]),
    await refused([pngOf([1, 2])], ['a', 'b']),
    await refused([7], ['a']),
    await refused([pngOf([1, 2]), pngOf([3])], ['a', 'b']),
    await refused([empty, new Image()], ['a', 'b']),
  ];
};
