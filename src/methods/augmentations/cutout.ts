import wgsl from '../../../shaders/methods/augmentations/cutout.wgsl';
import { defineAugmentation } from '../augmentation.ts';

/** A square of one grey, anywhere. */
export const cutout = /* @__PURE__ */ defineAugmentation({
  name: 'cutout',
  stage: 'change',
  formula: 'a square of size × size about any pixel becomes the middle of the values',
  source: 'DeVries & Taylor 2017, arXiv 1708.04552',
  parameters: { size: { default: 8, from: 0, says: 'side of the square in pixels' } },
  wgsl,
  twin: (value, { here, extent, middle }, random, { size }) => {
    const isInside = here.every((at, axis) => {
      const first = Math.floor(Math.fround((random[axis] ?? 0) * (extent[axis] ?? 0))) - Math.floor(size / 2);
      return at >= first && at < first + size;
    });
    return isInside ? middle : value;
  },
});
