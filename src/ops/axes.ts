/** Axes as the kernels that walk over them take them: five, the missing ones in front and 1 long. */
import { ShapeError } from '../errors.ts';
import { describe, type Shape } from '../gpu/index.ts';

export const MOST_AXES = 5;

export interface ExtentConstants {
  readonly EXTENT_1: number;
  readonly EXTENT_2: number;
  readonly EXTENT_3: number;
  readonly EXTENT_4: number;
}

/** @throws ShapeError where there are more axes than kernels walk over */
export function extentConstants(shape: Shape, where: string): ExtentConstants {
  if (shape.length > MOST_AXES) {
    throw new ShapeError('A tensor has too many axes.', {
      given: describe(shape),
      expected: `${MOST_AXES} at most, the batch among them`,
      where,
    });
  }
  const [, EXTENT_1 = 1, EXTENT_2 = 1, EXTENT_3 = 1, EXTENT_4 = 1] = fiveOf(shape, 1);
  return { EXTENT_1, EXTENT_2, EXTENT_3, EXTENT_4 };
}

/** Five numbers, those of the missing axes in front. */
export function fiveOf(numbers: readonly number[], missing: number): readonly number[] {
  return [...new Array<number>(MOST_AXES - numbers.length).fill(missing), ...numbers];
}
