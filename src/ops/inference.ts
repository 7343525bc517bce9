/** Thresholds and per-channel scales. The formulas stand in `src/reference/inference.ts`. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { affine as affineKernel, threshold as thresholdKernel } from '../kernels/inference.ts';
import { assertDType, assertFloats, type OutOption, resultTensor } from './checks.ts';

/**
 * Compares every channel with its threshold: +1 (bit 0) where direction·x ≥ threshold, else −1 (bit 1). Exact for
 * integers below 2²⁴.
 * @param x f32 or i32 [..., C]
 * @param options.direction f32 [C]: 1 (at least), −1 (at most −threshold) or 0 (constant)
 * @param options.threshold f32 [C]
 * @returns bits [..., C]
 * @throws ShapeError
 */
export function threshold(
  b: ProgramBuilder,
  x: Tensor,
  options: OutOption & { readonly direction: Tensor; readonly threshold: Tensor },
): Tensor {
  const where = 'threshold';
  if (x.dtype !== 'f32' && x.dtype !== 'i32') {
    throw new ShapeError('Thresholds are for numbers.', {
      given: `${x.label}: ${describe(x.shape, x.dtype)}`,
      expected: 'f32 or i32',
      where,
    });
  }
  const CHANNELS = x.shape.at(-1) ?? 1;
  for (const parameter of [options.direction, options.threshold]) assertFloats(parameter, [CHANNELS], where);
  const bits = resultTensor(b, where, x.shape, 'bits', options.out);
  b.dispatch(
    thresholdKernel,
    { x, direction: options.direction, threshold: options.threshold, bits },
    { ROWS: x.size / CHANNELS, CHANNELS, INTEGER: x.dtype === 'i32' ? 1 : 0 },
  );
  return bits;
}

/**
 * x·scale + shift, by channel.
 * @param x f32 [..., C]
 * @param options.scale f32 [C]
 * @param options.shift f32 [C]
 * @returns f32 [..., C]
 * @throws ShapeError
 */
export function affine(
  b: ProgramBuilder,
  x: Tensor,
  options: OutOption & { readonly scale: Tensor; readonly shift: Tensor },
): Tensor {
  const where = 'affine';
  assertDType(x, 'f32', where);
  const CHANNELS = x.shape.at(-1) ?? 1;
  const { scale, shift } = options;
  for (const parameter of [scale, shift]) assertFloats(parameter, [CHANNELS], where);
  const y = resultTensor(b, where, x.shape, 'f32', options.out);
  b.dispatch(affineKernel, { x, scale, shift, y }, { ROWS: x.size / CHANNELS, CHANNELS });
  return y;
}
