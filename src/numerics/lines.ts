/** Straight lines through points. */

/** Slope and intercept of the straight line through points, by least squares; NaN where they don't tell. */
function lineThrough(points: readonly (readonly [x: number, y: number])[]): {
  slope: number;
  intercept: number;
} {
  const n = points.length;
  const mean = (axis: 0 | 1) => points.reduce((sum, point) => sum + point[axis], 0) / n;
  const [x, y] = [mean(0), mean(1)];
  const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  const slope = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread;
  return spread > 0 ? { slope, intercept: y - slope * x } : { slope: Number.NaN, intercept: Number.NaN };
}

/**
 * Slope of log sd(θ) against log d over layers, −½ by theory. Layers of fewer than two filters, or whose angles don't
 * vary, have no say.
 */
export function spreadSlope(
  layers: readonly { readonly dimension: number; readonly sdAngle: number; readonly filters: number }[],
): { slope: number; intercept: number } {
  return lineThrough(
    layers
      .filter(({ filters, sdAngle, dimension }) => filters > 1 && sdAngle > 0 && dimension > 0)
      .map(({ dimension, sdAngle }) => [Math.log(dimension), Math.log(sdAngle)]),
  );
}
