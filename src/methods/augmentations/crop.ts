import { defineAugmentation } from '../augmentation.ts';

/** A part of the image within a margin of bytes 0, of the old size: all places are alike. */
export const crop = /* @__PURE__ */ defineAugmentation({
  name: 'crop',
  stage: 'pick',
  formula: 'moved by whole pixels, each axis within ± pad',
  source: 'He et al. 2016, arXiv 1512.03385, section 4.2',
  parameters: { pad: { default: 4, from: 0, to: 0x7fff, says: 'pixels of the margin on each side' } },
});
