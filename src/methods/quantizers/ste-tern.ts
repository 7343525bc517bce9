import row from '../../../shaders/methods/rows/ternary.wgsl';
import { defineQuantizer } from '../define-quantizer.ts';
import { WINDOW } from './window.ts';

/** -1, 0 or 1 by a threshold: two planes of signs. */
export const steTern = /* @__PURE__ */ defineQuantizer({
  name: 'steTern',
  formula:
    '1 where x >= t, -1 where x < -t, else 0; t = threshold + share · mean |x| of the row; gradient: 1 where |x| <= clip',
  source:
    'Li et al. 2016 (ternary weight networks), arXiv 1605.04711: threshold 0, share 0.7; defaults of Larq',
  ...WINDOW,
  parameters: {
    ...WINDOW.parameters,
    threshold: {
      default: 0.05,
      from: 0,
      below: Number.POSITIVE_INFINITY,
      says: 'below it in magnitude is 0',
    },
    share: {
      default: 0,
      from: 0,
      below: Number.POSITIVE_INFINITY,
      says: "of the row's mean magnitude, which the threshold is more by",
    },
  },
  row: {
    wgsl: row,
    straight: true,
    readsRow: ({ share }) => share > 0,
    planes: { count: () => 2, of: 'value' },
    argument: (x, { meanMagnitude }, { threshold, share, plane }) =>
      x + (plane === 1 ? 1 : -1) * (threshold + share * meanMagnitude),
    scale: () => 0.5,
  },
});
