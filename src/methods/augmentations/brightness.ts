import wgsl from '../../../shaders/methods/augmentations/brightness.wgsl';
import { defineAugmentation } from '../augmentation.ts';

/** Made brighter or darker; nothing is cut off at the ends of the range. */
export const brightness = /* @__PURE__ */ defineAugmentation({
  name: 'brightness',
  stage: 'change',
  formula: 'v + b; b within ± amount of the span of the values',
  source: "Keras' RandomBrightness, without its limits",
  parameters: {
    amount: { default: 0.2, from: 0, says: 'share of the span (255 of bytes, 1 of reals), at most' },
  },
  wgsl,
  twin: (value, { span }, [random = 0], { amount }) => value + amount * span * (2 * random - 1),
});
