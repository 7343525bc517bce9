import { defineQuantizer } from '../define-quantizer.ts';
import { BI_REAL } from './bi-real.ts';

/** Two values of a layer's activations, which are learned. */
export const adaBinInput = /* @__PURE__ */ defineQuantizer({
  name: 'adaBinInput',
  about: "AdaBin's activations: two values, whose distance and middle are learned of each layer",
  formula:
    'α (sign((x - β) / α) + β) with α, β learned; gradient: 2 - 2|x - β| / α where |x - β| <= α, else 0',
  source: 'Tu et al. 2022 (AdaBin), arXiv 2208.08084, the activations, and the code of its authors',
  provenance: 'authors',
  recipe:
    'With adaBin of the weights and maxout; SGD at 0.1, cosine, 400 epochs, weight decay 1e-4. They report 88.1 % of ResNet-20 on CIFAR-10, 92.3 % of VGG-small.',
  ...BI_REAL,
  unfit: { weights: 'adaBin is for them' },
  learned: {
    per: 'tensor',
    numbers: { alpha: { start: 1, says: 'α' }, beta: { start: 0, says: 'β' } },
  },
  row: {
    wgsl: `
      struct Learned { alpha: f32, beta: f32 }
      fn argument(x: f32, row: RowStatistics, own: Learned) -> f32 { return (x - own.beta) / own.alpha; }
      fn slope(x: f32, row: RowStatistics, own: Learned) -> f32 { return 1.0 / own.alpha; }
      fn scale(row: RowStatistics, own: Learned) -> f32 { return own.alpha; }
      fn offset(row: RowStatistics, own: Learned) -> f32 { return own.alpha * own.beta; }
      fn learning(x: f32, sign: f32, passed: f32, row: RowStatistics, own: Learned) -> vec4f {
        return vec4f(sign + own.beta - passed * (x - own.beta) / own.alpha, own.alpha - passed, 0.0, 0.0);
      }`,
    argument: (x, _, { learned: { alpha = 1, beta = 0 } }) => (x - beta) / alpha,
    slope: (_x, _row, { learned: { alpha = 1 } }) => 1 / alpha,
    scale: (_, { learned: { alpha = 1 } }) => alpha,
    offset: (_, { learned: { alpha = 1, beta = 0 } }) => alpha * beta,
    learning: ({ x, sign, passed }, _, { learned: { alpha = 1, beta = 0 } }) => [
      sign + beta - (passed * (x - beta)) / alpha,
      alpha - passed,
    ],
  },
});
