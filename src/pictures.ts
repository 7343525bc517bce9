/**
 * Pictures, the one entrance: what a page or a file holds, decoded, made grey or coloured, and resized. What was done to a picture
 * is said, since how a network's own training images were made decides whether it was right.
 */
import { FormatError, OptionError } from './errors.ts';

/** What a network takes. */
export interface ImageSize {
  /** Rows of pixels. */
  readonly height: number;
  /** Columns of pixels. */
  readonly width: number;
  /** 1 for grey, 3 for red, green, blue. */
  readonly channels: number;
}

/** A picture as a network takes it. */
export interface ReadImage {
  /** u8 [height, width, channels] of the size that was asked for. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** What was done to the picture, in words: `resized from 640 x 480 (area)`, `made grey`. */
  readonly changes: readonly string[];
}

/** More pixels than any camera has: a small file can claim many. */
const MOST_PIXELS = 2 ** 27;

/** A picture as a network takes it; see `readImage`. @throws FormatError for other channels than 1 and 3 */
export function fitted(picture: Picture, size: ImageSize, where = 'image'): ReadImage {
  if (size.channels !== 1 && size.channels !== 3) {
    throw new FormatError('A picture is grey or coloured; the network takes something else.', {
      given: `${size.channels} channels`,
      expected: '1 or 3',
      where,
      remedy: 'give the numbers themselves: .npy',
    });
  }
  const changes: string[] = [];
  const coloured = withChannels(picture, size.channels, changes);
  return { pixels: resized(coloured, size, changes), changes };
}

/** A decoded picture; u8, channels last, without alpha. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** What decoders give: RGBA, unless they say otherwise. */
export interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

/** @throws FormatError for more pixels than can be */
export function assertPixels(width: number, height: number): void {
  if (width * height <= MOST_PIXELS) return;
  throw new FormatError('This picture is too large.', {
    given: `${width} x ${height}`,
    expected: `at most ${MOST_PIXELS} pixels`,
  });
}

/** Grey, grey with alpha, colour or colour with alpha, without the alpha. */
export function withoutAlpha(picture: Decoded & { readonly channels: number }): Picture {
  const { width, height, data, channels } = picture;
  assertPixels(width, height);
  const kept = channels <= 2 ? 1 : 3;
  const pixels = new Uint8Array(width * height * kept);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < kept; c++) pixels[pixel * kept + c] = data[pixel * channels + c] ?? 0;
  }
  return { width, height, channels: kept, data: pixels };
}

function withChannels(picture: Picture, wanted: number, changes: string[]): Picture {
  const { width, height, channels, data } = picture;
  if (channels === wanted) return picture;
  const count = width * height;
  if (wanted === 3) {
    changes.push('grey repeated for red, green and blue');
    return {
      width,
      height,
      channels: 3,
      data: Uint8Array.from({ length: 3 * count }, (_, i) => data[Math.floor(i / 3)] ?? 0),
    };
  }
  const grey = new Uint8Array(count);
  let coloured = false;
  for (let pixel = 0; pixel < count; pixel++) {
    const [r = 0, g = 0, b = 0] = data.subarray(3 * pixel, 3 * pixel + 3);
    coloured ||= r !== g || g !== b;
    grey[pixel] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
  }
  // JPEG and WebP are decoded as colours, also where they are grey.
  if (coloured) changes.push('colours made grey');
  return { width, height, channels: 1, data: grey };
}

/** Weights of the old places that make up one new place along an axis. */
interface Share {
  readonly first: number;
  readonly weights: readonly number[];
}

function resized(picture: Picture, size: ImageSize, changes: string[]): Uint8Array<ArrayBuffer> {
  const { width, height, channels, data } = picture;
  if (width === size.width && height === size.height) return new Uint8Array(data);
  const how = [shareKind(height, size.height), shareKind(width, size.width)].filter(
    (kind) => kind !== 'same',
  );
  changes.push(
    `resized from ${width} x ${height} to ${size.width} x ${size.height} (${[...new Set(how)].join(' and ')})`,
  );
  const [rows, columns] = [shares(height, size.height), shares(width, size.width)];
  // Rows first: what is in between has the old width.
  const between = new Float64Array(size.height * width * channels);
  for (const [row, { first, weights }] of rows.entries()) {
    for (let i = 0; i < width * channels; i++) {
      let sum = 0;
      for (const [k, weight] of weights.entries())
        sum += weight * (data[(first + k) * width * channels + i] ?? 0);
      between[row * width * channels + i] = sum;
    }
  }
  const result = new Uint8Array(size.height * size.width * channels);
  for (let row = 0; row < size.height; row++) {
    for (const [column, { first, weights }] of columns.entries()) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [k, weight] of weights.entries()) {
          sum += weight * (between[(row * width + first + k) * channels + c] ?? 0);
        }
        result[(row * size.width + column) * channels + c] = Math.round(sum);
      }
    }
  }
  return result;
}

function shareKind(from: number, to: number): 'area' | 'bilinear' | 'same' {
  if (from === to) return 'same';
  return to < from ? 'area' : 'bilinear';
}

/** How much of the old places each of the new ones is: the area that it covers, or the two nearest where it grows. */
function shares(from: number, to: number): Share[] {
  const step = from / to;
  return Array.from({ length: to }, (_, at) => {
    if (to < from) {
      const [begin, end] = [at * step, (at + 1) * step];
      const first = Math.floor(begin);
      const last = Math.min(from, Math.ceil(end - 1e-9));
      const weights = Array.from({ length: last - first }, (_, k) => {
        const covered = Math.min(end, first + k + 1) - Math.max(begin, first + k);
        return covered / step;
      });
      return { first, weights };
    }
    // Centres of pixels lie at halves; beyond the outermost centres the edge goes on.
    const centre = Math.min(from - 1, Math.max(0, (at + 0.5) * step - 0.5));
    const first = Math.min(Math.floor(centre), Math.max(0, from - 2));
    const share = centre - first;
    return from === 1 ? { first, weights: [1] } : { first, weights: [1 - share, share] };
  });
}

/** Whether a picture has no colours, however it is stored. */
export function isGrey({ channels, data }: Picture): boolean {
  if (channels === 1) return true;
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  }
  return true;
}

/** A file or another thing of a page that holds a picture: `Blob` (a `File` is one), `<img>`, `<canvas>`, `<video>`, ... */
export type PictureSource = Blob | ImageData | CanvasImageSource;

/** Whether something is a picture of a page, and no numbers. */
export function isPicture(given: unknown): given is PictureSource {
  const name = Object.prototype.toString.call(given).slice(8, -1);
  return /^(Blob|File|ImageBitmap|ImageData|VideoFrame|OffscreenCanvas|(HTML(Image|Canvas|Video)|SVGImage)Element)$/.test(
    name,
  );
}

/**
 * The pixels of a picture of a page, at their own size and as they are stored: without colour management, alpha left out.
 * @throws FormatError for a file that is no picture that the browser reads; OptionError for what has no pixels yet, what the page
 *   may not read, and where nothing can be drawn
 */
export async function decodeSource(source: PictureSource, where = 'picture'): Promise<Picture> {
  if ('data' in source) return withoutAlpha({ ...pixelsOf(source), channels: 4 });
  if (typeof OffscreenCanvas === 'undefined' || typeof createImageBitmap === 'undefined') {
    throw new OptionError('Nothing is drawn here.', {
      given: Object.prototype.toString.call(source).slice(8, -1),
      expected: 'a page or a worker of one, with OffscreenCanvas',
      where,
      remedy: "in Node: readImage of 'webgpu-bnn/node'",
    });
  }
  if (!('size' in source)) return drawn(source, where);
  const bitmap = await createImageBitmap(source, { colorSpaceConversion: 'none' }).catch((cause: unknown) => {
    throw new FormatError('This is no picture that the browser reads.', {
      given: `${source.size} bytes${source.type === '' ? '' : ` of ${source.type}`}`,
      expected: 'PNG, JPEG, WebP, or what else this browser shows',
      where,
      remedy: 'the file is damaged or of another kind: save it as PNG',
      cause,
    });
  });
  try {
    return drawn(bitmap, where);
  } finally {
    bitmap.close();
  }
}

/** What is taken of `ImageData`, whose members are no own ones. */
function pixelsOf({ width, height, data }: ImageData): Decoded {
  return { width, height, data };
}

function drawn(source: CanvasImageSource, where: string): Picture {
  const [width, height] = extentsOf(source);
  if (!(width > 0 && height > 0)) {
    throw new OptionError('There are no pixels here yet.', {
      given: `${width} x ${height}`,
      where,
      remedy: 'wait until it is loaded: await image.decode(), or await video.play()',
    });
  }
  assertPixels(width, height);
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new OptionError('This browser draws nothing.', { where });
  context.drawImage(source, 0, 0, width, height);
  try {
    return withoutAlpha({ ...pixelsOf(context.getImageData(0, 0, width, height)), channels: 4 });
  } catch (cause) {
    throw new OptionError('The page may not read these pixels.', {
      given: cause instanceof Error ? cause.message : String(cause),
      where,
      remedy: 'they come from another site: ask it with crossorigin set, and let it allow that',
      cause,
    });
  }
}

/** Width and height as they are stored, whatever the page shows. */
function extentsOf(source: CanvasImageSource): [number, number] {
  if ('naturalWidth' in source) return [source.naturalWidth, source.naturalHeight];
  if ('videoWidth' in source) return [source.videoWidth, source.videoHeight];
  if ('displayWidth' in source) return [source.displayWidth, source.displayHeight];
  const { width, height } = source;
  return typeof width === 'number'
    ? [width, Number(height)]
    : [width.baseVal.value, (height as SVGAnimatedLength).baseVal.value];
}

/**
 * Pictures of a page as bytes of images that a network takes.
 * @returns u8 [count, height, width, channels]
 * @throws what `decodeSource` and `fitted` throw
 */
export async function imagesOf(
  sources: readonly PictureSource[],
  size: ImageSize,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const length = size.height * size.width * size.channels;
  const images = new Uint8Array(sources.length * length);
  for (const [i, source] of sources.entries()) {
    const name = `${where}, picture ${i}`;
    images.set(fitted(await decodeSource(source, name), size, name).pixels, i * length);
  }
  return images;
}
