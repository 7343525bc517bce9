import { defineOptimizer } from '../optimizer.ts';

/** AdaMax without multiplications: every step is m shifted by whole bits. */
export const shiftAdaMax = /* @__PURE__ */ defineOptimizer({
  name: 'shiftAdaMax',
  about: 'AdaMax without multiplications: steps are m over v, shifted by whole bits',
  formula:
    'm <- b1 m + (1 - b1) g; v <- AP2(max(b2 v, |g|)) + 2^-27; w <- w - 2^round(log2(rate / (1 - b1^t))) m / v; AP2(x) = sign(x) 2^round(log2 |x|)',
  source: 'Hubara et al. 2016, arXiv 1602.02830, algorithm 4, with v rounded as in the code of its authors',
  provenance: 'authors',
  recipe: 'rate 2^-10, beta1 1 - 2^-3, beta2 1 - 2^-10 in the paper; the code has 0.9 and 0.999.',
  remarks: 'The paper divides by AP2(v) and keeps v itself; the code rounds what it keeps. This is the code.',
  parameters: {
    beta1: { default: 0.9, from: 0, below: 1, says: 'share of m that stays' },
    beta2: { default: 0.999, from: 0, below: 1, says: 'share of v that stays' },
  },
  wgsl: `
    override BETA1: f32;
    override GAIN1: f32; // 1 - beta1
    override BETA2: f32;
    struct Slots { m: Lane, v: Lane }
    struct Scalars { shift: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = BETA1 * (*slots).m + GAIN1 * g;
      // Of nothing at all the power would be one of log2(0).
      let most = max(max(BETA2 * (*slots).v, abs(g)), Lane(exp2(-100.0)));
      let v = exp2(round(log2(most))) + exp2(-27.0);
      (*slots).m = m;
      (*slots).v = v;
      return w - scalars.shift * STEP_SCALE * m / v;
    }`,
  constants: ({ beta1 }) => ({ GAIN1: 1 - beta1 }),
  scalars: ({ step, rate }, { beta1 }) => ({
    shift: rate > 0 ? 2 ** Math.round(Math.log2(rate / (1 - beta1 ** (step + 1)))) : 0,
  }),
  twin({ w, g, slots, scalars: { shift = 0 }, stepScale }, { beta1, beta2 }) {
    const m = beta1 * (slots.m ?? 0) + (1 - beta1) * g;
    const most = Math.max(beta2 * (slots.v ?? 0), Math.abs(g), 2 ** -100);
    const v = 2 ** Math.round(Math.log2(most)) + 2 ** -27;
    Object.assign(slots, { m, v });
    return w - (shift * stepScale * m) / v;
  },
});
