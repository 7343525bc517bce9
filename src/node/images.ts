/** Pictures of files as a network takes them: PNG, JPEG and WebP of any size and colours. */
import { BnnError, FormatError } from '../errors.ts';
import {
  assertPixels,
  type Decoded,
  fitted,
  type ImageSize,
  type Picture,
  type ReadImage,
  withoutAlpha,
} from '../pictures.ts';
import { type Decoder, decoderFile, LIBWEBP, MOZJPEG } from './decoders.ts';
import { readFileChecked } from './files.ts';

/** Whether bytes are those of a picture that can be read here. */
export function isImage(bytes: Uint8Array): boolean {
  return kindOf(bytes) !== undefined;
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
    assertPixels(header.getUint32(16), header.getUint32(20));
  }
  const { width, height, data, depth, channels, palette } = decode(bytes, { checkCrc: true });
  assertPixels(width, height);
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
