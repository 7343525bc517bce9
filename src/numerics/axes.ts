/** Axes of tensors: strides, their order, parts of them, and what shapes are broadcast to. */

/** Elements from one place on each axis to the next, the last axis innermost. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const extent of [...shape].reverse()) {
    strides.unshift(stride);
    stride *= extent;
  }
  return strides;
}

/** Axis i of the result is axis `permutation[i]` of x. */
export function permuteAxes<T extends number>(
  x: ArrayLike<T>,
  shape: readonly number[],
  permutation: readonly number[],
): T[] {
  const strides = stridesOf(shape);
  const extents = permutation.map((axis) => shape[axis] ?? 1);
  const steps = permutation.map((axis) => strides[axis] ?? 1);
  return Array.from({ length: x.length }, (_, index) => {
    let [place, rest] = [0, index];
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      const extent = extents[axis] ?? 1;
      place += (rest % extent) * (steps[axis] ?? 1);
      rest = Math.floor(rest / extent);
    }
    return x[place] as T;
  });
}

/** Parts of a tensor: `size` places of each axis, every `step`-th (backwards where negative), from `begin` on. */
export interface SliceRange {
  /** First place on each axis. */
  readonly begin: readonly number[];
  /** How many places of each axis. */
  readonly size: readonly number[];
  /** Places from one to the next on each axis; negative goes backwards. */
  readonly strides: readonly number[];
}

/** @returns the places in x of what is taken, in order */
export function slicePlaces(shape: readonly number[], { begin, size, strides }: SliceRange): number[] {
  const steps = stridesOf(shape);
  return Array.from({ length: size.reduce((all, extent) => all * extent, 1) }, (_, index) => {
    let [place, rest] = [0, index];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = size[axis] ?? 1;
      const at = (begin[axis] ?? 0) + (rest % extent) * (strides[axis] ?? 1);
      place += at * (steps[axis] ?? 1);
      rest = Math.floor(rest / extent);
    }
    return place;
  });
}

/** The shape that two shapes of as many axes are broadcast to; undefined where they don't fit. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] | undefined {
  if (a.length !== b.length) return undefined;
  const shape = a.map((extent, axis) => (extent === 1 ? (b[axis] ?? 1) : extent));
  const fits = shape.every((extent, axis) => b[axis] === extent || b[axis] === 1);
  return fits ? shape : undefined;
}
