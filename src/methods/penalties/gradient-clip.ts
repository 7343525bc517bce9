import { definePenalty } from '../penalty.ts';

/** A bound on what one gradient may say of a binary weight. */
export const gradientClip = /* @__PURE__ */ definePenalty({
  name: 'gradientClip',
  about: 'clips the gradient of each binary weight',
  formula: 'g <- clip(g, -limit, limit)',
  source:
    "one of what Alizadeh et al. 2019 (an empirical study of binary neural networks' optimisation) vary, ICLR; the limit is ours",
  provenance: 'abstract',
  remarks:
    'It edits gradients and adds nothing to the loss. Adam divides by the size of gradients, so that a limit below all of them makes it a method of signs.',
  parameters: {
    limit: { default: 1, above: 0, below: Number.POSITIVE_INFINITY, says: 'the most that a gradient says' },
  },
  wgsl: `
    override LIMIT: f32;
    fn penalized(w: f32, g: f32) -> f32 { return clamp(g, -LIMIT, LIMIT); }`,
  twin: (_, g, { limit }) => Math.max(-limit, Math.min(limit, g)),
});
