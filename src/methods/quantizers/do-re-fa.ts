import gradient from '../../../shaders/methods/quantizers/unit_window.wgsl';
import row from '../../../shaders/methods/rows/do_re_fa.wgsl';
import { roundBy } from '../../numerics/rounding.ts';
import { defineQuantizer } from '../define-quantizer.ts';

/** Activations of a few bits, uniform in [0, 1]. */
export const doReFa = /* @__PURE__ */ defineQuantizer({
  name: 'doReFa',
  formula:
    'round(n clip(x, 0, 1)) / n with n = 2^bits - 1, halves to even; gradient: 1 where 0 <= x <= 1, else 0',
  source: 'Zhou et al. 2016 (DoReFa-Net), arXiv 1606.06160, section 2.3; 2 bits as in Larq',
  parameters: { bits: { default: 2, from: 1, to: 8, says: 'a whole number' } },
  wgsl: gradient,
  gradient: (x) => (x >= 0 && x <= 1 ? 1 : 0),
  surrogate: (x) => Math.max(0, Math.min(1, x)),
  unfit: { weights: 'its form for weights is normed by the largest of them all' },
  row: {
    wgsl: row,
    straight: true,
    planes: { count: ({ bits }) => bits, of: 'value' },
    argument: (x, _, { bits, plane }) =>
      (Math.floor(
        roundBy('halfEven', (2 ** bits - 1) * Math.max(0, Math.min(1, x))) / 2 ** (bits - 1 - plane),
      ) %
        2) -
      0.5,
    scale: (_, { bits, plane }) => 2 ** (bits - 2 - plane) / (2 ** bits - 1),
    offset: (_, { bits, plane }) => 2 ** (bits - 2 - plane) / (2 ** bits - 1),
  },
});
