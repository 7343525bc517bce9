/** Binarizing activations, and the gradients that quantizers pass. */
import { OptionError } from '../errors.ts';
import { constantsOf, type Filling, fillFrame, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { binarizeGated, gateGrad, gradientFrame } from '../kernels/quantize.ts';
import { assertDType, assertShapeIs } from './checks.ts';
import { packSigns } from './dense.ts';

/** What these operations need of a quantizer; the objects of `methods` have it. */
export interface Surrogate {
  /** What kernels and errors call it. */
  readonly name: string;
  /** `fn gradient(x: f32) -> f32`. */
  readonly filling: Filling;
  /** Names of the numbers that change from step to step: `rowGradient` is for those that have some. */
  readonly scalars?: readonly string[];
  /** Half width of the window inside which the gradient is 1, and 0 outside; undefined where it has another form. */
  readonly window: number | undefined;
}

/**
 * Signs of an activation, and what the backward pass needs of it where one bit a value is enough.
 * @param x f32 [..., C]
 * @returns bits [..., C], and for a quantizer with a window gate bits [..., C], 1 where |x| ≤ window: the gradient passes
 * @throws ShapeError
 */
export function binarize(
  b: ProgramBuilder,
  x: Tensor,
  { window }: Pick<Surrogate, 'window'>,
): { bits: Tensor; gate?: Tensor } {
  assertDType(x, 'f32', 'binarize');
  if (window === undefined || window === Number.POSITIVE_INFINITY) return { bits: packSigns(b, x) };
  const bits = b.transient('signs', x.shape, 'bits');
  const gate = b.transient('gate', x.shape, 'bits');
  const CHANNELS = x.shape.at(-1) ?? 1;
  b.dispatch(binarizeGated, { x, bits, gate }, { ROWS: x.size / CHANNELS, CHANNELS, CLIP: window });
  return { bits, gate };
}

/**
 * Gradient through a quantizer: gradOutput times the derivative of its surrogate at x, elementwise.
 * @param gradOutput f32 [..., C]
 * @param options.gate bits [..., C] from `binarize`, for quantizers that have one
 * @param options.x f32 [..., C], the quantizer's input; for all others
 * @returns f32 [..., C]; the very tensor `gradOutput` where everything passes
 * @throws ShapeError, OptionError
 */
export function binarizeGrad(
  b: ProgramBuilder,
  gradOutput: Tensor,
  options: {
    readonly quantizer: Surrogate;
    readonly gate?: Tensor | undefined;
    readonly x?: Tensor | undefined;
  },
): Tensor {
  const where = 'binarizeGrad';
  assertDType(gradOutput, 'f32', where);
  const { quantizer, gate, x } = options;
  if (quantizer.window === Number.POSITIVE_INFINITY) return gradOutput;
  if ((quantizer.scalars ?? []).length > 0) {
    throw new OptionError('This gradient changes from step to step.', {
      given: `${quantizer.name}: ${quantizer.scalars?.join(', ')}`,
      where,
      remedy: 'use rowGradient, with a table of the numbers',
    });
  }
  const { shape, size: SIZE } = gradOutput;
  const out = b.transient(`${quantizer.name} gradient`, shape, 'f32');
  if (gate !== undefined) {
    assertDType(gate, 'bits', where);
    assertShapeIs(gate, shape, where);
    const CHANNELS = shape.at(-1) ?? 1;
    b.dispatch(gateGrad, { g: gradOutput, gate, out }, { ROWS: SIZE / CHANNELS, CHANNELS });
    return out;
  }
  if (x === undefined) {
    throw new OptionError("This quantizer's gradient needs its input.", {
      given: `${quantizer.name} without x`,
      expected: 'the f32 tensor that was binarized, in options.x',
      where,
    });
  }
  assertDType(x, 'f32', where);
  assertShapeIs(x, shape, where);
  const fillings = { gradient: quantizer.filling };
  b.dispatch(
    fillFrame(gradientFrame, fillings),
    { g: gradOutput, x, out },
    { SIZE, ...constantsOf(fillings) },
  );
  return out;
}
