/** The geometry of a filter and its sign (Anderson & Berg 2018), in float64. */

/** Columns of the statistics, in this order. */
export const FILTER_STATISTICS = [
  'l1',
  'l2',
  'cosine',
  'angleDegrees',
  'scale',
  'positiveShare',
  'saturatedShare',
  'standardDeviation',
] as const;

export type FilterStatistic = (typeof FILTER_STATISTICS)[number];

/** |w| from which a weight counts as saturated. */
export const SATURATED = Math.fround(0.999999);

/**
 * Statistics of one filter w of d weights.
 * - cosine of w and sign(w): ‖w‖₁ / (√d·‖w‖₂), an identity; the angle is its arc cosine. The zero vector has no angle to
 *   its sign: it gets cosine 0 and 90°.
 * - scale: α = ‖w‖₁/d, the least-squares scale of the signs (Rastegari et al. 2016).
 * - positiveShare counts w ≥ 0, for sign(0) = +1; saturatedShare |w| ≥ 1 − 1e-6.
 */
export function filterGeometry(w: ArrayLike<number>): Record<FilterStatistic, number> {
  const d = w.length;
  const values = Array.from(w);
  const l1 = values.reduce((sum, x) => sum + Math.abs(x), 0);
  const l2 = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  const mean = values.reduce((sum, x) => sum + x, 0) / d;
  const cosine = l1 === 0 ? 0 : Math.min(1, l1 / (Math.sqrt(d) * l2));
  // The deviation of |w| gives the angle where the cosine is too close to 1 to tell.
  const scale = l1 / d;
  const spread = Math.sqrt(values.reduce((sum, x) => sum + (Math.abs(x) - scale) ** 2, 0) / d);
  return {
    l1,
    l2,
    cosine,
    angleDegrees: l1 === 0 ? 90 : (Math.atan2(spread, scale) * 180) / Math.PI,
    scale,
    positiveShare: values.filter((x) => !(x < 0)).length / d,
    saturatedShare: values.filter((x) => Math.abs(x) >= SATURATED).length / d,
    standardDeviation: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / d),
  };
}
