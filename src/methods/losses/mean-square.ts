import wgsl from '../../../shaders/methods/losses/mean_square.wgsl';
import { defineLoss } from '../loss.ts';

/** The mean square error. */
export const meanSquare = /* @__PURE__ */ defineLoss({
  name: 'meanSquare',
  formula: 'mean over outputs of (o - t)²',
  source: "Keras' mean_squared_error",
  wgsl,
  twin({ outputs, wanted }) {
    const errors = outputs.map((o, c) => o - (wanted[c] ?? 0));
    return {
      loss: errors.reduce((sum, e) => sum + e * e, 0) / errors.length,
      gradient: errors.map((e) => (2 * e) / errors.length),
    };
  },
});
