import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';

/** Adam on weights that layers multiply by as they are, and that are pulled to their signs more strongly in every epoch. */
export const proxQuant = /* @__PURE__ */ defineOptimizer({
  name: 'proxQuant',
  formula:
    'w <- Adam(w); w <- sign(w) (1 + sign(|w| - 1) max(||w| - 1| - λ, 0)) with λ = strength · epoch; at the end w <- sign(w)',
  source:
    'Bai et al. 2018 (ProxQuant), arXiv 1810.00861, and the code of its authors: 300 epochs from a trained real network, Adam at 0.01',
  parameters: {
    strength: {
      default: 1e-4,
      from: 0,
      below: Number.POSITIVE_INFINITY,
      says: 'what λ grows by in an epoch',
    },
    beta1: { default: 0.9, from: 0, below: 1, says: 'share of m that stays' },
    beta2: { default: 0.999, from: 0, below: 1, says: 'share of v that stays' },
    epsilon: { default: 1e-8, above: 0, below: Number.POSITIVE_INFINITY, says: 'added to the root of v' },
  },
  wgsl: `
    override GAIN1: f32; // 1 - beta1
    override GAIN2: f32; // 1 - beta2
    override EPSILON: f32;
    struct Slots { m: Lane, v: Lane }
    struct Scalars { rate: f32, pull: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = (*slots).m + GAIN1 * (g - (*slots).m);
      let v = (*slots).v + GAIN2 * (g * g - (*slots).v);
      (*slots).m = m;
      (*slots).v = v;
      let stepped = w - (scalars.rate * STEP_SCALE) * m / (sqrt(v) + EPSILON);
      // Without the differences from 1, which cancel: magnitudes go towards 1 by the pull, and no farther.
      let size = abs(stepped);
      let pulled = select(max(size - scalars.pull, Lane(1.0)), min(size + scalars.pull, Lane(1.0)), size <= Lane(1.0));
      return sign_lanes(stepped) * pulled;
    }`,
  constants: ({ beta1, beta2, epsilon }) => ({ GAIN1: 1 - beta1, GAIN2: 1 - beta2, EPSILON: epsilon }),
  scalars: ({ step, epochSteps, rate }, { beta1, beta2, strength }) => ({
    rate: (rate * Math.sqrt(1 - beta2 ** (step + 1))) / (1 - beta1 ** (step + 1)),
    pull: strength * Math.floor(step / epochSteps),
  }),
  twin({ w, g, slots, scalars: { rate = 0, pull = 0 }, stepScale }, { beta1, beta2, epsilon }) {
    const m = beta1 * (slots.m ?? 0) + (1 - beta1) * g;
    const v = beta2 * (slots.v ?? 0) + (1 - beta2) * g * g;
    Object.assign(slots, { m, v });
    const stepped = w - (rate * stepScale * m) / (Math.sqrt(v) + epsilon);
    const size = Math.abs(stepped);
    return (stepped < 0 ? -1 : 1) * (size <= 1 ? Math.min(size + pull, 1) : Math.max(size - pull, 1));
  },
  gradient: 'plain',
  forward: 'value',
  finish: ({ weights }) => weights.map((w) => (w < 0 ? -1 : 1)),
  real: adam,
});
