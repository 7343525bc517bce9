import { defineAugmentation } from '../augmentation.ts';

/** Each sample is mixed with another one of its batch, and so are their targets. */
export const mixup = /* @__PURE__ */ defineAugmentation({
  name: 'mixup',
  stage: 'mix',
  formula: 'λ a + (1 - λ) b; λ of Beta(alpha, alpha)',
  source: 'Zhang et al. 2018, arXiv 1710.09412',
  parameters: {
    alpha: { default: 0.2, from: 0.05, to: 1, says: 'near 0: hardly mixed; 1: every share alike' },
  },
});
