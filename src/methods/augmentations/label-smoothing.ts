import { defineAugmentation } from '../augmentation.ts';

/** A share of what is wanted goes to all outputs alike; of bits, to both of their values. */
export const labelSmoothing = /* @__PURE__ */ defineAugmentation({
  name: 'labelSmoothing',
  stage: 'targets',
  formula: '(1 - share) t + share / outputs',
  source: 'Szegedy et al. 2016, arXiv 1512.00567, section 7',
  parameters: { share: { default: 0.1, from: 0, to: 1, says: 'of what is wanted' } },
});
