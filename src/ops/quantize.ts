/**
 * Binarizing activations, and the gradients that quantizers pass. The formulas stand in `src/reference/quantize.ts`.
 */
import { OptionError } from '../errors.ts';
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import { approxSignGrad, binarizeGated, gateGrad, steSignGrad, swishSignGrad } from '../kernels/quantize.ts';
import { DEFAULT_BETA, DEFAULT_CLIP, type QuantizerName } from '../reference/quantize.ts';
import { assertDType, assertShapeIs } from './checks.ts';
import { packSigns } from './dense.ts';

export type { QuantizerName } from '../reference/quantize.ts';

/**
 * Signs of an activation, and what the backward pass of `steSign` needs of it: one bit a value instead of the value.
 * @param x f32 [..., C]
 * @param options.clip half width of the window in which `steSign` passes the gradient; 1 when absent
 * @returns bits [..., C], and for `steSign` gate bits [..., C], 1 where |x| ≤ clip: the gradient passes
 * @throws ShapeError, OptionError
 */
export function binarize(
  b: ProgramBuilder,
  x: Tensor,
  options: { readonly quantizer: QuantizerName; readonly clip?: number | undefined },
): { bits: Tensor; gate?: Tensor } {
  const where = 'binarize';
  assertDType(x, 'f32', where);
  const { quantizer } = options;
  const CLIP = positive(options.clip ?? DEFAULT_CLIP, 'clip', where);
  switch (quantizer) {
    case 'steIdentity':
    case 'approxSign':
    case 'swishSign':
      return { bits: packSigns(b, x) };
    case 'steSign': {
      const bits = b.transient('signs', x.shape, 'bits');
      const gate = b.transient('gate', x.shape, 'bits');
      const CHANNELS = x.shape.at(-1) ?? 1;
      b.dispatch(binarizeGated, { x, bits, gate }, { ROWS: x.size / CHANNELS, CHANNELS, CLIP });
      return { bits, gate };
    }
    default:
      throw unknownQuantizer(quantizer, where);
  }
}

/**
 * Gradient through a quantizer: gradOutput times the derivative of its surrogate at x, elementwise.
 * @param gradOutput f32 [..., C]
 * @param options.gate bits [..., C] from `binarize`; what `steSign` reads, unless `x` is given instead
 * @param options.x f32 [..., C], the quantizer's input; `approxSign` and `swishSign` need it
 * @param options.clip of `steSign` when it reads `x`; 1 when absent
 * @param options.beta steepness of `swishSign`; 5 when absent
 * @returns f32 [..., C]; for `steIdentity` the very tensor `gradOutput`
 * @throws ShapeError, OptionError
 */
export function binarizeGrad(
  b: ProgramBuilder,
  gradOutput: Tensor,
  options: {
    readonly quantizer: QuantizerName;
    readonly gate?: Tensor | undefined;
    readonly x?: Tensor | undefined;
    readonly clip?: number | undefined;
    readonly beta?: number | undefined;
  },
): Tensor {
  const where = 'binarizeGrad';
  assertDType(gradOutput, 'f32', where);
  const { quantizer, gate } = options;
  const { shape, size: SIZE } = gradOutput;
  const g = gradOutput;
  const result = () => b.transient(`${quantizer} gradient`, shape, 'f32');
  const input = () => {
    if (options.x === undefined) {
      throw new OptionError("This quantizer's gradient needs its input.", {
        given: `${quantizer} without x${quantizer === 'steSign' ? ' or gate' : ''}`,
        expected: `the f32 tensor that was binarized, in options.x`,
        where,
      });
    }
    assertDType(options.x, 'f32', where);
    assertShapeIs(options.x, shape, where);
    return options.x;
  };
  switch (quantizer) {
    case 'steIdentity':
      return gradOutput;
    case 'steSign': {
      if (gate === undefined) {
        const CLIP = positive(options.clip ?? DEFAULT_CLIP, 'clip', where);
        const x = input();
        const out = result();
        b.dispatch(steSignGrad, { g, x, out }, { SIZE, CLIP });
        return out;
      }
      assertDType(gate, 'bits', where);
      assertShapeIs(gate, shape, where);
      const CHANNELS = shape.at(-1) ?? 1;
      const out = result();
      b.dispatch(gateGrad, { g, gate, out }, { ROWS: SIZE / CHANNELS, CHANNELS });
      return out;
    }
    case 'approxSign': {
      const x = input();
      const out = result();
      b.dispatch(approxSignGrad, { g, x, out }, { SIZE });
      return out;
    }
    case 'swishSign': {
      const BETA = positive(options.beta ?? DEFAULT_BETA, 'beta', where);
      const x = input();
      const out = result();
      b.dispatch(swishSignGrad, { g, x, out }, { SIZE, BETA });
      return out;
    }
    default:
      throw unknownQuantizer(quantizer, where);
  }
}

/** @throws OptionError unless the number is one, finite and above 0 */
function positive(value: number, name: string, where: string): number {
  if (!(value > 0) || !Number.isFinite(value)) {
    throw new OptionError(`The option ${name} is a positive number.`, { given: `${value}`, where });
  }
  return value;
}

function unknownQuantizer(given: never, where: string): OptionError {
  return new OptionError('This quantizer is unknown.', {
    given: String(given),
    expected: 'steSign, steIdentity, approxSign or swishSign',
    where,
  });
}
