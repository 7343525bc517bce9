import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';
import { clipped, HIDDEN, HIDDEN_STEP, hiddenConstants, hiddenScalars, hiddenStep } from './hidden.ts';

/** Share of a normal distribution beyond which weights are brought back on either side. */
const TAIL = 1 / 256;

/** Adam on latent weights that layers see with noise of the width of a bin of the distribution's quantiles, in place of rounding. */
export const uniqNoise = /* @__PURE__ */ defineOptimizer({
  name: 'uniqNoise',
  about: 'Adam on weights with noise in place of rounding: as much as a bin of equally likely values is wide',
  formula:
    'u <- Adam(u) by the gradient at w; w <- σ Φ⁻¹(clip(Φ(u / σ) + n, 1/256, 255/256)), n uniform in ±2^-(bits + 1), anew in each step; σ: √ of the mean u² of the tensor, of the step before; u and w in [-1, 1]; at the end w <- u',
  source:
    'Baskin et al. 2018 (UNIQ), arXiv 1804.10969, and the code of its authors: the noise while training',
  provenance: 'authors',
  recipe: 'Two to five bits, layer after layer. No accuracy of theirs is quoted here.',
  remarks:
    'For layers with uniq of as many bits, which rounds what is left at the end; with steSign for one bit. Here all layers have noise from the second step to the last, the mean of a tensor is taken for 0, and where the clip lies is ours.',
  parameters: {
    bits: { default: 2, from: 1, to: 2, says: 'a whole number, as that of uniq' },
    ...HIDDEN,
  },
  wgsl: `${HIDDEN_STEP}
    override BIN: f32; // what share of a normal distribution a value stands for
    override TAIL: f32; // beyond it on either side there is nothing
    fn upper_share(z: Lane) -> Lane {
      let t = 1.0 / (1.0 + 0.3275911 * 0.70710678 * z);
      let inner = 1.421413741 + t * (-1.453152027 + t * 1.061405429);
      return 0.5 * t * (0.254829592 + t * (-0.284496736 + t * inner)) * exp(-0.5 * z * z);
    }
    fn upper_quantile(share: Lane) -> Lane {
      let w = -log(4.0 * share * (1.0 - share)) - 2.5;
      var sum = 3.43273939e-7 + w * 2.81022636e-8;
      sum = -4.39150654e-6 + w * (-3.5233877e-6 + w * sum);
      sum = -0.00125372503 + w * (0.00021858087 + w * sum);
      sum = 0.246640727 + w * (-0.00417768164 + w * sum);
      sum = 1.50140941 + w * sum;
      return sum * 1.41421356 * (1.0 - 2.0 * share);
    }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let u = hidden_step(w, g, slots, scalars);
      var made = u;
      if (measured > 0.0) {
        let sd = sqrt(measured);
        let side = sign_lanes(u);
        let beyond = upper_share(abs(u) / sd) - side * BIN * (chances() - 0.5);
        made = clipped(side * sd * upper_quantile(clamp(beyond, Lane(TAIL), Lane(1.0 - TAIL))));
      }
      (*slots).rest = u - made;
      return made;
    }`,
  constants: (values) => ({ ...hiddenConstants(values), BIN: 2 ** -values.bits, TAIL }),
  scalars: hiddenScalars,
  twin(step, values) {
    const u = hiddenStep(step, values);
    const { measured, chance } = step;
    const made =
      measured > 0 ? clipped(noised(u, Math.sqrt(measured), (chance - 0.5) * 2 ** -values.bits)) : u;
    step.slots.rest = u - made;
    return made;
  },
  measure: {
    wgsl: 'fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane { return (now + slots.rest) * (now + slots.rest); }',
    // Nothing is known yet: the first step has no noise.
    start: 0,
    twin: ({ now, slots: { rest = 0 } }) => (now + rest) ** 2,
  },
  gradient: 'plain',
  forward: 'value',
  finish: ({ weights, slots: { rest } }) => weights.map((w, i) => w + (rest?.[i] ?? 0)),
  real: adam,
});

/** σ Φ⁻¹(clip(Φ(u / σ) + noise)), by the share beyond |u|: small shares are exact. */
function noised(u: number, sd: number, noise: number): number {
  const side = u < 0 ? -1 : 1;
  const beyond = Math.max(TAIL, Math.min(1 - TAIL, upperShare(Math.abs(u) / sd) - side * noise));
  return side * sd * upperQuantile(beyond);
}

/** 1 - Φ(z) of z >= 0: Abramowitz and Stegun 7.1.26, to 1e-7. */
function upperShare(z: number): number {
  const t = 1 / (1 + 0.3275911 * Math.SQRT1_2 * z);
  const inner = 1.421413741 + t * (-1.453152027 + t * 1.061405429);
  return 0.5 * t * (0.254829592 + t * (-0.284496736 + t * inner)) * Math.exp(-0.5 * z * z);
}

/** The z whose 1 - Φ(z) is a share from 1/256 to 255/256: Giles 2010, Approximating the erfinv function, its middle. */
function upperQuantile(share: number): number {
  const w = -Math.log(4 * share * (1 - share)) - 2.5;
  return MIDDLE.reduce((sum, factor) => sum * w + factor, 0) * Math.SQRT2 * (1 - 2 * share);
}

const MIDDLE = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
] as const;
