/** Networks that others trained, found by path: an ONNX file, or a parameter folder of BNN-PYNQ. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError } from '../errors.ts';
import { importOnnx } from '../formats/onnx.ts';
import { type Model, type ParameterValues, readBnnPynq } from '../index.ts';
import { readFileChecked } from '../node/index.ts';

export const PIXEL_RANGES = ['0:1', '0:255', '-1:1'] as const;
export type PixelRange = (typeof PIXEL_RANGES)[number];

export interface ImportedNetwork {
  readonly format: 'ONNX' | 'BNN-PYNQ';
  readonly model: Model;
  readonly values: ParameterValues;
  /** Undefined where the file doesn't name its classes. */
  readonly classes: readonly string[] | undefined;
  /** Nodes of the file that became a scale, a threshold or nothing. */
  readonly folded: readonly string[];
  /** Bytes of NHWC images to what the model takes. */
  prepare(pixels: Uint8Array<ArrayBuffer>, range: PixelRange): Float32Array<ArrayBuffer>;
}

/** @throws StorageError when there is nothing at this path; FormatError when it is no network */
export async function readImported(path: string): Promise<ImportedNetwork> {
  if (await isFolder(path)) {
    const names = (await readdir(path)).filter((name) => /\.(bin|txt)$/.test(name));
    const contents = await Promise.all(names.map((name) => readFileChecked(join(path, name))));
    const network = readBnnPynq(
      new Map(names.map((name, index) => [name, contents[index] ?? new Uint8Array()])),
    );
    return { ...network, format: 'BNN-PYNQ', folded: [], prepare: (pixels) => network.prepare(pixels) };
  }
  const { model, values, folded } = importOnnx(await readFileChecked(path));
  return { format: 'ONNX', model, values, folded, classes: undefined, prepare: scaled };
}

function scaled(pixels: Uint8Array<ArrayBuffer>, range: PixelRange): Float32Array<ArrayBuffer> {
  const convert = {
    '0:1': (byte: number) => byte / 255,
    '0:255': (byte: number) => byte,
    '-1:1': (byte: number) => (2 * byte) / 255 - 1,
  }[range];
  return Float32Array.from(pixels, convert);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new StorageError('There is no such model.', {
      given: path,
      expected: 'an .onnx file, or a BNN-PYNQ folder',
      where: 'model',
      cause,
    });
  }
}
