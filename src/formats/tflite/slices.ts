/** What SLICE and STRIDED_SLICE take of a tensor. */
import type { SliceRange } from '../../ops/index.ts';
import type { TfliteOperator } from './container.ts';
import { refused, shapeText } from './refused.ts';
import { STRIDED_SLICE } from './schema.ts';

export interface TakenRange {
  readonly range: SliceRange;
  /** Of the result: without axes of which one place is asked for by its number. */
  readonly shape: readonly number[];
}

/** SLICE: from `begin` on `size` places, −1 for all that are left. @throws FormatError */
export function sliceOf(
  operator: TfliteOperator,
  shape: readonly number[],
  begin: readonly number[],
  size: readonly number[],
): TakenRange {
  const sizes = shape.map((extent, axis) =>
    size[axis] === -1 ? extent - (begin[axis] ?? 0) : (size[axis] ?? 0),
  );
  const fits =
    begin.length === shape.length &&
    size.length === shape.length &&
    shape.every((extent, axis) => {
      const [first, count] = [begin[axis] ?? 0, sizes[axis] ?? 0];
      return first >= 0 && count >= 0 && first + count <= extent;
    });
  if (!fits) throw refused(operator, `from ${shapeText(begin)}, ${shapeText(size)} of ${shapeText(shape)}`);
  return { range: { begin, size: sizes, strides: shape.map(() => 1) }, shape: sizes };
}

/**
 * STRIDED_SLICE, with Python's rules: negative numbers count from the end, a masked one is the end itself.
 * @param lists begin, end and strides, which may name fewer axes than there are
 * @throws FormatError
 */
export function stridedSliceOf(
  operator: TfliteOperator,
  shape: readonly number[],
  [begins = [], ends = [], steps = []]: readonly (readonly number[])[],
): TakenRange {
  const mask = (slot: number) => operator.options?.int32(slot) ?? 0;
  const ellipsis = mask(STRIDED_SLICE.ellipsisMask);
  const given = begins.length;
  if (
    mask(STRIDED_SLICE.newAxisMask) !== 0 ||
    (ellipsis & (ellipsis - 1)) !== 0 ||
    ends.length !== given ||
    steps.length !== given ||
    given - (ellipsis === 0 ? 0 : 1) > shape.length
  ) {
    throw refused(operator, `${given} ranges of ${shapeText(shape)}, with new axes or several ellipses`);
  }
  const isOffset = operator.options?.bool(STRIDED_SLICE.offset) ?? false;
  const range = { begin: [] as number[], size: [] as number[], strides: [] as number[] };
  const kept: number[] = [];
  const whole = (axis: number) => {
    range.begin.push(0);
    range.size.push(shape[axis] ?? 1);
    range.strides.push(1);
    kept.push(shape[axis] ?? 1);
  };
  for (let spec = 0; spec < given; spec++) {
    const bit = 1 << spec;
    const axis = range.begin.length;
    if (ellipsis & bit) {
      for (let more = shape.length - given + 1; more > 0; more--) whole(range.begin.length);
      continue;
    }
    const extent = shape[axis] ?? 1;
    const step = steps[spec] ?? 1;
    if (step === 0) throw refused(operator, 'its stride is 0');
    const [least, most] = step > 0 ? [0, extent] : [-1, extent - 1];
    const place = (value: number) => Math.min(most, Math.max(least, value < 0 ? value + extent : value));
    const asked = begins[spec] ?? 0;
    if (mask(STRIDED_SLICE.shrinkAxisMask) & bit) {
      const only = asked < 0 ? asked + extent : asked;
      if (!(only >= 0 && only < extent)) throw refused(operator, `place ${asked} of ${extent}`);
      range.begin.push(only);
      range.size.push(1);
      range.strides.push(1);
      continue;
    }
    const begin = mask(STRIDED_SLICE.beginMask) & bit ? (step > 0 ? 0 : extent - 1) : place(asked);
    const wanted = (ends[spec] ?? 0) + (isOffset ? asked : 0);
    const end = mask(STRIDED_SLICE.endMask) & bit ? (step > 0 ? extent : -1) : place(wanted);
    const size = Math.max(0, Math.ceil((end - begin) / step));
    range.begin.push(begin);
    range.size.push(size);
    range.strides.push(step);
    kept.push(size);
  }
  while (range.begin.length < shape.length) whole(range.begin.length);
  return { range, shape: kept };
}
