import wgsl from '../../../shaders/methods/augmentations/rotate.wgsl';
import { defineAugmentation } from '../augmentation.ts';

/** Turned about the centre by small angles. */
export const rotate = /* @__PURE__ */ defineAugmentation({
  name: 'rotate',
  stage: 'move',
  formula: 'turned within ± degrees',
  source: "Keras' RandomRotation",
  parameters: { degrees: { default: 10, from: 0, to: 90, says: 'the largest angle' } },
  wgsl,
  twin: ([x, y], _, [random = 0], { degrees }) => {
    const angle = ((degrees * Math.PI) / 180) * (2 * random - 1);
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    return [cosine * x - sine * y, sine * x + cosine * y];
  },
});
