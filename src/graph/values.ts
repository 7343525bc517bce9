/** Values of parameters on the host: reals as floats, binary weights as latent reals or as packed signs. */
import { FormatError, ShapeError } from '../errors.ts';
import { byteLengthOf, describe, type Shape, sizeOf } from '../gpu/index.ts';
import type { ParameterSpec } from '../layers/index.ts';
import { packSigns, unpackSigns } from '../numerics/pack.ts';

/** The signs of a binary parameter, one bit each. */
export interface PackedSigns {
  /** LSB first along the last axis, bit 1 = −1; every row starts a new word, and the tail bits of its last one are 0. */
  readonly words: Uint32Array;
  /** Of the parameter, in signs: filters are OHWI, dense kernels [units, inputs]. */
  readonly shape: Shape;
}

/** Binary parameters are their latent weights, or the packed signs of them. */
export type ParameterValue = Float32Array | PackedSigns;

/** By `layer/parameter`. */
export type ParameterValues = ReadonlyMap<string, ParameterValue>;

/** Whether a value of a parameter is packed signs. */
export function isPacked(value: ParameterValue): value is PackedSigns {
  return !(value instanceof Float32Array);
}

/**
 * The signs of a binary parameter's value; zero of either sign counts as +1. Packed ones are handed through.
 * @param shape of the parameter
 * @param quantizer of the parameter
 * @throws ShapeError unless the value has the parameter's shape; FormatError for latent weights whose quantizer takes the
 *   signs of something else, which only a GPU computes
 */
export function packedValue(
  value: ParameterValue,
  shape: Shape,
  where: string,
  quantizer?: ParameterSpec['quantizer'],
): PackedSigns {
  assertFits(value, shape, where);
  if (isPacked(value)) return value;
  if (quantizer?.row?.hasArgument === true) {
    throw new FormatError('The signs of these weights are not those of their latent weights.', {
      given: `latent weights, and the quantizer ${quantizer.name}`,
      expected: 'packed signs',
      where,
      remedy:
        'take the values from network.packedValues(), or load them into a network and take them from there',
    });
  }
  const channels = shape.at(-1) ?? 1;
  return { words: packSigns(value, sizeOf(shape) / channels, channels), shape };
}

/**
 * A parameter's value as floats: packed signs become ±1.
 * @param shape of the parameter
 * @throws ShapeError unless the value has this shape
 */
export function floatValue(value: PackedSigns, shape: Shape, where: string): Float32Array<ArrayBuffer>;
export function floatValue(value: ParameterValue, shape: Shape, where: string): Float32Array;
export function floatValue(value: ParameterValue, shape: Shape, where: string): Float32Array {
  assertFits(value, shape, where);
  if (!isPacked(value)) return value;
  const channels = shape.at(-1) ?? 1;
  return Float32Array.from(unpackSigns(value.words, sizeOf(shape) / channels, channels));
}

/**
 * What `Network.hash` gives for a network with these values, that may be trained.
 * @returns undefined where signs follow from latent weights in a way that only a GPU computes
 */
export async function hashOfValues(
  {
    layers,
  }: { readonly layers: readonly { readonly name: string; readonly parameters: readonly ParameterSpec[] }[] },
  values: ReadonlyMap<string, Float32Array>,
): Promise<string | undefined> {
  const parts: BlobPart[] = [];
  for (const { name, parameters } of layers) {
    for (const { name: own, shape, role, quantizer } of parameters) {
      const value = Float32Array.from(values.get(`${name}/${own}`) ?? []);
      if (quantizer?.row?.hasArgument === true) return undefined;
      parts.push(value);
      const channels = shape.at(-1) ?? 1;
      if (role === 'binary') parts.push(packSigns(value, value.length / channels, channels));
    }
  }
  return digestOf(parts);
}

/** SHA-256 of bytes, as 64 hexadecimal digits. */
export async function digestOf(parts: BlobPart[]): Promise<string> {
  const bytes = await new Blob(parts).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @throws ShapeError unless the value is one of this parameter: as many elements, signs for a binary one only, and
 *   zeros after the last sign of a row
 */
export function assertValue(value: ParameterValue, spec: ParameterSpec, where: string): void {
  assertFits(value, spec.shape, where);
  if (!isPacked(value)) return;
  if (spec.role !== 'binary') {
    throw new ShapeError('Packed signs are given for a parameter that is not binary.', {
      given: 'packed signs',
      expected: describe(spec.shape, 'f32'),
      where,
    });
  }
  const channels = spec.shape.at(-1) ?? 1;
  const rowWords = Math.ceil(channels / 32);
  const tail = channels % 32 === 0 ? 0 : (-1 << (channels & 31)) >>> 0;
  if (tail === 0) return;
  for (let last = rowWords - 1; last < value.words.length; last += rowWords) {
    if (((value.words[last] ?? 0) & tail) !== 0) {
      throw new ShapeError('Packed signs have bits after the end of a row.', {
        given: `row ${(last + 1) / rowWords - 1}`,
        expected: `zeros after ${channels} signs`,
        where,
      });
    }
  }
}

function assertFits(value: ParameterValue, shape: Shape, where: string): void {
  const isReal = value instanceof Float32Array;
  const isSigns = !isReal && value?.words instanceof Uint32Array && Array.isArray(value.shape);
  if (!isReal && !isSigns) {
    throw new ShapeError("A parameter's value is neither reals nor packed signs.", {
      given: Object.prototype.toString.call(value).slice(8, -1),
      expected: `a Float32Array, or { words: Uint32Array, shape } of signs, for ${describe(shape)}`,
      where,
      remedy: 'make a Float32Array of other numbers',
    });
  }
  const fits = isPacked(value)
    ? value.words.byteLength === byteLengthOf(shape, 'bits') && describe(value.shape) === describe(shape)
    : value.length === sizeOf(shape);
  if (fits) return;
  throw new ShapeError('A parameter has another size in the model.', {
    given: isPacked(value)
      ? `${value.words.length} words of signs for ${describe(value.shape)}`
      : `${value.length} values`,
    expected: describe(shape),
    where,
  });
}
