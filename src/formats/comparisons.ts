/** The sign of a monotone function of f32 as a comparison of its argument, found by bisection: exact, rounding included. */

type Floats = Float32Array;

/** +1 where direction·x ≥ limit: as the layer `threshold` has it. */
export interface Comparison {
  readonly direction: Floats;
  readonly limit: Floats;
}

const words = new DataView(new ArrayBuffer(4));
/** Below this, arithmetic in f32 may round to zero. */
const SMALLEST_NORMAL = 2 ** -126;
const LARGEST = 0x7f7fffff;

/** The finite f32 numbers in their order, as the integers from −LARGEST to LARGEST; both zeros are 0. */
function floatAt(place: number): number {
  words.setInt32(0, Math.abs(place));
  const magnitude = words.getFloat32(0);
  return place < 0 ? -magnitude : magnitude;
}

/**
 * Where functions of x, one a channel, are at least 0.
 * @param slopes whose signs say which way each function goes; 0 for a constant
 * @param at the function of a channel, as f32 arithmetic has it
 */
export function comparisonOf(
  slopes: ArrayLike<number>,
  at: (channel: number, x: number) => number,
): Comparison {
  const direction = new Float32Array(slopes.length);
  const limit = new Float32Array(slopes.length);
  for (let channel = 0; channel < slopes.length; channel++) {
    const side = Math.sign(slopes[channel] ?? 0);
    const isPlus = (place: number) => at(channel, side * floatAt(place)) >= 0;
    // The least place at which it holds; what lies outside is constant.
    let [low, high] = [-LARGEST, LARGEST];
    if (side === 0 || isPlus(low) || !isPlus(high)) {
      limit[channel] = isPlus(side === 0 ? 0 : high) ? 0 : 1;
      continue;
    }
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (isPlus(middle)) high = middle;
      else low = middle;
    }
    const least = floatAt(high);
    direction[channel] = side;
    limit[channel] = Math.abs(least) < SMALLEST_NORMAL ? 0 : least;
  }
  return { direction, limit };
}

/** sign(γ·(x − μ)/√(σ² + ε) + β), in the order and the precision in which this library normalises. */
export function signOfNormalized(
  gamma: ArrayLike<number> | undefined,
  beta: ArrayLike<number> | undefined,
  mean: ArrayLike<number>,
  variance: ArrayLike<number>,
  epsilon: number,
): Comparison {
  const f = Math.fround;
  const scales = Float32Array.from(
    mean,
    (_, c) => f(1 / f(Math.sqrt(f((variance[c] ?? 0) + f(epsilon))))) * (gamma?.[c] ?? 1),
  );
  return comparisonOf(scales, (c, x) => f(f(f(x - (mean[c] ?? 0)) * (scales[c] ?? 0)) + (beta?.[c] ?? 0)));
}

/** sign(x·scale + shift). */
export function signOfScaled(scale: ArrayLike<number>, shift: ArrayLike<number>): Comparison {
  const f = Math.fround;
  return comparisonOf(scale, (c, x) => f(f(x * (scale[c] ?? 0)) + (shift[c] ?? 0)));
}
