import wgsl from '../../../shaders/methods/augmentations/shift.wgsl';
import { defineAugmentation } from '../augmentation.ts';

/** Moved along both axes, by parts of pixels too; what comes in is as bytes 0. */
export const shift = /* @__PURE__ */ defineAugmentation({
  name: 'shift',
  stage: 'move',
  formula: 'each axis moved within ± amount of its extent',
  source: "Keras' RandomTranslation",
  parameters: { amount: { default: 0.1, from: 0, to: 1, says: 'share of width and height, at most' } },
  wgsl,
  twin: ([x, y], [width, height], [across = 0, down = 0], { amount }) => [
    x + amount * width * (2 * across - 1),
    y + amount * height * (2 * down - 1),
  ],
});
