/**
 * The input side that `quantDense`, `quantConv2d` and the `sign` layer share: binarize an activation, keep for the
 * backward pass one gate bit a value where the surrogate allows it, and gate the gradient on the way back.
 */
import type { Tensor } from '../gpu/index.ts';
import type { Quantizer } from '../methods/index.ts';
import { packSigns } from '../ops/dense.ts';
import { type Activation, type ForwardContext, gradientsOf } from './layer.ts';

export interface QuantizedInput {
  readonly bits: Tensor;
  /** Bit 1 where the gradient passes, for quantizers with a window. */
  readonly gate: Tensor | undefined;
  /** Multiplies a gradient by the surrogate. With `gated`, a bit gate was applied to it already. */
  gradient(gradient: Tensor, options?: { gated: boolean }): Tensor;
}

/** Binarizes an input; what only a backward pass needs is recorded when training. */
export function quantizeInput(
  context: ForwardContext,
  input: Activation,
  quantizer: Quantizer,
): QuantizedInput {
  const { builder } = context;
  // The sign of a sign is itself; the surrogate was applied where the sign was taken.
  if (input.kind === 'sign') return { bits: input.tensor, gate: undefined, gradient: (gradient) => gradient };
  const x = input.tensor;
  if (!context.training) {
    return { bits: packSigns(builder, x), gate: undefined, gradient: (gradient) => gradient };
  }
  const { window } = quantizer;
  const { binarize, binarizeGrad } = gradientsOf(context, 'binarize');
  const isGate = window !== undefined && Number.isFinite(window);
  const { bits, gate } = (isGate ? input.binarized?.(window) : undefined) ?? binarize(builder, x, quantizer);
  return {
    bits,
    gate,
    gradient(gradient, { gated } = { gated: false }) {
      if (gated && gate !== undefined) return gradient;
      return binarizeGrad(builder, gradient, { quantizer, ...(gate === undefined ? { x } : { gate }) });
    },
  };
}
