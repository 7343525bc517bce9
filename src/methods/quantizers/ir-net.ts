import { defineQuantizer } from '../define-quantizer.ts';
import { STANDARDIZED, TANH_SLOPE } from './standardized.ts';

/** Signs of standardised weights, times a power of two. */
export const irNet = /* @__PURE__ */ defineQuantizer({
  name: 'irNet',
  formula:
    'weights: 2^round(log2 mean |v|) sign(v) with v = (w - mean) / sd of the filter; gradient: k t (1 - tanh²(t x)), k = max(1/t, 1)',
  source: 'Qin et al. 2020 (IR-Net), arXiv 1909.10788; here mean and deviation pass no gradient of their own',
  ...TANH_SLOPE,
  row: {
    ...STANDARDIZED,
    wgsl: `${STANDARDIZED.wgsl}
      fn scale(row: RowStatistics) -> f32 {
        let magnitude = row.mean_deviation / max(row.sd, 1e-20);
        return ldexp(1.0, i32(round(log2(max(magnitude, 1e-20)))));
      }`,
    scale: ({ meanDeviation, sd }) =>
      2 ** Math.round(Math.log2(Math.max(meanDeviation / Math.max(sd, 1e-20), 1e-20))),
  },
});
