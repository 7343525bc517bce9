/** Values one by one, in float64: what `src/ops/pointwise.ts` computes on the GPU. */
import { normalTail } from '../numerics/closed-forms.ts';
import type { Curve } from '../numerics/curves.ts';

/** x between `low` and `high`. */
export function clamp(x: ArrayLike<number>, low: number, high: number): Float64Array<ArrayBuffer> {
  return Float64Array.from(x, (value) => Math.min(high, Math.max(low, value)));
}

/** Gradient of `clamp`: passes strictly between the bounds. */
export function clampGrad(
  g: ArrayLike<number>,
  x: ArrayLike<number>,
  low: number,
  high: number,
): Float64Array<ArrayBuffer> {
  return Float64Array.from(g, (gradient, i) => {
    const value = x[i] ?? 0;
    return value > low && value < high ? gradient : 0;
  });
}

/** x, times its channel's slope where it is negative (He et al. 2015, arXiv 1502.01852, eq. 1). */
export function prelu(x: ArrayLike<number>, alpha: ArrayLike<number>): Float64Array<ArrayBuffer> {
  return Float64Array.from(x, (value, i) => (value < 0 ? value * (alpha[i % alpha.length] ?? 0) : value));
}

/** Gradients of `prelu` with respect to x and to the slopes. */
export function preluGrad(
  g: ArrayLike<number>,
  x: ArrayLike<number>,
  alpha: ArrayLike<number>,
): { gradInput: Float64Array<ArrayBuffer>; gradAlpha: Float64Array<ArrayBuffer> } {
  const gradInput = new Float64Array(x.length);
  const gradAlpha = new Float64Array(alpha.length);
  for (let i = 0; i < x.length; i++) {
    const [value, gradient, c] = [x[i] ?? 0, g[i] ?? 0, i % alpha.length];
    gradInput[i] = value < 0 ? gradient * (alpha[c] ?? 0) : gradient;
    if (value < 0) gradAlpha[c] = (gradAlpha[c] ?? 0) + gradient * value;
  }
  return { gradInput, gradAlpha };
}

/** x, times the slope `below` of its channel where it is negative, else times `above`. */
export function slopes(
  x: ArrayLike<number>,
  above: ArrayLike<number>,
  below: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  return Float64Array.from(x, (value, i) => value * ((value < 0 ? below : above)[i % above.length] ?? 0));
}

/** Klambauer et al. 2017, arXiv 1706.02515. */
const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };

/** @param alpha slope below zero of `leakyRelu` */
export function curve(kind: Curve, x: ArrayLike<number>, alpha = 0): Float64Array<ArrayBuffer> {
  return Float64Array.from(x, (value) => {
    if (kind === 'sigmoid') return 1 / (1 + Math.exp(-value));
    if (kind === 'tanh') return Math.tanh(value);
    if (kind === 'leakyRelu') return value < 0 ? alpha * value : value;
    return SELU.scale * (value < 0 ? SELU.alpha * Math.expm1(value) : value);
  });
}

/** Gradient of `curve`. */
export function curveGrad(
  kind: Curve,
  g: ArrayLike<number>,
  x: ArrayLike<number>,
  alpha = 0,
): Float64Array<ArrayBuffer> {
  return curve(kind, x, alpha).map((y, i) => {
    const [value, gradient] = [x[i] ?? 0, g[i] ?? 0];
    if (kind === 'sigmoid') return gradient * y * (1 - y);
    if (kind === 'tanh') return gradient * (1 - y * y);
    if (kind === 'leakyRelu') return gradient * (value < 0 ? alpha : 1);
    return gradient * SELU.scale * (value < 0 ? SELU.alpha * Math.exp(value) : 1);
  });
}

/** exp(x) over its sum along each row of `channels`. */
export function softmax(x: ArrayLike<number>, channels: number): Float64Array<ArrayBuffer> {
  const y = new Float64Array(x.length);
  for (let first = 0; first < x.length; first += channels) {
    const row = Array.from({ length: channels }, (_, c) => x[first + c] ?? 0);
    const largest = row.reduce((most, value) => Math.max(most, value));
    const shares = row.map((value) => Math.exp(value - largest));
    const sum = shares.reduce((total, share) => total + share, 0);
    y.set(
      shares.map((share) => share / sum),
      first,
    );
  }
  return y;
}

/** How many of its channel's thresholds each value is at least (QONNX `MultiThreshold`); thresholds [channels, levels]. */
export function multiThreshold(
  x: ArrayLike<number>,
  thresholds: ArrayLike<number>,
  channels: number,
): Float64Array<ArrayBuffer> {
  const levels = thresholds.length / channels;
  return Float64Array.from(x, (value, i) => {
    let reached = 0;
    for (let level = 0; level < levels; level++) {
      if (value >= (thresholds[(i % channels) * levels + level] ?? 0)) reached += 1;
    }
    return reached;
  });
}

/** The mean of the sign of a normal number: erf(mean / √(2·variance)). */
export function expectedSign(mean: number, variance: number): number {
  return Math.sign(mean) * (1 - 2 * normalTail(Math.abs(mean) / Math.sqrt(variance)));
}
