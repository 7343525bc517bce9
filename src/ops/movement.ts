/** Values that only move. What goes where stands in `src/reference/movement.ts`. */
import { OptionError } from '../errors.ts';
import type { ProgramBuilder, Shape, Tensor } from '../gpu/index.ts';
import { pad as padKernel, permute as permuteKernel } from '../kernels/movement.ts';
import { stridesOf } from '../reference/movement.ts';
import { extentConstants, fiveOf } from './axes.ts';
import { assertDType } from './checks.ts';
import { assertRank4 } from './windows.ts';

/** Pixels around an image. */
export type Frame = readonly [
  vertical: readonly [top: number, bottom: number],
  horizontal: readonly [left: number, right: number],
];

/** @throws OptionError unless every axis from 0 to `rank` − 1 is named once */
export function assertPermutation(permutation: readonly number[], rank: number, where: string): void {
  const inOrder = Array.isArray(permutation) ? [...permutation].sort((a, b) => a - b) : [];
  if (inOrder.length !== rank || inOrder.some((axis, index) => axis !== index)) {
    throw new OptionError('A permutation names every axis once.', {
      given: JSON.stringify(permutation),
      expected: `0 to ${rank - 1}, in any order`,
      where,
    });
  }
}

/**
 * A tensor f32 of up to five axes with its axes in another order: axis i of the result is axis `permutation[i]` of x.
 * @throws ShapeError, OptionError
 */
export function permute(b: ProgramBuilder, x: Tensor, permutation: readonly number[]): Tensor {
  assertDType(x, 'f32', 'permute');
  assertPermutation(permutation, x.shape.length, 'permute');
  const strides = stridesOf(x.shape);
  const shape = permutation.map((axis) => x.shape[axis] ?? 1);
  const y = b.transient('permuted', shape, 'f32');
  const extents = extentConstants(shape, 'permute');
  const steps = fiveOf(
    permutation.map((axis) => strides[axis] ?? 1),
    0,
  );
  const [STRIDE_0 = 0, STRIDE_1 = 0, STRIDE_2 = 0, STRIDE_3 = 0, STRIDE_4 = 0] = steps;
  b.dispatch(
    permuteKernel,
    { x, y },
    { SIZE: x.size, ...extents, STRIDE_0, STRIDE_1, STRIDE_2, STRIDE_3, STRIDE_4 },
  );
  return y;
}

/** @throws OptionError unless the frame is made of whole pixels and the value is a finite number */
export function assertFrame(frame: Frame, value: number, where: string): void {
  const pixels = Array.isArray(frame) ? frame.flat() : [];
  if (
    pixels.length !== 4 ||
    !pixels.every((count) => Number.isSafeInteger(count) && count >= 0) ||
    !Number.isFinite(value)
  ) {
    throw new OptionError('This frame is unknown.', {
      given: `${JSON.stringify(frame)} of ${value}`,
      expected: '[[top, bottom], [left, right]] in whole pixels, of a finite number',
      where,
    });
  }
}

/** The shape [..., height, width, channels] with a frame around it. */
export function framedShape(shape: Shape, [[top, bottom], [left, right]]: Frame): Shape {
  const [height = 1, width = 1, channels = 1] = shape.slice(-3);
  return [...shape.slice(0, -3), height + top + bottom, width + left + right, channels];
}

/** Images f32 [n, height, width, channels] with `value` around them. @throws ShapeError, OptionError */
export function pad2d(b: ProgramBuilder, x: Tensor, frame: Frame, value: number): Tensor {
  assertDType(x, 'f32', 'pad2d');
  assertRank4(x.shape, 'n, height, width, channels', 'pad2d');
  assertFrame(frame, value, 'pad2d');
  const shape = framedShape(x.shape, frame);
  const y = b.transient('padded', shape, 'f32');
  const [, HEIGHT = 1, WIDTH = 1, CHANNELS = 1] = x.shape;
  const [, OUT_HEIGHT = 1, OUT_WIDTH = 1] = shape;
  const [[TOP], [LEFT]] = frame;
  b.dispatch(
    padKernel,
    { x, y },
    { SIZE: y.size, HEIGHT, WIDTH, CHANNELS, OUT_HEIGHT, OUT_WIDTH, TOP, LEFT, VALUE: value },
  );
  return y;
}
