/** Values one by one, in float64: what `src/ops/pointwise.ts` computes on the GPU. */

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

/** Functions of single values. Their numbers in the kernel are their places here. */
export const CURVES = ['sigmoid', 'tanh', 'leakyRelu', 'selu'] as const;
export type Curve = (typeof CURVES)[number];

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

export const COMBINATIONS = ['add', 'subtract', 'multiply', 'divide', 'minimum', 'maximum'] as const;
export type Combination = (typeof COMBINATIONS)[number];

/** The shape that two shapes of as many axes are broadcast to; undefined where they don't fit. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] | undefined {
  if (a.length !== b.length) return undefined;
  const shape = a.map((extent, axis) => (extent === 1 ? (b[axis] ?? 1) : extent));
  const fits = shape.every((extent, axis) => b[axis] === extent || b[axis] === 1);
  return fits ? shape : undefined;
}

/** Arithmetic of two tensors of as many axes; extents of 1 are repeated. */
export function combine(
  kind: Combination,
  a: ArrayLike<number>,
  aShape: readonly number[],
  b: ArrayLike<number>,
  bShape: readonly number[],
): Float64Array<ArrayBuffer> {
  const shape = broadcastShape(aShape, bShape) ?? [];
  const out = new Float64Array(shape.reduce((size, extent) => size * extent, 1));
  const at = (own: readonly number[], index: number) => {
    let [place, stride, rest] = [0, 1, index];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [extent, mine] = [shape[axis] ?? 1, own[axis] ?? 1];
      if (mine !== 1) place += (rest % extent) * stride;
      stride *= mine;
      rest = Math.floor(rest / extent);
    }
    return place;
  };
  for (let i = 0; i < out.length; i++) {
    const [x, y] = [a[at(aShape, i)] ?? 0, b[at(bShape, i)] ?? 0];
    out[i] = combined(kind, x, y);
  }
  return out;
}

function combined(kind: Combination, x: number, y: number): number {
  switch (kind) {
    case 'add':
      return x + y;
    case 'subtract':
      return x - y;
    case 'multiply':
      return x * y;
    case 'divide':
      return x / y;
    case 'minimum':
      return Math.min(x, y);
    case 'maximum':
      return Math.max(x, y);
  }
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

/** How quantization rounds. Their numbers in the kernel are their places here. */
export const ROUNDING_MODES = [
  'halfEven',
  'floor',
  'ceil',
  'towardZero',
  'awayFromZero',
  'halfAwayFromZero',
  'halfTowardZero',
] as const;
export type RoundingMode = (typeof ROUNDING_MODES)[number];

/** An integer next to the value. */
export function roundBy(mode: RoundingMode, value: number): number {
  const whole = Math.trunc(value);
  const rest = Math.abs(value - whole);
  const next = whole + Math.sign(value);
  switch (mode) {
    case 'halfEven':
      return rest > 0.5 || (rest === 0.5 && whole % 2 !== 0) ? next : whole;
    case 'floor':
      return Math.floor(value);
    case 'ceil':
      return Math.ceil(value);
    case 'towardZero':
      return whole;
    case 'awayFromZero':
      return rest > 0 ? next : whole;
    case 'halfAwayFromZero':
      return rest >= 0.5 ? next : whole;
    case 'halfTowardZero':
      return rest > 0.5 ? next : whole;
  }
}

/** The integers of a uniform quantizer. */
export interface Grid {
  readonly bits: number;
  readonly signed: boolean;
  /** Leaves away the lowest integer of signed ones, the highest of others. */
  readonly narrow: boolean;
}

/** Least and largest integer: of 8 bits [−128, 127], narrow [−127, 127]; unsigned [0, 255], narrow [0, 254]. */
export function gridRange({ bits, signed, narrow }: Grid): readonly [low: number, high: number] {
  if (signed) return [-(2 ** (bits - 1)) + (narrow ? 1 : 0), 2 ** (bits - 1) - 1];
  return [0, 2 ** bits - (narrow ? 2 : 1)];
}

/**
 * (round(clamp(x/scale + zeroPoint)) − zeroPoint)·scale by channel (QONNX `Quant`).
 * @param integers leaves the last multiplication away
 */
export function quantize(
  x: ArrayLike<number>,
  scale: ArrayLike<number>,
  zeroPoint: ArrayLike<number>,
  grid: Grid & { readonly rounding: RoundingMode; readonly integers?: boolean },
): Float64Array<ArrayBuffer> {
  const [low, high] = gridRange(grid);
  const channels = scale.length;
  return Float64Array.from(x, (value, i) => {
    const [step, zero] = [scale[i % channels] ?? 1, zeroPoint[i % channels] ?? 0];
    const inside = Math.min(high, Math.max(low, value / step + zero));
    const integer = roundBy(grid.rounding, inside) - zero;
    return grid.integers ? integer : integer * step;
  });
}
