/** The integers that uniform quantizers give. */
import { type RoundingMode, roundBy } from './rounding.ts';

/** The integers of a uniform quantizer. */
export interface Grid {
  /** Bits of an integer. */
  readonly bits: number;
  /** Whether there are negative ones. */
  readonly signed: boolean;
  /** Leaves away the lowest integer of signed ones, the highest of others. */
  readonly narrow: boolean;
}

/** Least and largest integer: of 8 bits [−128, 127], narrow [−127, 127]; unsigned [0, 255], narrow [0, 254]. */
export function gridRange({ bits, signed, narrow }: Grid): readonly [low: number, high: number] {
  if (signed) return [-(2 ** (bits - 1)) + (narrow ? 1 : 0), 2 ** (bits - 1) - 1];
  return [0, 2 ** bits - (narrow ? 2 : 1)];
}

/**
 * (round(clamp(x/scale + zeroPoint)) − zeroPoint)·scale by channel (QONNX `Quant`).
 * @param integers leaves the last multiplication away
 */
export function quantize(
  x: ArrayLike<number>,
  scale: ArrayLike<number>,
  zeroPoint: ArrayLike<number>,
  grid: Grid & { readonly rounding: RoundingMode; readonly integers?: boolean },
): Float64Array<ArrayBuffer> {
  const [low, high] = gridRange(grid);
  const channels = scale.length;
  return Float64Array.from(x, (value, i) => {
    const [step, zero] = [scale[i % channels] ?? 1, zeroPoint[i % channels] ?? 0];
    const inside = Math.min(high, Math.max(low, value / step + zero));
    const integer = roundBy(grid.rounding, inside) - zero;
    return grid.integers ? integer : integer * step;
  });
}

/** Where the integers of a tensor lie. */
export interface IntegerRange {
  /** Least and largest integer; what lies outside is saturated. */
  readonly minimum: number;
  /** Largest integer. */
  readonly maximum: number;
  /** Taken from the result, so that a quantized zero is 0. */
  readonly zeroPoint: number;
}
