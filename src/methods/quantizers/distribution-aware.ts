import { defineQuantizer } from '../define-quantizer.ts';
import { WINDOW } from './window.ts';

/** The two values that are nearest to a filter, wherever they are. */
export const distributionAware = /* @__PURE__ */ defineQuantizer({
  name: 'distributionAware',
  about: 'two values of each filter, wherever they are nearest to it: its means below and above a bound',
  formula:
    'weights: mean of the w above δ where w > δ, mean of those below where w <= δ, δ in the middle of the two; gradient: half their distance where |w - δ| <= clip',
  source: 'Prabhu et al. 2018 (distribution-aware binarization of neural networks), arXiv 1804.02941',
  provenance: 'abstract',
  remarks:
    'δ is found by iteration from the mean of the filter; theirs is said to scan sorted weights. The error that both make smallest is the same.',
  ...WINDOW,
  row: {
    wgsl: `
      fn argument(x: f32, row: RowStatistics) -> f32 { return x - 0.5 * (row.lower + row.upper); }
      fn slope(x: f32, row: RowStatistics) -> f32 { return 1.0; }
      fn scale(row: RowStatistics) -> f32 { return 0.5 * (row.upper - row.lower); }
      fn offset(row: RowStatistics) -> f32 { return 0.5 * (row.upper + row.lower); }`,
    argument: (x, { lower, upper }) => x - (lower + upper) / 2,
    slope: () => 1,
    scale: ({ lower, upper }) => (upper - lower) / 2,
    offset: ({ lower, upper }) => (upper + lower) / 2,
  },
});
