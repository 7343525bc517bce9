/** Rounding to the integers of 8-bit tensors, as TensorFlow Lite and Larq Compute Engine do it. */
import type { IntegerRange } from '../numerics/integers.ts';
import { roundBy } from '../numerics/rounding.ts';

/**
 * clamp(round(x·scale + shift), minimum, maximum) − zeroPoint, by channel; halves go away from zero (`std::round`).
 * @param x [rows, channels]
 * @param scale [channels]
 * @param shift [channels]
 */
export function requantize(
  x: ArrayLike<number>,
  scale: ArrayLike<number>,
  shift: ArrayLike<number>,
  { minimum, maximum, zeroPoint }: IntegerRange,
): Float64Array<ArrayBuffer> {
  const channels = scale.length;
  return Float64Array.from(x, (value, i) => {
    const integer = roundBy(
      'halfAwayFromZero',
      value * (scale[i % channels] ?? 0) + (shift[i % channels] ?? 0),
    );
    return Math.min(maximum, Math.max(minimum, integer)) - zeroPoint;
  });
}
