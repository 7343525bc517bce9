/** Values that only move. What goes where stands in `src/numerics/axes.ts`. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, sizeOf, type Tensor } from '../gpu/index.ts';
import {
  pad as padKernel,
  permute as permuteKernel,
  sliceGrad as sliceGradKernel,
  slice as sliceKernel,
} from '../kernels/movement.ts';
import { type SliceRange, stridesOf } from '../numerics/axes.ts';
import { extentConstants, fiveOf } from './axes.ts';
import { assertDType, assertFloats } from './checks.ts';
import { assertRank4 } from './windows.ts';

export type { SliceRange };

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

/** @throws OptionError unless begins are whole, sizes at least 1 and strides not 0, as many of each as axes */
export function assertSliceRange({ begin, size, strides }: SliceRange, where: string): void {
  const lists = [begin, size, strides];
  const areWhole = lists.every((list) => Array.isArray(list) && list.every(Number.isSafeInteger));
  if (
    !areWhole ||
    lists.some((list) => list.length !== size.length) ||
    size.some((extent) => extent < 1) ||
    begin.some((first) => first < 0) ||
    strides.includes(0)
  ) {
    throw new OptionError('There is no such slice.', {
      given: JSON.stringify({ begin, size, strides }),
      expected: 'begin (0 or more), size (1 or more) and strides (not 0) of every axis, in whole numbers',
      where,
    });
  }
}

/** @throws ShapeError unless the whole slice lies in this shape */
export function assertInside(shape: Shape, { begin, size, strides }: SliceRange, where: string): void {
  const isInside = shape.every((extent, axis) => {
    const first = begin[axis] ?? 0;
    const last = first + ((size[axis] ?? 1) - 1) * (strides[axis] ?? 1);
    return first < extent && last >= 0 && last < extent;
  });
  if (isInside && shape.length === size.length) return;
  throw new ShapeError('The slice reaches out of its input.', {
    given: `${JSON.stringify({ begin, size, strides })} of ${describe(shape)}`,
    expected: 'places inside, on every axis',
    where,
  });
}

/**
 * `size` places of each axis of x f32, every `strides`-th (backwards where negative), from `begin` on; five axes at most.
 * @throws ShapeError, OptionError
 */
export function slice(b: ProgramBuilder, x: Tensor, range: SliceRange): Tensor {
  assertDType(x, 'f32', 'slice');
  assertSliceRange(range, 'slice');
  assertInside(x.shape, range, 'slice');
  const y = b.transient('slice', range.size, 'f32');
  const elements = stridesOf(x.shape);
  const first = range.begin.reduce((sum, begin, axis) => sum + begin * (elements[axis] ?? 1), 0);
  // Steps back wrap around, as the kernel's sums do.
  const steps = fiveOf(
    range.strides.map((stride, axis) => (stride * (elements[axis] ?? 1)) >>> 0),
    0,
  );
  const [STRIDE_0 = 0, STRIDE_1 = 0, STRIDE_2 = 0, STRIDE_3 = 0, STRIDE_4 = 0] = steps;
  b.dispatch(
    sliceKernel,
    { x, y },
    {
      ...{ SIZE: y.size, FIRST: first, ...extentConstants(range.size, 'slice') },
      ...{ STRIDE_0, STRIDE_1, STRIDE_2, STRIDE_3, STRIDE_4 },
    },
  );
  return y;
}

/**
 * Gradient of `slice` with respect to x, of a slice that takes all of the first axis.
 * @param shape of x
 * @throws ShapeError, OptionError
 */
export function sliceGrad(b: ProgramBuilder, gradOutput: Tensor, shape: Shape, range: SliceRange): Tensor {
  assertSliceRange(range, 'sliceGrad');
  assertInside(shape, range, 'sliceGrad');
  assertFloats(gradOutput, range.size, 'sliceGrad');
  const out = b.transient('gradient of slice', shape, 'f32');
  const [, BEGIN_1 = 0, BEGIN_2 = 0, BEGIN_3 = 0, BEGIN_4 = 0] = fiveOf(range.begin, 0);
  const [, STEP_1 = 1, STEP_2 = 1, STEP_3 = 1, STEP_4 = 1] = fiveOf(range.strides, 1);
  const [, TAKEN_1 = 1, TAKEN_2 = 1, TAKEN_3 = 1, TAKEN_4 = 1] = fiveOf(range.size, 1);
  b.dispatch(
    sliceGradKernel,
    { g: gradOutput, out },
    {
      ...{ SIZE: sizeOf(shape), ...extentConstants(shape, 'sliceGrad') },
      ...{ BEGIN_1, BEGIN_2, BEGIN_3, BEGIN_4, STEP_1, STEP_2, STEP_3, STEP_4 },
      ...{ TAKEN_1, TAKEN_2, TAKEN_3, TAKEN_4 },
    },
  );
  return out;
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
