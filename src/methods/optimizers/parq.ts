import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';

/** 1 at 0, 0 at 1, along a mirrored sigmoid. */
function fallen(progress: number, steepness: number): number {
  const sigmoid = (x: number) => 1 / (1 + Math.exp(steepness * (x - 0.5)));
  return (sigmoid(Math.max(0, Math.min(1, progress))) - sigmoid(1)) / (sigmoid(0) - sigmoid(1));
}

/**
 * Gradients at quantized weights move latent ones, which are quantized ever more sharply: from their value, clipped, to
 * their sign. ProxConnect (Dockhorn et al. 2021) is the same iteration with any such map; with the sign from the start it is BinaryConnect.
 */
export const parq = /* @__PURE__ */ defineOptimizer({
  name: 'parq',
  about: 'weights quantized ever more sharply, from their value to their sign, moved at latent ones',
  formula:
    'u <- Adam(u) by the gradient at w; w <- clip(u / s, -1, 1), sign(u) where s = 0; s falls from 1 to 0 between the shares `start` and `end` of the training, along a mirrored sigmoid',
  source: 'Jin et al. 2025 (PARQ), arXiv 2503.15748, and the code of its authors in torchao',
  provenance: 'authors',
  recipe:
    'SGD with momentum 0.9 at 0.1, weight decay 2e-4, a tenth at epochs 80, 120 and 150 of 200. They report, ResNet-20 on CIFAR-10 with weights of one bit and real activations: 90.48 ± .26 % (straight-through 89.56 ± .18, real 91.82).',
  remarks:
    'Theirs takes any optimizer for its steps, and levels ± mean |u| of a row; here it is Adam, and the levels are ±1: what is left after training are signs.',
  parameters: {
    start: { default: 0, from: 0, to: 1, says: 'share of the training after which s begins to fall' },
    end: { default: 1, from: 0, to: 1, says: 'share of it after which s is 0' },
    steepness: { default: 10, above: 0, below: 100, says: 'of the sigmoid' },
    beta1: { default: 0.9, from: 0, below: 1, says: 'share of m that stays' },
    beta2: { default: 0.999, from: 0, below: 1, says: 'share of v that stays' },
    epsilon: { default: 1e-8, above: 0, below: Number.POSITIVE_INFINITY, says: 'added to the root of v' },
  },
  wgsl: `
    override GAIN1: f32; // 1 - beta1
    override GAIN2: f32; // 1 - beta2
    override EPSILON: f32;
    // rest: what w lacks of u, so that nothing has to be kept before the first step.
    struct Slots { m: Lane, v: Lane, rest: Lane }
    struct Scalars { rate: f32, spread: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = (*slots).m + GAIN1 * (g - (*slots).m);
      let v = (*slots).v + GAIN2 * (g * g - (*slots).v);
      let u = w + (*slots).rest - scalars.rate * STEP_SCALE * m / (sqrt(v) + EPSILON);
      let size = abs(u);
      let made = sign_lanes(u) * select(size / max(scalars.spread, 1e-30), Lane(1.0), size >= Lane(scalars.spread));
      (*slots).m = m;
      (*slots).v = v;
      (*slots).rest = u - made;
      return made;
    }`,
  constants: ({ beta1, beta2, epsilon }) => ({ GAIN1: 1 - beta1, GAIN2: 1 - beta2, EPSILON: epsilon }),
  scalars: ({ step, steps, rate }, { beta1, beta2, start, end, steepness }) => {
    const share = steps > 1 ? step / (steps - 1) : 1;
    return {
      rate: (rate * Math.sqrt(1 - beta2 ** (step + 1))) / (1 - beta1 ** (step + 1)),
      spread: share >= end ? 0 : fallen((share - start) / (end - start), steepness),
    };
  },
  twin({ w, g, slots, scalars: { rate = 0, spread = 1 }, stepScale }, { beta1, beta2, epsilon }) {
    const m = beta1 * (slots.m ?? 0) + (1 - beta1) * g;
    const v = beta2 * (slots.v ?? 0) + (1 - beta2) * g * g;
    const u = w + (slots.rest ?? 0) - (rate * stepScale * m) / (Math.sqrt(v) + epsilon);
    const size = Math.abs(u);
    const made = (u < 0 ? -1 : 1) * (size >= spread ? 1 : size / spread);
    Object.assign(slots, { m, v, rest: u - made });
    return made;
  },
  gradient: 'plain',
  forward: 'value',
  finish: ({ weights }) => weights.map((w) => (w < 0 ? -1 : 1)),
  real: adam,
});
