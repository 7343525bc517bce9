/** Ternary and residual versions of a filter, in float64: what a few more bits than one are worth. */

const DEGREES = 180 / Math.PI;

/**
 * Angle in degrees between w and its ternary version 1[|w| > a·rms(w)]·sign(w); 90 where nothing is left.
 * @param a threshold in units of the root mean square of w: its standard deviation, for weights of mean 0
 */
export function ternaryAngleDegrees(w: ArrayLike<number>, a: number): number {
  let squares = 0;
  for (let i = 0; i < w.length; i++) squares += (w[i] ?? 0) ** 2;
  const threshold = a * Math.sqrt(squares / w.length);
  let [kept, dot] = [0, 0];
  for (let i = 0; i < w.length; i++) {
    const size = Math.abs(w[i] ?? 0);
    if (size > threshold || (a === 0 && size === 0)) {
      kept += 1;
      dot += size;
    }
  }
  return kept === 0 || squares === 0 ? 90 : Math.acos(Math.min(1, dot / Math.sqrt(kept * squares))) * DEGREES;
}

/**
 * Angle in degrees between w and its greedy sum of k sign vectors: each one is the sign of what the ones before leave,
 * times its mean size (Guo et al. 2017; Pouransari et al. 2020). k = 1 is the binarized filter.
 */
export function residualAngleDegrees(w: ArrayLike<number>, k: number): number {
  const rest = Float64Array.from(w);
  for (let bit = 0; bit < k; bit++) {
    const size = rest.reduce((sum, value) => sum + Math.abs(value), 0) / rest.length;
    for (let i = 0; i < rest.length; i++) rest[i] = (rest[i] ?? 0) - ((rest[i] ?? 0) < 0 ? -size : size);
  }
  let [dot, sizeW, sizeQ] = [0, 0, 0];
  for (let i = 0; i < rest.length; i++) {
    const value = w[i] ?? 0;
    const q = value - (rest[i] ?? 0);
    dot += value * q;
    sizeW += value * value;
    sizeQ += q * q;
  }
  return dot > 0 ? Math.acos(Math.min(1, dot / Math.sqrt(sizeW * sizeQ))) * DEGREES : 90;
}

/**
 * The same for weights of N(0, 1) in many dimensions, by numerical integration: 37.07,
 * 20.80, 13.46 and 9.91 degrees for one to four bits.
 */
export function gaussianResidualAngleDegrees(k: number): number {
  const points = 20_000;
  const step = 8 / points;
  const at = Float64Array.from({ length: points }, (_, i) => (i + 0.5) * step);
  const density = at.map((x) => (2 * step * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI));
  const mean = (of: (i: number) => number) => density.reduce((sum, weight, i) => sum + weight * of(i), 0);
  // By symmetry the rest of −x is that of x, negated.
  const rest = at.slice();
  for (let bit = 0; bit < k; bit++) {
    const size = mean((i) => Math.abs(rest[i] ?? 0));
    for (let i = 0; i < points; i++) rest[i] = (rest[i] ?? 0) - ((rest[i] ?? 0) < 0 ? -size : size);
  }
  const q = at.map((x, i) => x - (rest[i] ?? 0));
  const cosine =
    mean((i) => (at[i] ?? 0) * (q[i] ?? 0)) /
    Math.sqrt(mean((i) => (at[i] ?? 0) ** 2) * mean((i) => (q[i] ?? 0) ** 2));
  return Math.acos(cosine) * DEGREES;
}

/** How many values lie in each of `bins` equal bins from `from` to `to`; the ends take what lies beyond them. */
export function densityOf(values: ArrayLike<number>, from: number, to: number, bins: number): number[] {
  const counts = Array.from({ length: bins }, () => 0);
  for (let i = 0; i < values.length; i++) {
    const place = Math.floor((((values[i] ?? 0) - from) / (to - from)) * bins);
    const bin = Math.max(0, Math.min(bins - 1, place));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}
