import wgsl from '../../../shaders/methods/optimizers/sgd.wgsl';
import { defineOptimizer } from '../optimizer.ts';

/** Stochastic gradient descent with momentum. */
export const sgd = /* @__PURE__ */ defineOptimizer({
  name: 'sgd',
  formula: 'v <- μ v + g; w <- w - rate v',
  source: 'Polyak 1964; as Keras',
  parameters: { momentum: { default: 0.9, from: 0, below: 1, says: 'share of the velocity that stays' } },
  wgsl,
  twin({ w, g, slots, scalars: { rate = 0 }, stepScale }, { momentum }) {
    const velocity = g + momentum * (slots.velocity ?? 0);
    slots.velocity = velocity;
    return w - rate * stepScale * velocity;
  },
});
