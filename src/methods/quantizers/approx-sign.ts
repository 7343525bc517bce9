import wgsl from '../../../shaders/methods/quantizers/approx_sign.wgsl';
import { defineQuantizer } from '../quantizer.ts';

/** The derivative of a piecewise polynomial that comes close to the sign. */
export const approxSign = /* @__PURE__ */ defineQuantizer({
  name: 'approxSign',
  formula: '2 - 2|x| where |x| <= 1, else 0',
  source: 'Liu et al. 2018 (Bi-Real Net), arXiv 1808.00278, eq. 6',
  wgsl,
  gradient: (x) => (Math.abs(x) <= 1 ? 2 - 2 * Math.abs(x) : 0),
  surrogate: (x) => (Math.abs(x) >= 1 ? Math.sign(x) : 2 * x - x * Math.abs(x)),
});
