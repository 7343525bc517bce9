import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';
import { HIDDEN, HIDDEN_STEP, hiddenConstants, hiddenScalars, hiddenStep } from './hidden.ts';

/** Adam on latent weights whose magnitudes are chances: layers see the sign of each, or nothing of it. */
export const stochasticMasks = /* @__PURE__ */ defineOptimizer({
  name: 'stochasticMasks',
  about: 'signs under masks that are drawn anew in every step, with chances that are learned',
  formula:
    'u <- Adam(u) by the gradient at w, in [-1, 1]; w <- sign(u) where n < |u|, else 0, n uniform in [0, 1), anew in each step; at the end w <- sign(u) where |u| >= 1/2, else 0',
  source:
    'inferred; the drawing is ternary connect of Lin et al. 2016, arXiv 1510.03009, as a mask with the chance |u|',
  provenance: 'inferred',
  remarks:
    'For layers with steTern, whose values are -1, 0 and 1. A weight of magnitude 1 is never masked: a network of such is one of signs. One latent weight is both the sign and the chance of its mask.',
  parameters: HIDDEN,
  wgsl: `${HIDDEN_STEP}
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let u = hidden_step(w, g, slots, scalars);
      let made = select(Lane(0.0), sign_lanes(u), chances() < abs(u));
      (*slots).rest = u - made;
      return made;
    }`,
  constants: hiddenConstants,
  scalars: hiddenScalars,
  twin(step, values) {
    const u = hiddenStep(step, values);
    const made = step.chance < Math.abs(u) ? (u < 0 ? -1 : 1) : 0;
    step.slots.rest = u - made;
    return made;
  },
  gradient: 'plain',
  forward: 'value',
  finish: ({ weights, slots: { rest } }) =>
    weights.map((w, i) => {
      const u = w + (rest?.[i] ?? 0);
      return Math.abs(u) < 0.5 ? 0 : u < 0 ? -1 : 1;
    }),
  real: adam,
});
