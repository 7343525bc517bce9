import { defineQuantizer } from '../define-quantizer.ts';
import { WINDOW } from './window.ts';

/** Signs that are drawn anew in every step of a training; the plain signs where a network is only run. */
export const stochasticSign = /* @__PURE__ */ defineQuantizer({
  name: 'stochasticSign',
  formula: '+1 with probability clip((x + 1) / 2, 0, 1), else -1; gradient: 1 where |x| <= clip, else 0',
  source: 'Hubara et al. 2016, arXiv 1602.02830, eq. 2',
  ...WINDOW,
  row: {
    wgsl: 'fn argument(x: f32, row: RowStatistics) -> f32 { return clamp(0.5 * (x + 1.0), 0.0, 1.0) - chance(); }',
    straight: true,
    argument: (x, _, { chance }) => Math.max(0, Math.min(1, (x + 1) / 2)) - chance,
  },
});
