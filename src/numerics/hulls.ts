/** Convex hulls of points: how far a point is from one, and which of several is the nearest. */
import { OptionError, ShapeError } from '../errors.ts';
import { assertPresent } from '../options.ts';

/** How close to the least distance is close enough, of its square against that of the corners. */
const TOLERANCE = 1e-10;
const MOST_STEPS = 20_000;

const dotOf = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
};

/**
 * Distance of a point to the convex hull of corners: Frank and Wolfe's steps in pairs (Lacoste-Julien & Jaggi 2015), which move
 * weight from the worst corner to the best, in float64.
 * @param corners one or more points of as many numbers
 * @returns 0 inside
 * @throws OptionError for no corners, ShapeError for points of other lengths
 * @example
 * ```ts
 * import { distanceToHull } from 'webgpu-bnn/compare';
 *
 * distanceToHull([2, 0.5], [[0, 0], [1, 0], [1, 1], [0, 1]]); // 1
 * ```
 */
export function distanceToHull(point: ArrayLike<number>, corners: readonly ArrayLike<number>[]): number {
  const where = 'distanceToHull';
  assertPresent(point, 'the point', where, 'length');
  assertPresent(corners, 'the corners', where, 'length');
  for (const corner of corners) assertPresent(corner, 'a corner', where, 'length');
  if (corners.length === 0) throw new OptionError('A hull has corners.', { given: 'none', where });
  const wrong = corners.find(({ length }) => length !== point.length);
  if (wrong !== undefined) {
    throw new ShapeError('The corners of a hull are points of the same space.', {
      given: `a corner of ${wrong.length} numbers`,
      expected: String(point.length),
      where,
    });
  }
  const from = corners.map((corner) => Float64Array.from(corner, (value, i) => value - (point[i] ?? 0)));
  return hullDistance(from.map((corner) => Float64Array.from(from, (other) => dotOf(corner, other))));
}

/**
 * The same of the products of the ways from the point to the corners: (cᵢ - p)·(cⱼ - p). That is all that the distance follows
 * from, and of signs these are counts of bits.
 * @param products a row for each corner, at least one
 * @returns 0 inside
 */
export function hullDistance(products: readonly Float64Array[]): number {
  const squares = products.map((row, i) => row[i] ?? 0);
  const first = squares.indexOf(Math.min(...squares));
  const weights = products.map((_, i): number => (i === first ? 1 : 0));
  // Products of the nearest point so far with each corner.
  const along = Float64Array.from(products[first] ?? []);
  const squareOf = () => Math.max(0, dotOf(weights, along));
  const enough = TOLERANCE * Math.max(...squares);
  for (let step = 0; step < MOST_STEPS; step++) {
    let [best, worst] = [0, -1];
    for (const [i, own] of along.entries()) {
      if (own < (along[best] ?? 0)) best = i;
      if ((weights[i] ?? 0) > 0 && (worst < 0 || own > (along[worst] ?? 0))) worst = i;
    }
    // The gap bounds what the square of the distance can still fall by.
    if (squareOf() - (along[best] ?? 0) <= enough) break;
    const [to, off] = [products[best] ?? along, products[worst] ?? along];
    const length = (squares[best] ?? 0) + (squares[worst] ?? 0) - 2 * (to[worst] ?? 0);
    const share = Math.min(weights[worst] ?? 0, ((along[worst] ?? 0) - (along[best] ?? 0)) / length);
    weights[best] = (weights[best] ?? 0) + share;
    weights[worst] = Math.max(0, (weights[worst] ?? 0) - share);
    for (let i = 0; i < along.length; i++)
      along[i] = (along[i] ?? 0) + share * ((to[i] ?? 0) - (off[i] ?? 0));
  }
  return Math.sqrt(squareOf());
}

/** Which hull is the nearest to a point, and how far each of them is. */
export interface NearestHull {
  /** Index of the nearest; the first of several that are as near. */
  readonly nearest: number;
  /** Of each hull; 0 inside. */
  readonly distances: readonly number[];
}

/**
 * The nearest convex hull of classes' activations: what a layer's activations can tell of classes without any weights.
 * @param classes points of each class
 * @throws OptionError for no classes or a class without points; ShapeError for points of other lengths
 */
export function nearestHull(
  point: ArrayLike<number>,
  classes: readonly (readonly ArrayLike<number>[])[],
): NearestHull {
  assertPresent(classes, 'the classes', 'nearestHull', 'length');
  if (classes.length === 0)
    throw new OptionError('There are no hulls.', { given: 'none', where: 'nearestHull' });
  const distances = classes.map((corners) => distanceToHull(point, corners));
  return { nearest: distances.indexOf(Math.min(...distances)), distances };
}
