/** How windows lie on images: what convolutions and pooling share. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type Shape } from '../gpu/index.ts';
import { type AxisWindows, type Padding, placeWindows } from '../numerics/windows.ts';

/** A number for both axes, or one each. */
export type PerAxis = number | readonly [y: number, x: number];

/**
 * Places the windows of both axes, for convolutions and pooling.
 * @throws OptionError for a padding that isn't one; ShapeError where a window is larger than the padded image
 */
export function resolvePlaces(
  size: readonly [number, number],
  window: readonly [number, number],
  stride: readonly [number, number],
  dilation: readonly [number, number],
  padding: Padding,
  where: string,
): [vertical: AxisWindows, horizontal: AxisWindows] {
  const explicit = padding !== 'valid' && padding !== 'same';
  if (explicit) {
    const amounts = Array.isArray(padding) ? padding.flat() : [];
    if (amounts.length !== 4 || !amounts.every((pixels) => Number.isSafeInteger(pixels) && pixels >= 0)) {
      throw new OptionError('This padding is unknown.', {
        given: JSON.stringify(padding),
        expected: "'valid', 'same' or [[top, bottom], [left, right]] in whole pixels",
        where,
      });
    }
  }
  const places = ([0, 1] as const).map((axis) =>
    placeWindows(size[axis], window[axis], stride[axis], dilation[axis], explicit ? padding[axis] : padding),
  );
  const [vertical, horizontal] = places;
  if (vertical === undefined || horizontal === undefined || vertical.out < 1 || horizontal.out < 1) {
    throw new ShapeError('The window is larger than the image.', {
      given: `a window of ${window.join(' x ')} with dilation ${dilation.join(' x ')} on ${size.join(' x ')} pixels`,
      where,
      remedy: "pad the image (padding: 'same'), or use a smaller window",
    });
  }
  return [vertical, horizontal];
}

/** One number for both axes, or two; positive integers. @throws OptionError */
export function positivePair(
  value: number | readonly [number, number],
  name: string,
  where: string,
): readonly [y: number, x: number] {
  const pair = typeof value === 'number' ? ([value, value] as const) : value;
  if (pair.length !== 2 || !pair.every((extent) => Number.isSafeInteger(extent) && extent > 0)) {
    throw new OptionError(`The option ${name} is a positive integer, or two of them.`, {
      given: JSON.stringify(value),
      where,
    });
  }
  return pair;
}

/** @throws ShapeError unless the shape has four positive extents */
export function assertRank4(shape: Shape, axes: string, where: string): Shape {
  if (shape.length !== 4 || !shape.every((extent) => Number.isSafeInteger(extent) && extent > 0)) {
    throw new ShapeError('This tensor has four axes.', {
      given: describe(shape),
      expected: `[${axes}]`,
      where,
    });
  }
  return shape;
}
