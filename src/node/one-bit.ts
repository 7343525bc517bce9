/** Files of weights with one bit each: a model's tensors as Q1_0 of GGUF, a piece at a time. */
import { basename, extname } from 'node:path';
import { FormatError, OptionError, StorageError } from '../errors.ts';
import { encodeGgufValue, type GgufHeader, ggufPrefix } from '../formats/gguf.ts';
import { encodeQ1, GGUF_TYPES, type GgufType } from '../formats/gguf-types.ts';
import { sizeOf } from '../gpu/index.ts';
import { npx } from '../npx.ts';
import { writeAt, writeFileAtomic } from './files.ts';
import { MEASURED_TYPES, openGguf, openModel, readNumbers, type StoredTensor } from './tensors.ts';

/** A tensor of the file that is written. */
export interface WrittenTensor {
  readonly name: string;
  /** Type in the file that was read. */
  readonly from: string;
  /** Q1_0, or the type that it had. */
  readonly dtype: GgufType;
  readonly shape: readonly number[];
}

/** What was written, and what was not. */
export interface OneBitFile {
  readonly tensors: readonly WrittenTensor[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  /** Of the whole file. */
  readonly bytes: number;
}

const { block: GROUP, bytes: GROUP_BYTES } = GGUF_TYPES.Q1_0;
/** Elements that are encoded at once, and bytes that are copied. */
const PIECE = 2 ** 18;
/** Axes that tensors of GGUF have at most. */
const MOST_AXES = 4;
/** Values that are no longer true, or are said anew. */
const SAID_ANEW = /^(general\.(alignment|file_type|quantization_version)|split\..*)$/;
/** llama.cpp's number of files that are mostly Q1_0, and of how its types are quantized. */
const NEW_VALUES = { 'general.file_type': 40, 'general.quantization_version': 2 };

/**
 * Writes the tensors of a model with one bit a weight and a scale for each 128 along a row. Tensors of fewer than two axes, those whose
 * rows are not made of groups of 128, and those that are no reals stay as they are; values of a GGUF file go along. The file is written
 * whole or not at all.
 * @param path what `openModel` reads
 * @param options.verify reads the file back before it takes its name, and compares all of it; default true
 * @throws StorageError, FormatError; OptionError where no tensor would have one bit a weight
 */
export async function writeOneBit(
  path: string,
  out: string,
  options: { readonly verify?: boolean | undefined } = {},
): Promise<OneBitFile> {
  const model = await openModel(path);
  try {
    const { planned, leftOut } = planOf(model.tensors, path);
    const tensors = planned.map(({ tensor: { name, entry }, dtype }) => {
      return { name, from: entry.dtype, dtype, shape: entry.shape };
    });
    const { prefix, begins, size } = ggufPrefix(tensors, await valuesOf(model.tensors, path));
    await writeFileAtomic(
      out,
      '',
      async (file) => {
        await writeAt(file, prefix, 0);
        // Zeros up to the end, so that the last tensor is padded, too.
        await writeAt(file, new Uint8Array(1), size - 1);
        for (const [index, one] of planned.entries()) {
          for await (const [at, bytes] of piecesOf(one))
            await writeAt(file, bytes, (begins[index] ?? 0) + at);
        }
      },
      options.verify === false ? undefined : (written) => assertWritten(written, out, planned),
    );
    return { tensors, leftOut, bytes: size };
  } finally {
    await model.close();
  }
}

interface Planned {
  readonly tensor: StoredTensor;
  readonly dtype: GgufType;
}

function planOf(tensors: readonly StoredTensor[], path: string) {
  const planned: Planned[] = [];
  const leftOut: { name: string; reason: string }[] = [];
  for (const tensor of tensors) {
    const { dtype, shape } = tensor.entry;
    const isReal = MEASURED_TYPES.includes(dtype) && sizeOf(shape) > 0;
    if (shape.length > MOST_AXES) {
      leftOut.push({ name: tensor.name, reason: `more than ${MOST_AXES} axes` });
    } else if (isReal && shape.length >= 2 && (shape.at(-1) ?? 0) % GROUP === 0) {
      planned.push({ tensor, dtype: 'Q1_0' });
    } else if (Object.hasOwn(GGUF_TYPES, dtype)) {
      planned.push({ tensor, dtype: dtype as GgufType });
    } else {
      leftOut.push({ name: tensor.name, reason: `GGUF has no ${dtype}` });
    }
  }
  if (planned.some(({ dtype }) => dtype === 'Q1_0')) return { planned, leftOut };
  throw new OptionError('There is no tensor to write with one bit a weight.', {
    given: `${tensors.length} tensors`,
    expected: `one of two axes or more, whose rows are multiples of ${GROUP}`,
    where: path,
    remedy: `see what groups of other sizes would do: ${npx(`geometry ${path} --groups`)}`,
  });
}

/** What the file says of itself: what the one that was read says, as far as that is still true. */
async function valuesOf(tensors: readonly StoredTensor[], path: string): Promise<Uint8Array<ArrayBuffer>[]> {
  const values: Uint8Array<ArrayBuffer>[] = [];
  const [first] = tensors;
  const ranges =
    first !== undefined && 'ranges' in first.file.header
      ? (first.file.header as GgufHeader).ranges
      : undefined;
  for (const [key, [begin, end]] of ranges ?? []) {
    if (first !== undefined && !SAID_ANEW.test(key)) values.push(await first.file.readHead(begin, end));
  }
  const own = { 'general.architecture': 'unknown', 'general.name': basename(path, extname(path)) };
  const said = Object.entries({ ...(ranges === undefined ? own : {}), ...NEW_VALUES });
  return [...values, ...said.map(([key, value]) => encodeGgufValue(key, value))];
}

/** A tensor's bytes as they are written, with their places. */
async function* piecesOf({
  tensor,
  dtype,
}: Planned): AsyncGenerator<[at: number, bytes: Uint8Array<ArrayBuffer>]> {
  const { entry, file, name } = tensor;
  if (dtype === entry.dtype) {
    const size = entry.end - entry.begin;
    for (let at = 0; at < size; at += PIECE) {
      yield [at, await file.read(entry, at, new Uint8Array(Math.min(PIECE, size - at)))];
    }
    return;
  }
  const count = sizeOf(entry.shape);
  for (let first = 0; first < count; first += PIECE) {
    const values = await readNumbers(tensor, first, Math.min(PIECE, count - first));
    yield [(first / GROUP) * GROUP_BYTES, encodeQ1(values, `${file.path}: ${name}`)];
  }
}

/** @throws FormatError, StorageError unless the file holds what it was to hold */
async function assertWritten(written: string, out: string, planned: readonly Planned[]): Promise<void> {
  const file = await openGguf(written);
  try {
    for (const one of planned) {
      const { name, entry } = one.tensor;
      const found = file.header.entries.get(name);
      if (found?.dtype !== one.dtype || found.shape.join() !== entry.shape.join()) {
        throw new FormatError('The file that was written lists another tensor; it was removed.', {
          given: found === undefined ? 'none' : `${found.dtype} [${found.shape.join(', ')}]`,
          expected: `${one.dtype} [${entry.shape.join(', ')}]`,
          where: `${out}: ${name}`,
        });
      }
      for await (const [at, bytes] of piecesOf(one)) {
        const back = await file.read(found, at, new Uint8Array(bytes.length));
        if (back.every((byte, i) => byte === bytes[i])) continue;
        throw new StorageError('The file on the disk is not what was written; it was removed.', {
          given: `other bytes from ${at} on`,
          where: `${out}: ${name}`,
          remedy: 'try again, on another disk',
        });
      }
    }
  } finally {
    await file.close();
  }
}
