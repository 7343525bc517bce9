/** Numbers on the host, as tensors take them: checked, and converted where nothing can be mistaken; never reinterpreted. */
import { ShapeError } from '../errors.ts';
import { type DType, describe, type Tensor } from './tensor.ts';

/** What people hand in as reals: floats, or numbers that are rounded to them. */
export type Reals = Float32Array | Float64Array | readonly number[];

/** Elements for a tensor: reals for f32, and arrays of the same type for the others. */
export type HostData = Reals | Int32Array | Uint32Array | Uint16Array | Uint8Array | Uint8ClampedArray;

/** The arrays whose elements are those of a tensor. */
const ARRAYS: Readonly<Record<DType, readonly string[]>> = {
  f32: ['Float32Array'],
  i32: ['Int32Array'],
  u32: ['Uint32Array'],
  bits: ['Uint32Array'],
  f16: ['Uint16Array'],
  u8: ['Uint8Array', 'Uint8ClampedArray'],
};

/** The bytes of data for a tensor; of the data's own memory where that can be. @throws ShapeError for another element type */
export function hostDataFor({ dtype, label, shape }: Tensor, data: HostData): Uint8Array<ArrayBuffer> {
  const given = arrayKind(data);
  const own = dtype === 'f32' && !ARRAYS.f32.includes(given) ? toFloats(data, label) : data;
  if (!ArrayBuffer.isView(own) || !ARRAYS[dtype].includes(arrayKind(own))) {
    throw new ShapeError("The data's elements are not those of the tensor.", {
      given,
      expected: `${ARRAYS[dtype].join(' or ')} for ${describe(shape, dtype)}`,
      where: label,
      remedy: 'convert it, or hand in memory as it is with gpu.writeBytes',
    });
  }
  const { buffer, byteOffset, byteLength } = own;
  // Not every queue takes shared memory.
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/**
 * Reals as f32: float32 as it is, float64 and arrays of numbers rounded. Bytes and integers are refused, since they may be
 * pixels, codes or labels, and only who has them knows what reals they stand for.
 * @param remedy for other types
 * @throws ShapeError
 */
export function toFloats(data: unknown, where: string, remedy?: string): Float32Array<ArrayBuffer> {
  const given = arrayKind(data);
  if (given === 'Float32Array') {
    const floats = data as Float32Array;
    return floats.buffer instanceof ArrayBuffer
      ? (floats as Float32Array<ArrayBuffer>)
      : Float32Array.from(floats);
  }
  const isNumbers = Array.isArray(data) && data.every((value) => typeof value === 'number');
  if (given === 'Float64Array' || isNumbers) return Float32Array.from(data as Float64Array | number[]);
  throw new ShapeError('Reals are expected here.', {
    given: Array.isArray(data) ? 'an array of other things than numbers' : given,
    expected: 'a Float32Array, a Float64Array or an array of numbers',
    where,
    remedy: remedy ?? 'convert it to a Float32Array',
  });
}

/** `Float32Array`, `Array`, ...: also of another realm, a frame say. */
function arrayKind(data: unknown): string {
  if (data === null) return 'null';
  return typeof data === 'object' ? Object.prototype.toString.call(data).slice(8, -1) : typeof data;
}
