import wgsl from '../../../shaders/methods/augmentations/contrast.wgsl';
import { defineAugmentation } from '../augmentation.ts';

/** Values drawn away from their middle or towards it. */
export const contrast = /* @__PURE__ */ defineAugmentation({
  name: 'contrast',
  stage: 'change',
  formula: 'm + (1 + c)(v - m), m the middle of the values (127.5 of bytes, 0 of reals); c within ± amount',
  source: "Keras' RandomContrast, about the middle of the range in place of the image's mean",
  parameters: {
    amount: { default: 0.2, from: 0, to: 1, says: 'change of the distance to the middle, at most' },
  },
  wgsl,
  twin: (value, { middle }, [random = 0], { amount }) => value + amount * (2 * random - 1) * (value - middle),
});
