/** Small experiments with random vectors, as the six figures of the guided text draw them. */
import { normal } from '../../src/numerics/random.ts';
import { rotate } from '../../src/numerics/rotation.ts';

export const gaussian = (seed: number, stream: number, length: number): Float64Array =>
  Float64Array.from({ length }, (_, index) => normal(seed, stream, index));

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
};

export const signs = (w: ArrayLike<number>): Float64Array => Float64Array.from(w, (x) => (x < 0 ? -1 : 1));

/** Angle between a vector and its signs, in degrees. */
export function angleToSigns(w: ArrayLike<number>): number {
  const cosine = dot(w, signs(w)) / Math.sqrt(dot(w, w) * w.length);
  return (180 / Math.PI) * Math.acos(Math.min(1, cosine));
}

/** Angles of so many random vectors of dimension `d` to their signs. */
export function randomAngles(d: number, count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, stream) => angleToSigns(gaussian(seed, stream, d)));
}

/** Dot products of one input with random vectors (x) and with their signs (y), each in standard deviations. */
export function randomProducts(d: number, count: number, seed: number): (readonly [number, number])[] {
  const input = gaussian(seed, count, d);
  const length = Math.sqrt(dot(input, input));
  return Array.from({ length: count }, (_, stream) => {
    const w = gaussian(seed, stream, d);
    return [dot(w, input) / length, dot(signs(w), input) / length] as const;
  });
}

export function correlation(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [mx, my] = [mean(0), mean(1)];
  let [xx, yy, xy] = [0, 0, 0];
  for (const [x, y] of points) {
    xx += (x - mx) ** 2;
    yy += (y - my) ** 2;
    xy += (x - mx) * (y - my);
  }
  return xy / Math.sqrt(xx * yy);
}

/**
 * Angles to their signs of random vectors of dimension `d`, of whose squared length one coordinate holds a share: as they are,
 * and after a rotation.
 */
export function lopsidedAngles(
  d: number,
  share: number,
  count: number,
  seed: number,
): { readonly before: number; readonly after: number } {
  let [before, after] = [0, 0];
  for (let stream = 0; stream < count; stream++) {
    const w = gaussian(seed, stream, d);
    w[0] = 0;
    const rest = dot(w, w);
    w[0] = Math.sqrt((share / (1 - share)) * rest);
    before += angleToSigns(w) / count;
    after += angleToSigns(rotate(w, { seed: seed + stream, rounds: 2 })) / count;
  }
  return { before, after };
}
