import wgsl from '../../../shaders/methods/losses/mean_absolute.wgsl';
import { defineLoss } from '../loss.ts';

/** The mean absolute error. */
export const meanAbsolute = /* @__PURE__ */ defineLoss({
  name: 'meanAbsolute',
  formula: 'mean over outputs of |o - t|',
  source: "Keras' mean_absolute_error",
  wgsl,
  twin({ outputs, wanted }) {
    const errors = outputs.map((o, c) => o - (wanted[c] ?? 0));
    return {
      loss: errors.reduce((sum, e) => sum + Math.abs(e), 0) / errors.length,
      gradient: errors.map((e) => Math.sign(e) / errors.length),
    };
  },
});
