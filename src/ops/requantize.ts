/** Rounding to the integers of 8-bit tensors. The formula stands in `src/reference/requantize.ts`. */
import { OptionError } from '../errors.ts';
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import { requantize as requantizeKernel } from '../kernels/inference.ts';
import type { IntegerRange } from '../numerics/integers.ts';
import { assertDType, assertFloats, type OutOption, resultTensor } from './checks.ts';

export type { IntegerRange };

/**
 * clamp(round(x·scale + shift), minimum, maximum) − zeroPoint, by channel, halves away from zero: what TensorFlow Lite
 * makes of an int32 sum on its way to an int8 tensor. Integers are f32, exact below 2²⁴.
 * @param x f32 [..., C]
 * @param options.scale f32 [C]
 * @param options.shift f32 [C]
 * @returns f32 [..., C]
 * @throws ShapeError; OptionError unless the range is made of integers, the least first
 */
export function requantize(
  b: ProgramBuilder,
  x: Tensor,
  options: OutOption & IntegerRange & { readonly scale: Tensor; readonly shift: Tensor },
): Tensor {
  const where = 'requantize';
  const { scale, shift, minimum, maximum, zeroPoint } = options;
  assertRange({ minimum, maximum, zeroPoint }, where);
  assertDType(x, 'f32', where);
  const CHANNELS = x.shape.at(-1) ?? 1;
  for (const parameter of [scale, shift]) assertFloats(parameter, [CHANNELS], where);
  const y = resultTensor(b, where, x.shape, 'f32', options.out);
  b.dispatch(
    requantizeKernel,
    { x, scale, shift, y },
    { ROWS: x.size / CHANNELS, CHANNELS, LOW: minimum, HIGH: maximum, OFFSET: zeroPoint },
  );
  return y;
}

/** @throws OptionError unless the range is made of integers, the least first */
export function assertRange({ minimum, maximum, zeroPoint }: IntegerRange, where: string): void {
  if (![minimum, maximum, zeroPoint].every(Number.isSafeInteger) || minimum > maximum) {
    throw new OptionError('A range of integers goes from its minimum to its maximum.', {
      given: `minimum = ${minimum}, maximum = ${maximum}, zeroPoint = ${zeroPoint}`,
      where,
    });
  }
}
