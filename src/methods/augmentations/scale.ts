import wgsl from '../../../shaders/methods/augmentations/scale.wgsl';
import { defineAugmentation } from '../augmentation.ts';

/** Made larger or smaller about the centre. */
export const scale = /* @__PURE__ */ defineAugmentation({
  name: 'scale',
  stage: 'move',
  formula: 'pixels from 1 ± amount of their distance to the centre',
  source: "Keras' RandomZoom",
  parameters: { amount: { default: 0.1, from: 0, below: 1, says: 'how much nearer or farther, at most' } },
  wgsl,
  twin: ([x, y], _, [random = 0], { amount }) => {
    const factor = 1 + amount * (2 * random - 1);
    return [factor * x, factor * y];
  },
});
