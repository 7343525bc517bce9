/**
 * Pictures as a network takes them: PNG, JPEG and WebP of any size and colours, decoded, made grey or coloured, and resized.
 * What was done to a picture is said, since how a network's own training images were made decides whether it was right.
 */
import { extname } from 'node:path';
import { BnnError, FormatError } from '../errors.ts';
import { type Decoder, decoderFile, LIBWEBP, MOZJPEG } from './decoders.ts';
import { readFileChecked } from './files.ts';

/** What a network takes. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
  /** 1 for grey, 3 for red, green, blue. */
  readonly channels: number;
}

export interface ReadImage {
  /** u8 [height, width, channels] of the size that was asked for. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** What was done to the picture, in words: `resized from 640 x 480 (area)`, `made grey`. */
  readonly changes: readonly string[];
}

/** Endings of the files that `readImage` reads; what a file is shows in its content. */
export const IMAGE_ENDINGS = ['.png', '.jpg', '.jpeg', '.webp'] as const;

/** More pixels than any camera has: a small file can claim many. */
const MOST_PIXELS = 2 ** 27;

/** Whether bytes are those of a picture that can be read here. */
export function isImage(bytes: Uint8Array): boolean {
  return kindOf(bytes) !== undefined;
}

/** Whether a file's name is one of a picture that can be read here. */
export function hasImageName(path: string): boolean {
  return (IMAGE_ENDINGS as readonly string[]).includes(extname(path).toLowerCase());
}

/**
 * Reads a picture as a network takes it. Colours become grey by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B) and grey is
 * repeated for colours; alpha is left out; sizes change by the mean over areas where they shrink and linearly where they
 * grow, each axis on its own, so that another aspect ratio is stretched. Orientation of photographs (EXIF) is heeded.
 * @throws FormatError for a file that is no picture of a known kind or is damaged; StorageError where it can't be read
 * @example const { pixels, changes } = await readImage('seven.jpg', { height: 28, width: 28, channels: 1 });
 */
export async function readImage(path: string, size: ImageSize): Promise<ReadImage> {
  return decodeImage(await readFileChecked(path), size, path);
}

/** `readImage` of bytes. @param where the file's name, for errors */
export async function decodeImage(
  bytes: Uint8Array<ArrayBuffer>,
  size: ImageSize,
  where = 'image',
): Promise<ReadImage> {
  return fitted(await decodePicture(bytes, where), size, where);
}

/**
 * A picture as it is in its file, without alpha.
 * @throws FormatError for bytes that are no picture of a known kind, or are damaged
 */
export async function decodePicture(bytes: Uint8Array<ArrayBuffer>, where = 'image'): Promise<Picture> {
  const kind = kindOf(bytes);
  if (kind === undefined) {
    throw new FormatError('This is no picture that can be read.', {
      given: `${bytes.length} bytes that begin with ${[...bytes.subarray(0, 8)].join(' ')}`,
      expected: 'PNG, JPEG or WebP',
      where,
      remedy: 'save it as PNG',
    });
  }
  return decoded(kind, bytes, where);
}

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

type Kind = 'PNG' | 'JPEG' | 'WebP';

function kindOf(bytes: Uint8Array): Kind | undefined {
  const begins = (...values: readonly number[]) => values.every((value, at) => bytes[at] === value);
  if (begins(0x89, 0x50, 0x4e, 0x47)) return 'PNG';
  if (begins(0xff, 0xd8, 0xff)) return 'JPEG';
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  return text.startsWith('RIFF') && text.endsWith('WEBP') ? 'WebP' : undefined;
}

async function decoded(kind: Kind, bytes: Uint8Array<ArrayBuffer>, where: string): Promise<Picture> {
  try {
    if (kind === 'PNG') return await decodePng(bytes);
    const { width, height, data } = await (kind === 'JPEG' ? decodeJpeg : decodeWebp)(bytes);
    return withoutAlpha({ width, height, data, channels: 4 });
  } catch (cause) {
    if (cause instanceof BnnError) throw cause;
    throw new FormatError(`This ${kind} image can't be decoded.`, {
      given: cause instanceof Error ? cause.message : messageOf(cause),
      where,
      remedy: 'the file is damaged or cut off: get it again, or save it anew as PNG',
      cause,
    });
  }
}

/** What the compiled decoders throw is an object that is no Error. */
function messageOf(cause: unknown): string {
  const { message } = (typeof cause === 'object' && cause !== null ? cause : {}) as { message?: unknown };
  return typeof message === 'string' ? message : String(cause);
}

async function decodePng(bytes: Uint8Array): Promise<Picture> {
  const { decode } = await import('fast-png');
  // The header comes first; what it claims is checked before anything is unpacked.
  if (bytes.length >= 24) {
    const header = new DataView(bytes.buffer, bytes.byteOffset);
    assertSize(header.getUint32(16), header.getUint32(20));
  }
  const { width, height, data, depth, channels, palette } = decode(bytes, { checkCrc: true });
  assertSize(width, height);
  const values = depth < 8 ? unpacked(data as Uint8Array, width * channels, height, depth) : data;
  if (palette !== undefined) {
    const colours = new Uint8Array(3 * width * height);
    for (let pixel = 0; pixel < width * height; pixel++) {
      const colour = palette[values[pixel] ?? 0] ?? [];
      for (let c = 0; c < 3; c++) colours[3 * pixel + c] = colour[c] ?? 0;
    }
    return { width, height, channels: 3, data: colours };
  }
  // To bytes: 255 is the most of any depth.
  const most = 2 ** depth - 1;
  const bytes8 = depth === 8 ? values : Uint8Array.from(values, (value) => Math.round((255 * value) / most));
  return withoutAlpha({ width, height, data: bytes8, channels });
}

/** Values of less than a byte, the highest bits first; rows begin at bytes. */
function unpacked(data: Uint8Array, perRow: number, rows: number, depth: number): Uint8Array {
  const rowBytes = Math.ceil((perRow * depth) / 8);
  const values = new Uint8Array(perRow * rows);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < perRow; i++) {
      const bit = i * depth;
      const byte = data[row * rowBytes + (bit >> 3)] ?? 0;
      values[row * perRow + i] = (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
    }
  }
  return values;
}

/** RGBA. */
interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

const modules = new Map<string, Promise<WebAssembly.Module>>();

/** A decoder's compiled code, which its package would fetch by URL; compiled once. */
function compiled(wasm: Decoder): Promise<WebAssembly.Module> {
  const known = modules.get(wasm) ?? compile(wasm);
  modules.set(wasm, known);
  return known;
}

async function compile(wasm: Decoder): Promise<WebAssembly.Module> {
  let path: string;
  try {
    path = decoderFile(wasm);
  } catch (cause) {
    throw new FormatError('What decodes such images is not installed here.', {
      expected: wasm,
      remedy: 'save it as PNG',
      cause,
    });
  }
  return WebAssembly.compile(await readFileChecked(path));
}

/** What a decoder would print goes with the error, or nowhere. */
const QUIET = { print: () => {}, printErr: () => {} };

async function decodeJpeg(bytes: Uint8Array<ArrayBuffer>): Promise<Decoded> {
  const { default: decode, init } = await import('@jsquash/jpeg/decode.js');
  // Anew for every file: after one that is damaged the decoder's memory is not what it was.
  await start(init, await compiled(MOZJPEG));
  return decode(bytes as unknown as ArrayBuffer, { preserveOrientation: true });
}

async function decodeWebp(bytes: Uint8Array<ArrayBuffer>): Promise<Decoded> {
  const { default: decode, init } = await import('@jsquash/webp/decode.js');
  await start(init, await compiled(LIBWEBP));
  return decode(bytes as unknown as ArrayBuffer);
}

/** The packages' types leave out the module that their `init` takes. */
async function start(init: unknown, module: WebAssembly.Module): Promise<void> {
  await (init as (module: WebAssembly.Module, options: object) => Promise<void>)(module, QUIET);
}

function assertSize(width: number, height: number): void {
  if (width * height <= MOST_PIXELS) return;
  throw new FormatError('This picture is too large.', {
    given: `${width} x ${height}`,
    expected: `at most ${MOST_PIXELS} pixels`,
  });
}

/** Grey, grey with alpha, colour or colour with alpha, without the alpha. */
function withoutAlpha(picture: Decoded & { readonly channels: number }): Picture {
  const { width, height, data, channels } = picture;
  assertSize(width, height);
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
