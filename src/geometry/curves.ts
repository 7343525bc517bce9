/**
 * What other quantizers than the sign would do to weights of a given density: ternary ones and k bits of residuals.
 * Measured densities come from `FilterSurvey`; that of the closed forms is `gaussianDensity`.
 */

/** Weights by value, in units of the root mean square of their filter: equal bins from `from` to `to`. */
export interface Density {
  /** Lower end of the first bin. */
  readonly from: number;
  /** Upper end of the last bin. */
  readonly to: number;
  /** Weights in each bin, or their probability. */
  readonly counts: ArrayLike<number>;
}

/** N(0, 1) in narrow bins. */
export function gaussianDensity(bins = 16_000, range = 8): Density {
  const width = (2 * range) / bins;
  const counts = Float64Array.from({ length: bins }, (_, bin) => {
    const x = -range + (bin + 0.5) * width;
    return Math.exp((-x * x) / 2);
  });
  return { from: -range, to: range, counts };
}

/**
 * Angle in degrees between weights and their ternary version 1[|w| > a]·sign(w), by the density of the weights.
 * @param a in root mean squares; 90 degrees where nothing lies beyond it
 */
export function ternaryAngle(density: Density, a: number): number {
  return ternaryAngleOf(sizes(density), a);
}

function ternaryAngleOf(all: readonly Size[], a: number): number {
  let [dot, kept, squares] = [0, 0, 0];
  for (const { x, count } of all) {
    squares += count * x * x;
    if (x <= a) continue;
    dot += count * x;
    kept += count;
  }
  return kept === 0 ? 90 : degrees(dot / Math.sqrt(kept * squares));
}

/** The threshold, in steps of 0.005 root mean squares up to 3, at which the ternary version is nearest. */
export function bestTernary(density: Density): { threshold: number; angle: number } {
  const all = sizes(density);
  let best = { threshold: 0, angle: 90 };
  for (let step = 0; step <= 600; step++) {
    const angle = ternaryAngleOf(all, step / 200);
    if (angle < best.angle) best = { threshold: step / 200, angle };
  }
  return best;
}

/**
 * Greedy residual binarization: each bit is the sign of what the bits before left over, scaled by its mean size.
 * @returns angle in degrees between the weights and their version of 1, 2, ..., `bits` bits
 * @example
 * ```ts
 * import { gaussianDensity, residualAngles } from 'webgpu-bnn';
 *
 * console.log(residualAngles(gaussianDensity(), 3)); // of 1, 2 and 3 bits
 * ```
 */
export function residualAngles(density: Density, bits: number): number[] {
  // By symmetry of the sign, sizes tell everything: the residual of a size x after a level v is |x - v|.
  let rest = sizes(density).map(({ x, count }) => ({ x, residual: x, count }));
  const total = rest.reduce((sum, { count }) => sum + count, 0);
  const angles: number[] = [];
  for (let bit = 0; bit < bits; bit++) {
    const level = rest.reduce((sum, { residual, count }) => sum + count * Math.abs(residual), 0) / total;
    rest = rest.map(({ x, residual, count }) => ({
      x,
      residual: residual - Math.sign(residual || 1) * level,
      count,
    }));
    angles.push(angleOf(rest));
  }
  return angles;
}

/**
 * Mean angle between filters and their ternary versions, and their greedy sums of sign vectors, each filter by itself.
 * Filters of zeros have none and are left out.
 * @param weights [filters, length]
 * @param options.thresholds of the ternary versions, in root mean squares of the filter
 */
export function anglesOfFilters(
  weights: Float32Array,
  filters: number,
  { thresholds, bits }: { readonly thresholds: readonly number[]; readonly bits: number },
): { ternary: number[]; bits: number[] } {
  const length = weights.length / filters;
  const sums = { ternary: thresholds.map(() => 0), bits: new Array<number>(bits).fill(0) };
  let counted = 0;
  for (let filter = 0; filter < filters; filter++) {
    const row = weights.subarray(filter * length, (filter + 1) * length);
    const largest = row.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    if (!(largest > 0 && Number.isFinite(largest))) continue;
    counted += 1;
    // In units of the largest, so that squares stay within range.
    const sizes = Float64Array.from(row, (w) => Math.abs(w) / largest).sort();
    const square = sizes.reduce((sum, x) => sum + x * x, 0);
    // Sums of the sizes from each place on.
    const above = new Float64Array(length + 1);
    for (let i = length - 1; i >= 0; i--) above[i] = (above[i + 1] ?? 0) + (sizes[i] ?? 0);
    thresholds.forEach((threshold, t) => {
      const limit = threshold * Math.sqrt(square / length);
      let [low, high] = [0, length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((sizes[middle] ?? 0) > limit) high = middle;
        else low = middle + 1;
      }
      const kept = length - low;
      const cosine = kept === 0 ? 0 : (above[low] ?? 0) / Math.sqrt(kept * square);
      sums.ternary[t] = (sums.ternary[t] ?? 0) + degrees(cosine);
    });
    residualAnglesOf(sizes, bits).forEach((angle, bit) => {
      sums.bits[bit] = (sums.bits[bit] ?? 0) + angle;
    });
  }
  const mean = (sum: number) => sum / counted;
  return { ternary: sums.ternary.map(mean), bits: sums.bits.map(mean) };
}

/** Angles of the greedy sums of one, two, ... sign vectors. */
function residualAnglesOf(sizes: Float64Array, bits: number): number[] {
  const residuals = sizes.slice();
  const angles: number[] = [];
  for (let bit = 0; bit < bits; bit++) {
    const level = residuals.reduce((sum, x) => sum + Math.abs(x), 0) / sizes.length;
    let [dot, own, others] = [0, 0, 0];
    for (const [i, x] of sizes.entries()) {
      const residual = residuals[i] ?? 0;
      residuals[i] = residual < 0 ? residual + level : residual - level;
      const quantized = x - (residuals[i] ?? 0);
      dot += x * quantized;
      own += x * x;
      others += quantized * quantized;
    }
    angles.push(degrees(dot / Math.sqrt(own * others)));
  }
  return angles;
}

/**
 * Two bits by least squares: levels ±v1 ± v2 that leave the smallest mean squared error (Pouransari et al. 2020).
 * @returns levels in root mean squares, mean squared error relative to the mean square, and the angle in degrees
 */
export function leastSquaresTwoBits(density: Density): {
  v1: number;
  v2: number;
  error: number;
  angle: number;
} {
  const all = sizes(density);
  // Lloyd's algorithm with two levels for the sizes, from the greedy solution on.
  let [low, high] = [0.4, 1.4];
  for (let round = 0; round < 200; round++) {
    const edge = (low + high) / 2;
    const mean = (part: typeof all, otherwise: number) => {
      const weight = part.reduce((sum, { count }) => sum + count, 0);
      return weight === 0 ? otherwise : part.reduce((sum, { x, count }) => sum + count * x, 0) / weight;
    };
    const next = [
      mean(
        all.filter(({ x }) => x < edge),
        low,
      ),
      mean(
        all.filter(({ x }) => x >= edge),
        high,
      ),
    ] as const;
    if (next[0] === low && next[1] === high) break;
    [low, high] = next;
  }
  const rest = all.map(({ x, count }) => ({ x, residual: x - (x < (low + high) / 2 ? low : high), count }));
  const squares = rest.reduce((sum, { x, count }) => sum + count * x * x, 0);
  const error = rest.reduce((sum, { residual, count }) => sum + count * residual * residual, 0) / squares;
  return { v1: (low + high) / 2, v2: (high - low) / 2, error, angle: angleOf(rest) };
}

/** How many weights have a size. */
interface Size {
  readonly x: number;
  readonly count: number;
}

/** Weights by their size, at the middle of each bin. */
function sizes({ from, to, counts }: Density): Size[] {
  const width = (to - from) / counts.length;
  return Array.from(counts, (count, bin) => ({ x: Math.abs(from + (bin + 0.5) * width), count })).filter(
    ({ count }) => count > 0,
  );
}

/** Between sizes and what remains of them once their residuals are taken away. */
function angleOf(rest: readonly { x: number; residual: number; count: number }[]): number {
  let [dot, own, others] = [0, 0, 0];
  for (const { x, residual, count } of rest) {
    const quantized = x - residual;
    dot += count * x * quantized;
    own += count * x * x;
    others += count * quantized * quantized;
  }
  return own === 0 || others === 0 ? 90 : degrees(dot / Math.sqrt(own * others));
}

function degrees(cosine: number): number {
  return (Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI;
}
