import wgsl from '../../../shaders/methods/optimizers/adam.wgsl';
import { defineOptimizer } from '../optimizer.ts';

/** Adam (Kingma & Ba 2015, the efficient form at the end of section 2; Keras'): the bias correction is folded into the rate. */
export const adam = /* @__PURE__ */ defineOptimizer({
  name: 'adam',
  formula:
    'm <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g²; w <- w - rate √(1 - b2^t) / (1 - b1^t) · m / (√v + ε)',
  source: 'Kingma & Ba 2015, arXiv 1412.6980; epsilon as Keras',
  parameters: {
    beta1: { default: 0.9, from: 0, below: 1, says: 'share of m that stays' },
    beta2: { default: 0.999, from: 0, below: 1, says: 'share of v that stays' },
    epsilon: { default: 1e-8, above: 0, below: Number.POSITIVE_INFINITY, says: 'added to the root of v' },
  },
  wgsl,
  constants: ({ beta1, beta2, epsilon }) => ({ GAIN1: 1 - beta1, GAIN2: 1 - beta2, EPSILON: epsilon }),
  scalars: ({ step, rate }, { beta1, beta2 }) => ({
    rate: (rate * Math.sqrt(1 - beta2 ** (step + 1))) / (1 - beta1 ** (step + 1)),
  }),
  twin({ w, g, slots, scalars: { rate = 0 }, stepScale }, { beta1, beta2, epsilon }) {
    const m = beta1 * (slots.m ?? 0) + (1 - beta1) * g;
    const v = beta2 * (slots.v ?? 0) + (1 - beta2) * g * g;
    Object.assign(slots, { m, v });
    return w - (rate * stepScale * m) / (Math.sqrt(v) + epsilon);
  },
});
