import { defineQuantizer } from '../define-quantizer.ts';
import { WINDOW } from './window.ts';

/** Signs times mean magnitudes, of what is left over each time. */
export const greedyBits = /* @__PURE__ */ defineQuantizer({
  name: 'greedyBits',
  about: 'several planes of signs, each of what the former leave over',
  formula:
    'the sum over the bits of mean |r| sign(r), with r what the former leave over, first the value; gradient: 1 where |x| <= clip',
  source:
    'Guo et al. 2017 (network sketching), arXiv 1706.02021, algorithm 1; greedy foldable of Pouransari et al. 2020, arXiv 2001.02786',
  provenance: 'authors',
  ...WINDOW,
  parameters: { ...WINDOW.parameters, bits: { default: 2, from: 1, to: 8, says: 'planes, a whole number' } },
  row: {
    wgsl: 'fn scale(row: RowStatistics) -> f32 { return row.mean_magnitude; }',
    straight: true,
    planes: { count: ({ bits }) => bits, of: 'remainder' },
    scale: ({ meanMagnitude }) => meanMagnitude,
  },
});
