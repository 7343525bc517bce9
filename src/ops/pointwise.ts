/** Values one by one. The formulas stand in `src/reference/pointwise.ts`. */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, sizeOf, type Tensor } from '../gpu/index.ts';
import {
  clampGrad as clampGradKernel,
  clamp as clampKernel,
  combine as combineKernel,
  curveGrad as curveGradKernel,
  curve as curveKernel,
  expectedSignGrad as expectedSignGradKernel,
  expectedSign as expectedSignKernel,
  multiThreshold as multiThresholdKernel,
  preluGrad as preluGradKernel,
  prelu as preluKernel,
  quantize as quantizeKernel,
  slopesGrad as slopesGradKernel,
  slopes as slopesKernel,
  softmax as softmaxKernel,
} from '../kernels/pointwise.ts';
import { broadcastShape, stridesOf } from '../numerics/axes.ts';
import { COMBINATIONS, type Combination } from '../numerics/combine.ts';
import { CURVES, type Curve } from '../numerics/curves.ts';
import { type Grid, gridRange } from '../numerics/integers.ts';
import { ROUNDING_MODES, type RoundingMode } from '../numerics/rounding.ts';
import { extentConstants, fiveOf } from './axes.ts';
import { assertDType, assertFloats } from './checks.ts';
import { biasGrad } from './elementwise.ts';

export { type Combination, type Curve, type Grid, ROUNDING_MODES, type RoundingMode };

/** The largest finite f32: where a bound is absent. */
export const LARGEST_F32 = 3.4028234663852886e38;

/** Between what values are kept. */
export interface Bounds {
  /** Values below it become it. */
  readonly minimum: number;
  /** Values above it become it. */
  readonly maximum: number;
}

/** @throws OptionError unless the bounds are numbers, the least first */
export function assertBounds({ minimum, maximum }: Bounds, where: string): void {
  if (!(minimum <= maximum)) {
    throw new OptionError('Bounds go from the minimum to the maximum.', {
      given: `minimum = ${minimum}, maximum = ${maximum}`,
      where,
    });
  }
}

/** x f32 between two bounds, which may be infinite. @throws ShapeError, OptionError */
export function clamp(b: ProgramBuilder, x: Tensor, bounds: Bounds): Tensor {
  assertDType(x, 'f32', 'clamp');
  assertBounds(bounds, 'clamp');
  const y = b.transient('clamped', x.shape, 'f32');
  b.dispatch(clampKernel, { x, y }, { SIZE: x.size, ...finite(bounds) });
  return y;
}

/** Gradient of `clamp` with respect to x: passes strictly between the bounds. @throws ShapeError, OptionError */
export function clampGrad(b: ProgramBuilder, gradOutput: Tensor, x: Tensor, bounds: Bounds): Tensor {
  assertDType(x, 'f32', 'clampGrad');
  assertFloats(gradOutput, x.shape, 'clampGrad');
  assertBounds(bounds, 'clampGrad');
  const out = b.transient('gradient of clamped', x.shape, 'f32');
  b.dispatch(clampGradKernel, { g: gradOutput, x, out }, { SIZE: x.size, ...finite(bounds) });
  return out;
}

function finite({ minimum, maximum }: Bounds): { LOW: number; HIGH: number } {
  const inside = (bound: number) => Math.max(-LARGEST_F32, Math.min(LARGEST_F32, bound));
  return { LOW: inside(minimum), HIGH: inside(maximum) };
}

/** x f32 [..., C], times `alpha` f32 [C] where it is negative. @throws ShapeError */
export function prelu(b: ProgramBuilder, x: Tensor, alpha: Tensor): Tensor {
  assertDType(x, 'f32', 'prelu');
  const CHANNELS = x.shape.at(-1) ?? 1;
  assertFloats(alpha, [CHANNELS], 'prelu');
  const y = b.transient('rectified', x.shape, 'f32');
  b.dispatch(preluKernel, { x, alpha, y }, { SIZE: x.size, CHANNELS });
  return y;
}

/** Gradients of `prelu`: f32 [..., C] and f32 [C]. @throws ShapeError */
export function preluGrad(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  alpha: Tensor,
): { gradInput: Tensor; gradAlpha: Tensor } {
  assertDType(x, 'f32', 'preluGrad');
  const CHANNELS = x.shape.at(-1) ?? 1;
  assertFloats(gradOutput, x.shape, 'preluGrad');
  assertFloats(alpha, [CHANNELS], 'preluGrad');
  const gradInput = b.transient('gradient of rectified', x.shape, 'f32');
  const terms = b.transient('terms of the gradient of alpha', x.shape, 'f32');
  b.dispatch(
    preluGradKernel,
    { g: gradOutput, x, alpha, grad_x: gradInput, terms },
    { SIZE: x.size, CHANNELS },
  );
  return { gradInput, gradAlpha: biasGrad(b, terms) };
}

/** Slopes of channels on either side of zero, f32 [C] each. */
export interface Slopes {
  /** Where values are not negative. */
  readonly above: Tensor;
  /** Where values are negative. */
  readonly below: Tensor;
}

/** x f32 [..., C], times the slope `below` of its channel where it is negative, else times `above`. @throws ShapeError */
export function slopes(b: ProgramBuilder, x: Tensor, { above, below }: Slopes): Tensor {
  assertDType(x, 'f32', 'slopes');
  const CHANNELS = x.shape.at(-1) ?? 1;
  for (const slope of [above, below]) assertFloats(slope, [CHANNELS], 'slopes');
  const y = b.transient('sloped', x.shape, 'f32');
  b.dispatch(slopesKernel, { x, above, below, y }, { SIZE: x.size, CHANNELS });
  return y;
}

/** Gradients of `slopes`: f32 [..., C], and f32 [C] of each slope. @throws ShapeError */
export function slopesGrad(
  b: ProgramBuilder,
  gradOutput: Tensor,
  x: Tensor,
  { above, below }: Slopes,
): Slopes & { readonly gradInput: Tensor } {
  assertDType(x, 'f32', 'slopesGrad');
  const CHANNELS = x.shape.at(-1) ?? 1;
  assertFloats(gradOutput, x.shape, 'slopesGrad');
  for (const slope of [above, below]) assertFloats(slope, [CHANNELS], 'slopesGrad');
  const made = (label: string) => b.transient(label, x.shape, 'f32');
  const gradInput = made('gradient of sloped');
  const [ofAbove, ofBelow] = [made('terms of the slope above'), made('terms of the slope below')];
  b.dispatch(
    slopesGradKernel,
    { g: gradOutput, x, above, below, grad_x: gradInput, terms_above: ofAbove, terms_below: ofBelow },
    { SIZE: x.size, CHANNELS },
  );
  return { gradInput, above: biasGrad(b, ofAbove), below: biasGrad(b, ofBelow) };
}

/**
 * A function of single values of x f32: `sigmoid`, `tanh`, `leakyRelu` with slope `alpha` below zero, `selu`.
 * @throws ShapeError
 */
export function curve(b: ProgramBuilder, kind: Curve, x: Tensor, alpha = 0): Tensor {
  assertDType(x, 'f32', kind);
  const y = b.transient(kind, x.shape, 'f32');
  b.dispatch(curveKernel, { x, y }, { SIZE: x.size, KIND: CURVES.indexOf(kind), ALPHA: alpha });
  return y;
}

/** Gradient of `curve` with respect to x. @throws ShapeError */
export function curveGrad(b: ProgramBuilder, kind: Curve, gradOutput: Tensor, x: Tensor, alpha = 0): Tensor {
  assertDType(x, 'f32', `gradient of ${kind}`);
  assertFloats(gradOutput, x.shape, `gradient of ${kind}`);
  const out = b.transient(`gradient of ${kind}`, x.shape, 'f32');
  b.dispatch(
    curveGradKernel,
    { g: gradOutput, x, out },
    { SIZE: x.size, KIND: CURVES.indexOf(kind), ALPHA: alpha },
  );
  return out;
}

/** The shape of `combine`'s result. @throws ShapeError unless each axis agrees or is 1 long in one of them */
export function combinedShape(a: Shape, b: Shape, where: string): Shape {
  const shape = broadcastShape(a, b);
  if (shape !== undefined) return shape;
  throw new ShapeError("The inputs don't fit this layer.", {
    given: `${describe(a)} and ${describe(b)}`,
    expected: 'two inputs of the same shape, or of extent 1 where they differ',
    where,
  });
}

/**
 * a + b, a − b, a·b, a/b, the lesser or the greater of tensors f32 with as many axes, five at most; extents of 1 are repeated.
 * @throws ShapeError, OptionError
 */
export function combine(builder: ProgramBuilder, kind: Combination, a: Tensor, b: Tensor): Tensor {
  for (const tensor of [a, b]) assertDType(tensor, 'f32', kind);
  const shape = combinedShape(a.shape, b.shape, kind);
  const out = builder.transient(kind, shape, 'f32');
  const strides = (own: Shape) => {
    const steps = stridesOf(own).map((stride, axis) => (own[axis] === 1 ? 0 : stride));
    return fiveOf(steps, 0);
  };
  const extents = extentConstants(shape, kind);
  const [A_STRIDE_0 = 0, A_STRIDE_1 = 0, A_STRIDE_2 = 0, A_STRIDE_3 = 0, A_STRIDE_4 = 0] = strides(a.shape);
  const [B_STRIDE_0 = 0, B_STRIDE_1 = 0, B_STRIDE_2 = 0, B_STRIDE_3 = 0, B_STRIDE_4 = 0] = strides(b.shape);
  builder.dispatch(
    combineKernel,
    { a, b, out },
    {
      SIZE: sizeOf(shape),
      KIND: COMBINATIONS.indexOf(kind),
      ...extents,
      ...{ A_STRIDE_0, A_STRIDE_1, A_STRIDE_2, A_STRIDE_3, A_STRIDE_4 },
      ...{ B_STRIDE_0, B_STRIDE_1, B_STRIDE_2, B_STRIDE_3, B_STRIDE_4 },
    },
  );
  return out;
}

/** exp(x) over its sum along the last axis of x f32 [..., C]. @throws ShapeError */
export function softmax(b: ProgramBuilder, x: Tensor): Tensor {
  assertDType(x, 'f32', 'softmax');
  const CHANNELS = x.shape.at(-1) ?? 1;
  const y = b.transient('shares', x.shape, 'f32');
  b.dispatch(softmaxKernel, { x, y }, { ROWS: x.size / CHANNELS, CHANNELS });
  return y;
}

/** How many of `thresholds` f32 [C, levels] each value of x f32 [..., C] is at least; integers as f32. @throws ShapeError */
export function multiThreshold(b: ProgramBuilder, x: Tensor, thresholds: Tensor): Tensor {
  assertDType(x, 'f32', 'multiThreshold');
  const CHANNELS = x.shape.at(-1) ?? 1;
  const LEVELS = thresholds.shape.at(-1) ?? 1;
  assertFloats(thresholds, [CHANNELS, LEVELS], 'multiThreshold');
  const y = b.transient('levels', x.shape, 'f32');
  b.dispatch(multiThresholdKernel, { x, thresholds, y }, { SIZE: x.size, CHANNELS, LEVELS });
  return y;
}

/** The grid that values are rounded to. */
export interface QuantizeGrid extends Grid {
  /** To which neighbour values go. */
  readonly rounding: RoundingMode;
  /** Gives the integers less the zero point, not their multiples of the scale. */
  readonly integers?: boolean | undefined;
}

/** @throws OptionError unless there is a grid of so many bits, with integers that f32 holds, and such a rounding */
export function assertGrid({ bits, signed, narrow, rounding }: QuantizeGrid, where: string): void {
  const [low, high] = gridRange({ bits, signed, narrow });
  if (!Number.isInteger(bits) || bits < 1 || bits > 24 || low >= high) {
    throw new OptionError('There is no such grid of integers.', {
      given: `${bits} bits, signed: ${signed}, narrow: ${narrow}`,
      expected: '1 to 24 bits, with at least two integers',
      where,
    });
  }
  if (!ROUNDING_MODES.includes(rounding)) {
    throw new OptionError('This rounding is unknown.', {
      given: String(rounding),
      expected: ROUNDING_MODES.join(', '),
      where,
    });
  }
}

/**
 * (round(clamp(x/scale + zeroPoint)) − zeroPoint)·scale by channel.
 * @param x f32 [..., C]
 * @param options.scale f32 [C], not 0
 * @param options.zeroPoint f32 [C]
 * @throws ShapeError, OptionError
 */
export function quantize(
  b: ProgramBuilder,
  x: Tensor,
  options: QuantizeGrid & { readonly scale: Tensor; readonly zeroPoint: Tensor },
): Tensor {
  const { scale, zeroPoint, rounding, integers = false } = options;
  assertGrid(options, 'quantize');
  assertDType(x, 'f32', 'quantize');
  const CHANNELS = x.shape.at(-1) ?? 1;
  for (const parameter of [scale, zeroPoint]) assertFloats(parameter, [CHANNELS], 'quantize');
  const [LOW, HIGH] = gridRange(options);
  const y = b.transient('quantized', x.shape, 'f32');
  b.dispatch(
    quantizeKernel,
    { x, scale, zero_point: zeroPoint, y },
    {
      SIZE: x.size,
      CHANNELS,
      LOW,
      HIGH,
      ROUNDING: ROUNDING_MODES.indexOf(rounding),
      INTEGERS: integers ? 1 : 0,
    },
  );
  return y;
}

/** Means and variances of normal numbers. */
export interface Moments {
  /** f32 of any shape. */
  readonly mean: Tensor;
  /** f32 of the same shape, above 0. */
  readonly variance: Tensor;
}

/** The mean of the signs of normal numbers: erf(mean / √(2·variance)). @throws ShapeError */
export function expectedSign(b: ProgramBuilder, { mean, variance }: Moments): Tensor {
  assertDType(mean, 'f32', 'expectedSign');
  assertFloats(variance, mean.shape, 'expectedSign');
  const y = b.transient('expected signs', mean.shape, 'f32');
  b.dispatch(expectedSignKernel, { mean, variance, y }, { SIZE: mean.size });
  return y;
}

/** Gradients of `expectedSign` with respect to means and variances. @throws ShapeError */
export function expectedSignGrad(
  b: ProgramBuilder,
  gradOutput: Tensor,
  { mean, variance }: Moments,
): Moments {
  for (const tensor of [gradOutput, variance]) assertFloats(tensor, mean.shape, 'expectedSignGrad');
  const made = (label: string) => b.transient(label, mean.shape, 'f32');
  const gradients = { mean: made('gradient of means'), variance: made('gradient of variances') };
  b.dispatch(
    expectedSignGradKernel,
    { g: gradOutput, mean, variance, grad_mean: gradients.mean, grad_variance: gradients.variance },
    { SIZE: mean.size },
  );
  return gradients;
}
