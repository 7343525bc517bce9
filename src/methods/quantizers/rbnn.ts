import { defineQuantizer } from '../define-quantizer.ts';

/** The slope of a parabola on either side of zero that grows steeper: RBNN's gradient. */
export const rbnn = /* @__PURE__ */ defineQuantizer({
  name: 'rbnn',
  about: 'signs with the slope of two parabolas that grow steeper over the training, as in RBNN',
  formula: 'gradient: k max(√2 t - t² |x|, 0), k = max(1/t, 1)',
  source: 'Lin et al. 2020 (Rotated Binary Neural Network), arXiv 2009.13055, and the code of its authors',
  provenance: 'authors',
  recipe:
    'Weights are turned by two rotations that are found anew in every epoch. No accuracy of theirs is quoted here.',
  remarks:
    'This is the gradient alone. The hook `turnToSigns` rotates weights after each epoch; `kernelRotation` of layers turns filters by a fixed rotation.',
  parameters: {
    steepness: {
      default: { from: 1e-2, to: 10, decay: 'exponential' },
      schedule: true,
      says: 't: it grows over the training',
    },
  },
  wgsl: `
    struct Scalars { steepness: f32 }
    fn gradient(x: f32, now: Scalars) -> f32 {
      let t = now.steepness;
      return max(1.0 / t, 1.0) * max(0.0, 1.4142135 * t - t * t * abs(x));
    }`,
  gradient: (x, { steepness: t }) => Math.max(1 / t, 1) * Math.max(0, Math.SQRT2 * t - t * t * Math.abs(x)),
  surrogate(x, { steepness: t }) {
    const k = Math.max(1 / t, 1);
    if (Math.abs(x) >= Math.SQRT2 / t) return k * Math.sign(x);
    return k * (Math.SQRT2 * t * x - (t * t * x * Math.abs(x)) / 2);
  },
});
