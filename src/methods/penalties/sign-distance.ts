import { definePenalty } from '../penalty.ts';

/** The distance to the nearer of −1 and 1: a W, with cusps at both signs and at 0. */
export const signDistance = /* @__PURE__ */ definePenalty({
  name: 'signDistance',
  about: 'the distance to the nearer of -1 and 1: a W',
  formula: 'λ ||w| - 1|; gradient: λ sign(w) sign(|w| - 1), and 0 at -1 and 1',
  source:
    'Bai et al. 2018 (ProxQuant), arXiv 1810.00861: the W-shaped regularizer whose prox its optimizer takes; strength 1e-4 as there',
  provenance: 'authors',
  remarks:
    'As a penalty the pull is part of the gradient, which Adam then scales to the size of its steps; proxQuant takes it as a step of its own.',
  parameters: { strength: { default: 1e-4, from: 0, says: 'λ' } },
  wgsl: `
    override STRENGTH: f32;
    fn penalized(w: f32, g: f32) -> f32 {
      return g + STRENGTH * select(1.0, -1.0, w < 0.0) * sign(abs(w) - 1.0);
    }`,
  twin: (w, g, { strength }) => g + strength * (w < 0 ? -1 : 1) * Math.sign(Math.abs(w) - 1),
  value: (w, { strength }) => strength * Math.abs(Math.abs(w) - 1),
});
