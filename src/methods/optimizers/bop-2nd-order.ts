import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';

/** Bop with the second moment of the gradient: what a weight has to exceed is in proportion to how much its gradient varies. */
export const bop2ndOrder = /* @__PURE__ */ defineOptimizer({
  name: 'bop2ndOrder',
  about: 'Bop that sees how much gradients vary: the average over the root of the average square',
  formula:
    'm <- m + γ (g - m); v <- v + σ (g² - v); w <- -w where w m / (√v + 1e-10) > τ; unbiased: of m / (1 - (1 - γ)^t) and v / (1 - (1 - σ)^t)',
  source: 'Suarez-Ramirez et al. 2021 (Bop and beyond), arXiv 2104.05124, and the code of its authors',
  provenance: 'authors',
  recipe:
    'CIFAR-10, BinaryNet, 500 epochs, Adam for the real parameters from 0.01 to 0.001, linear schedules: threshold 1e-5 to 1e-8, gamma 1e-2 to 1e-5, sigma 1e-7 to 1e-2. They report 91.9 % biased, 91.4 % unbiased, and 91.3 % of Bop.',
  remarks:
    "The first formula is the authors' code; where w m / (√v + 1e-10) equals τ theirs makes +1 of the weight, and this one leaves it. Corrections for the start take γ and σ as they are at a step, as if they had never changed.",
  parameters: {
    gamma: { default: 1e-6, schedule: true, says: 'share of the average of gradients that a gradient makes' },
    sigma: { default: 1e-2, schedule: true, says: 'share of the average of squares that a square makes' },
    threshold: { default: 1e-6, schedule: true, says: 'what the ratio must exceed for a flip' },
    unbiased: { default: 0, from: 0, to: 1, says: '1: both averages are corrected for their start from 0' },
  },
  wgsl: `
    struct Slots { m: Lane, v: Lane }
    struct Scalars { gamma: f32, sigma: f32, threshold: f32, gain_m: f32, gain_v: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = (*slots).m + scalars.gamma * (g - (*slots).m);
      let v = (*slots).v + scalars.sigma * (g * g - (*slots).v);
      (*slots).m = m;
      (*slots).v = v;
      let signs = sign_lanes(w);
      let ratio = signs * (m * scalars.gain_m) / (sqrt(v * scalars.gain_v) + 1e-10);
      return select(signs, -signs, ratio > Lane(scalars.threshold));
    }`,
  scalars: ({ step }, { unbiased }, { gamma, sigma }) => {
    const gain = (share: number) => (unbiased === 1 && share > 0 ? 1 / (1 - (1 - share) ** (step + 1)) : 1);
    return { gain_m: gain(gamma), gain_v: gain(sigma) };
  },
  twin({ w, g, slots, scalars: { gamma = 0, sigma = 0, threshold = 0, gain_m = 1, gain_v = 1 } }) {
    const m = (slots.m ?? 0) + gamma * (g - (slots.m ?? 0));
    const v = (slots.v ?? 0) + sigma * (g * g - (slots.v ?? 0));
    Object.assign(slots, { m, v });
    const sign = w < 0 ? -1 : 1;
    return (sign * (m * gain_m)) / (Math.sqrt(v * gain_v) + 1e-10) > threshold ? -sign : sign;
  },
  gradient: 'plain',
  signsOnly: true,
  real: adam,
});
