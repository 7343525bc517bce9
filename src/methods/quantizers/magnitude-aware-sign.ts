import wgsl from '../../../shaders/methods/quantizers/ste_sign.wgsl';
import { defineQuantizer } from '../quantizer.ts';

/** Signs times the mean magnitude of their filter. */
export const magnitudeAwareSign = /* @__PURE__ */ defineQuantizer({
  name: 'magnitudeAwareSign',
  formula: 'weights: α sign(w) with α = mean |w| of the filter; gradient: α where |w| <= clip, else 0',
  source: 'Rastegari et al. 2016 (XNOR-Net), arXiv 1603.05279, eq. 6; Larq: α passes no gradient of its own',
  parameters: { clip: { default: 1, above: 0, says: 'half width of the window' } },
  wgsl,
  gradient: (x, { clip }) => (Math.abs(x) <= clip ? 1 : 0),
  surrogate: (x, { clip }) => Math.max(-clip, Math.min(clip, x)),
  window: ({ clip }) => clip,
  row: {
    wgsl: 'fn scale(row: RowStatistics) -> f32 { return row.mean_magnitude; }',
    scale: ({ meanMagnitude }) => meanMagnitude,
  },
});
