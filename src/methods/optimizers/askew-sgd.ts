import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';

/** Descent on weights that layers multiply by as they are, and that must come ever closer to −1 or 1. */
export const askewSgd = /* @__PURE__ */ defineOptimizer({
  name: 'askewSgd',
  about: 'weights as they are, which must come ever closer to -1 or 1',
  formula:
    'c = ε - (w² - 1)², K = pull c / (4 w (w² - 1)); u = g where w = 0, c >= 0 or -g K > K², else -K; w <- clip(w - rate u, -1, 1); ε is 1, and from epoch `hold` on decay^(epoch - hold)',
  source:
    'Leconte et al. 2023 (AskewSGD), AISTATS, and the notebook of its authors: ε as there; their α, here `pull`, is not known to us',
  provenance: 'authors',
  recipe:
    'ε 1 for 50 epochs, then 0.96^(epoch - 50), in their logistic toy. No accuracy of theirs is quoted here.',
  remarks:
    'A weight that violates its constraint moves by rate · K, whatever its gradient is, unless its gradient moves it farther the same way. K grows without bound near 0 and 1, so steps stop at the sign they go to.',
  parameters: {
    pull: {
      default: 0.2,
      above: 0,
      below: Number.POSITIVE_INFINITY,
      says: 'α: how fast a violated constraint is mended',
    },
    hold: { default: 50, from: 0, below: Number.POSITIVE_INFINITY, says: 'epochs with ε = 1' },
    decay: { default: 0.96, above: 0, to: 1, says: 'what ε is multiplied by in each epoch after them' },
  },
  wgsl: `
    override PULL: f32;
    struct Scalars { rate: f32, tolerance: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let off = w * w - 1.0;
      let c = scalars.tolerance - off * off;
      let slope = 4.0 * w * off;
      let is_free = (slope == Lane(0.0)) | (c >= Lane(0.0));
      let k = PULL * c / select(slope, Lane(1.0), is_free);
      let keeps = is_free | (-g * k > k * k);
      let moved = w - scalars.rate * STEP_SCALE * select(-k, g, keeps);
      // A mended weight keeps its sign: it goes outwards, and no farther than to it.
      return clamp(moved, Lane(-1.0), Lane(1.0));
    }`,
  scalars: ({ step, epochSteps }, { hold, decay }) => ({
    tolerance: decay ** Math.max(0, Math.floor(step / epochSteps) - hold),
  }),
  twin({ w, g, scalars: { rate = 0, tolerance = 1 }, stepScale }, { pull }) {
    const off = w * w - 1;
    const c = tolerance - off * off;
    const slope = 4 * w * off;
    const isFree = slope === 0 || c >= 0;
    const k = isFree ? 0 : (pull * c) / slope;
    const moved = w - rate * stepScale * (isFree || -g * k > k * k ? g : -k);
    return Math.max(-1, Math.min(1, moved));
  },
  gradient: 'plain',
  forward: 'value',
  finish: ({ weights }) => weights.map((w) => (w < 0 ? -1 : 1)),
  real: adam,
});
