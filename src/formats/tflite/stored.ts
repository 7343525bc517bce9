/** Numbers that are stored in a file, decoded by their type. */
import { ownBytes } from '../../bytes.ts';
import { sizeOf } from '../../gpu/index.ts';
import type { TfliteOperator, TfliteTensor } from './container.ts';
import { refused, shapeText } from './refused.ts';
import { TENSOR_TYPE, tensorTypeName } from './schema.ts';

/** A constant: numbers as they are stored, integers among them exact up to 2⁵³. */
export interface Constant {
  readonly shape: readonly number[];
  /** Its number in the schema. */
  readonly type: number;
  readonly data: ArrayLike<number>;
}

const WIDTHS: Readonly<Record<number, number>> = {
  [TENSOR_TYPE.float32]: 4,
  [TENSOR_TYPE.float16]: 2,
  [TENSOR_TYPE.int32]: 4,
  [TENSOR_TYPE.int64]: 8,
  [TENSOR_TYPE.int8]: 1,
  [TENSOR_TYPE.uint8]: 1,
  [TENSOR_TYPE.bool]: 1,
};

/**
 * The numbers of a stored tensor.
 * @param claim told how many there are before they are decoded
 * @throws FormatError for a type that isn't read, and where the bytes are not as many as its shape says
 */
export function decodeConstant(
  operator: TfliteOperator,
  tensor: TfliteTensor,
  claim: (count: number) => void,
): Constant {
  const { data = new Uint8Array(), shape, type, name } = tensor;
  const width = WIDTHS[type];
  if (width === undefined) throw refused(operator, `${name} holds ${tensorTypeName(type)}`);
  if (data.length !== sizeOf(shape) * width) {
    throw refused(
      operator,
      `${name} has ${data.length} bytes for ${shapeText(shape)} ${tensorTypeName(type)}`,
    );
  }
  claim(data.length / width);
  const { buffer } = ownBytes(data);
  switch (type) {
    case TENSOR_TYPE.float32:
      return { shape, type, data: new Float32Array(buffer) };
    case TENSOR_TYPE.float16:
      return { shape, type, data: Float32Array.from(new Uint16Array(buffer), fromHalf) };
    case TENSOR_TYPE.int32:
      return { shape, type, data: new Int32Array(buffer) };
    case TENSOR_TYPE.int64:
      return { shape, type, data: Float64Array.from(new BigInt64Array(buffer), Number) };
    case TENSOR_TYPE.int8:
      return { shape, type, data: new Int8Array(buffer) };
    default:
      return { shape, type, data: new Uint8Array(buffer) };
  }
}

/** A half float of IEEE 754, by its bits. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
