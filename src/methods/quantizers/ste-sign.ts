import wgsl from '../../../shaders/methods/quantizers/ste_sign.wgsl';
import { defineQuantizer } from '../quantizer.ts';

/** The gradient passes inside a window. */
export const steSign = /* @__PURE__ */ defineQuantizer({
  name: 'steSign',
  formula: '1 where |x| <= clip, else 0',
  source: 'Hubara et al. 2016, arXiv 1602.02830, eq. 4',
  parameters: { clip: { default: 1, above: 0, says: 'half width of the window' } },
  wgsl,
  gradient: (x, { clip }) => (Math.abs(x) <= clip ? 1 : 0),
  surrogate: (x, { clip }) => Math.max(-clip, Math.min(clip, x)),
  window: ({ clip }) => clip,
});
