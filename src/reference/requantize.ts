/** Rounding to the integers of 8-bit tensors, as TensorFlow Lite and Larq Compute Engine do it. */

/** Where the integers of a tensor lie. */
export interface IntegerRange {
  /** Least and largest integer; what lies outside is saturated. */
  readonly minimum: number;
  readonly maximum: number;
  /** Taken from the result, so that a quantized zero is 0. */
  readonly zeroPoint: number;
}

/** The nearest integer; halves go away from zero (`std::round`). */
export function roundAway(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value));
}

/**
 * clamp(round(x·scale + shift), minimum, maximum) − zeroPoint, by channel.
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
    const integer = roundAway(value * (scale[i % channels] ?? 0) + (shift[i % channels] ?? 0));
    return Math.min(maximum, Math.max(minimum, integer)) - zeroPoint;
  });
}
