import wgsl from '../../../shaders/methods/quantizers/swish_sign.wgsl';
import { quantizerOf } from '../quantizer.ts';

/** The derivative of the signed swish function. */
export const swishSign = /* @__PURE__ */ quantizerOf({
  name: 'swishSign',
  formula: 'β(2 - βx tanh(βx/2)) / (1 + cosh(βx))',
  source: 'Darabi et al. 2018 (BNN+), arXiv 1812.11800',
  parameters: { beta: { default: 5, above: 0, below: Number.POSITIVE_INFINITY, says: 'steepness' } },
  wgsl,
  gradient(x, { beta }) {
    const z = beta * x;
    return Math.abs(z) > 700 ? 0 : (beta * (2 - z * Math.tanh(z / 2))) / (1 + Math.cosh(z));
  },
  surrogate(x, { beta }) {
    const sigmoid = 1 / (1 + Math.exp(-beta * x));
    return 2 * sigmoid * (1 + beta * x * (1 - sigmoid)) - 1;
  },
});
