/** The geometry of a filter and its sign (Anderson & Berg 2018), in float64. */
import { binaryEntropy } from '../numerics/entropy.ts';
import { type FilterStatistic, NEAR_ZERO, SATURATED } from '../numerics/filter-statistics.ts';

/** The number that the 16 bits of an IEEE 754 binary16 stand for. */
export function decodeF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** The number that the 16 bits of a bfloat16 (the upper half of a binary32) stand for. */
export function decodeBf16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits * 65536).buffer)[0] ?? Number.NaN;
}

/**
 * Statistics of one filter w. NaN and infinite weights are counted in nonFinite and left out of everything else; d is
 * the number of the others.
 * - cosine of w and sign(w): ‖w‖₁ / (√d·‖w‖₂), an identity; the angle is its arc cosine. The zero vector has no angle to
 *   its sign: it gets cosine 0 and 90°.
 * - scale: α = ‖w‖₁/d, the least-squares scale of the signs (Rastegari et al. 2016).
 * - positiveShare counts w ≥ 0, for sign(0) = +1; signEntropy is its entropy in bits; saturatedShare counts
 *   |w| ≥ 1 − 1e-6, nearZeroShare |w| < `nearZero`.
 * - excessKurtosis: fourth central moment over the squared variance, less 3; 0 for a filter without spread.
 */
export function filterGeometry(
  w: ArrayLike<number>,
  nearZero: number = NEAR_ZERO,
): Record<FilterStatistic, number> {
  const values = Array.from(w).filter(Number.isFinite);
  const d = Math.max(1, values.length);
  const mean = values.reduce((sum, x) => sum + x, 0) / d;
  const central = (power: number) => values.reduce((sum, x) => sum + (x - mean) ** power, 0) / d;
  const share = (of: (x: number) => boolean) => values.filter(of).length / d;
  const l1 = values.reduce((sum, x) => sum + Math.abs(x), 0);
  const l2 = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  const cosine = l1 === 0 ? 0 : Math.min(1, l1 / (Math.sqrt(d) * l2));
  // The deviation of |w| gives the angle where the cosine is too close to 1 to tell.
  const scale = l1 / d;
  const spread = Math.sqrt(values.reduce((sum, x) => sum + (Math.abs(x) - scale) ** 2, 0) / d);
  const variance = central(2);
  const positiveShare = share((x) => !(x < 0));
  return {
    l1,
    l2,
    cosine,
    angleDegrees: l1 === 0 ? 90 : (Math.atan2(spread, scale) * 180) / Math.PI,
    scale,
    positiveShare,
    saturatedShare: share((x) => Math.abs(x) >= SATURATED),
    standardDeviation: Math.sqrt(variance),
    nearZeroShare: share((x) => Math.abs(x) < nearZero),
    signEntropy: binaryEntropy(positiveShare),
    excessKurtosis: variance === 0 ? 0 : central(4) / variance ** 2 - 3,
    nonFinite: w.length - values.length,
  };
}

/** Angles of 0 to 90 degrees in equal bins; the last one takes 90 itself. */
export function angleHistogram(angles: ArrayLike<number>, bins: number): number[] {
  const counts = Array.from({ length: bins }, () => 0);
  for (const angle of Array.from(angles)) {
    const bin = Math.min(bins - 1, Math.floor((angle * bins) / 90));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}
