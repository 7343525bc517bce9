import { defineQuantizer } from '../define-quantizer.ts';
import { BI_REAL } from './bi-real.ts';

/** Signs around a threshold that is learned of each channel. */
export const reActSign = /* @__PURE__ */ defineQuantizer({
  name: 'reActSign',
  formula:
    'sign(x + b), with b learned of each channel from 0; gradient: 2 - 2|x + b| where |x + b| <= 1, else 0',
  source:
    "Liu et al. 2020 (ReActNet), arXiv 2003.03488: RSign, with Bi-Real Net's gradient as in the authors' code",
  ...BI_REAL,
  unfit: { weights: 'its thresholds are of the channels of activations' },
  learned: { per: 'channel', numbers: { shift: { start: 0, says: 'b' } } },
  row: {
    wgsl: `
      struct Learned { shift: f32 }
      fn argument(x: f32, row: RowStatistics, own: Learned) -> f32 { return x + own.shift; }
      fn slope(x: f32, row: RowStatistics, own: Learned) -> f32 { return 1.0; }
      fn learning(x: f32, sign: f32, passed: f32, row: RowStatistics, own: Learned) -> vec4f {
        return vec4f(passed, 0.0, 0.0, 0.0);
      }`,
    argument: (x, _, { learned: { shift = 0 } }) => x + shift,
    slope: () => 1,
    learning: ({ passed }) => [passed],
  },
});
