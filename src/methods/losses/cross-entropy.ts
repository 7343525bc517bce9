import wgsl from '../../../shaders/methods/losses/cross_entropy.wgsl';
import { defineLoss } from '../loss.ts';
import { logSoftmax } from './softmax.ts';

/** The cross-entropy of the softmax of the outputs. */
export const crossEntropy = /* @__PURE__ */ defineLoss({
  name: 'crossEntropy',
  formula: '-Σ t log softmax(o); t = (1 - smoothing) of what is wanted + smoothing / outputs',
  source: 'label smoothing: Szegedy et al. 2016, arXiv 1512.00567, section 7',
  parameters: {
    smoothing: { default: 0, from: 0, to: 1, says: 'share of the label that all outputs share' },
  },
  wgsl,
  twin({ outputs, wanted }, { smoothing }) {
    const log = logSoftmax(outputs);
    const t = wanted.map((value) => value * (1 - smoothing) + smoothing / outputs.length);
    const total = t.reduce((sum, value) => sum + value, 0);
    return {
      loss: -log.reduce((sum, value, c) => sum + (t[c] ?? 0) * value, 0),
      gradient: log.map((value, c) => total * Math.exp(value) - (t[c] ?? 0)),
    };
  },
});
