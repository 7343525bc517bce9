import { defineAugmentation } from '../augmentation.ts';

/** The mirror image, left to right, of half of the samples. */
export const flip = /* @__PURE__ */ defineAugmentation({
  name: 'flip',
  stage: 'pick',
  formula: 'mirrored left to right, or not',
  source: 'He et al. 2016, arXiv 1512.03385, section 4.2',
});
