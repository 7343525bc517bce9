import { defineQuantizer } from '../define-quantizer.ts';
import { WINDOW } from './window.ts';

/** Signs times the mean magnitude of their row. */
export const magnitudeAwareSign = /* @__PURE__ */ defineQuantizer({
  name: 'magnitudeAwareSign',
  formula: 'α sign(x) with α = mean |x| of the row; gradient: α where |x| <= clip, else 0',
  source: 'Rastegari et al. 2016 (XNOR-Net), arXiv 1603.05279, eq. 6; Larq: α passes no gradient of its own',
  ...WINDOW,
  row: {
    wgsl: 'fn scale(row: RowStatistics) -> f32 { return row.mean_magnitude; }',
    scale: ({ meanMagnitude }) => meanMagnitude,
  },
});
