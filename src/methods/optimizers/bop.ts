import wgsl from '../../../shaders/methods/optimizers/bop.wgsl';
import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';

/**
 * Bop (Helwegen et al. 2019, algorithm 1): there are no latent weights; a sign flips where the average of its gradients
 * says so. Parameters that aren't binary are trained by Adam.
 */
export const bop = /* @__PURE__ */ defineOptimizer({
  name: 'bop',
  formula: 'm <- (1 - γ) m + γ g; w <- -w where w m > τ',
  source: 'Helwegen et al. 2019, arXiv 1906.02107, algorithm 1',
  parameters: {
    gamma: { default: 1e-4, schedule: true, says: 'share of the average that a gradient makes' },
    threshold: { default: 1e-8, schedule: true, says: 'what the average must exceed for a flip' },
  },
  wgsl,
  twin({ w, g, slots, scalars: { gamma = 0, threshold = 0 } }) {
    const m = (slots.m ?? 0) + gamma * (g - (slots.m ?? 0));
    slots.m = m;
    const sign = w < 0 ? -1 : 1;
    return sign * m > threshold ? -sign : sign;
  },
  gradient: 'plain',
  signsOnly: true,
  real: adam,
});
