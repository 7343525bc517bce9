import { defineQuantizer } from '../define-quantizer.ts';
import { STANDARDIZED, TANH_SLOPE } from './standardized.ts';

/** Two values of each filter, around its mean. */
export const adaBin = /* @__PURE__ */ defineQuantizer({
  name: 'adaBin',
  formula:
    'weights: α sign((w - β) / α) + β with β mean and α standard deviation of the filter; gradient: k t (1 - tanh²(t x)), k = max(1/t, 1)',
  source:
    'Tu et al. 2022 (AdaBin), arXiv 2208.08084, the weights; here α and β pass no gradient of their own',
  ...TANH_SLOPE,
  row: {
    ...STANDARDIZED,
    wgsl: `${STANDARDIZED.wgsl}
      fn scale(row: RowStatistics) -> f32 { return row.sd; }
      fn offset(row: RowStatistics) -> f32 { return row.mean; }`,
    scale: ({ sd }) => sd,
    offset: ({ mean }) => mean,
  },
});
