/** Methods of an outsider, who has the package and its documentation and nothing else. */
import { defineLoss, defineOptimizer, definePenalty, defineQuantizer } from 'webgpu-bnn/methods';

/** A piecewise polynomial, by its width. */
export const bump = defineQuantizer({
  name: 'acmeBump',
  formula: '(1 - (x / width)²)² where |x| <= width, else 0',
  source: 'a guest',
  parameters: { width: { default: 1, above: 0, says: 'half width of the window' } },
  wgsl: `
    override WIDTH: f32;
    fn gradient(x: f32) -> f32 {
      let y = max(0.0, 1.0 - x * x / (WIDTH * WIDTH));
      return y * y;
    }`,
  gradient: (x, { width }) => Math.max(0, 1 - (x / width) ** 2) ** 2,
});

/** AMSGrad (Reddi et al. 2018) without correction of the bias: three slots. */
export const amsGrad = defineOptimizer({
  name: 'acmeAmsGrad',
  formula: 'm, v: averages of g and g²; top: the largest v; w <- w - rate m / (√top + 1e-7)',
  source: 'Reddi et al. 2018, arXiv 1904.09237, algorithm 2',
  parameters: {
    beta1: { default: 0.9, from: 0, below: 1, says: 'share of m that stays' },
    beta2: { default: 0.99, from: 0, below: 1, says: 'share of v that stays' },
  },
  wgsl: `
    override BETA1: f32;
    override BETA2: f32;
    struct Slots { m: Lane, v: Lane, top: Lane }
    struct Scalars { rate: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      (*slots).m = BETA1 * (*slots).m + (1.0 - BETA1) * g;
      (*slots).v = BETA2 * (*slots).v + (1.0 - BETA2) * g * g;
      (*slots).top = max((*slots).top, (*slots).v);
      return w - scalars.rate * STEP_SCALE * (*slots).m / (sqrt((*slots).top) + Lane(1e-7));
    }`,
  twin({ w, g, slots, scalars: { rate = 0 }, stepScale }, { beta1, beta2 }) {
    const m = beta1 * (slots.m ?? 0) + (1 - beta1) * g;
    const v = beta2 * (slots.v ?? 0) + (1 - beta2) * g * g;
    const top = Math.max(slots.top ?? 0, v);
    Object.assign(slots, { m, v, top });
    return w - (rate * stepScale * m) / (Math.sqrt(top) + 1e-7);
  },
});

/** Pulls latent weights to 0, all alike. */
export const pull = definePenalty({
  name: 'acmePull',
  formula: 'λ |w|',
  source: 'a guest',
  parameters: { strength: { default: 1e-6, from: 0, says: 'λ' } },
  wgsl: 'override STRENGTH: f32;\nfn penalized(w: f32, g: f32) -> f32 { return g + STRENGTH * sign(w); }',
  twin: (w, g, { strength }) => g + strength * Math.sign(w),
  value: (w, { strength }) => strength * Math.abs(w),
});

/** Half what the label says, half what the teacher says. */
export const schooled = defineLoss({
  name: 'acmeSchooled',
  formula: 'mean of max(0, 1 - t o)² + share (o - taught)²; t = 1 where an output is wanted, else -1',
  source: 'a guest',
  parameters: { share: { default: 0.5, from: 0, says: "what the teacher's part is multiplied by" } },
  targets: ['classes'],
  teacher: true,
  wgsl: `
    override SHARE: f32;
    fn row_loss(row: Row) -> f32 {
      var loss = 0.0;
      for (var c = 0u; c < OUTPUTS; c++) {
        let side = 2.0 * wanted(row, c) - 1.0;
        let margin = max(0.0, 1.0 - side * output(row, c));
        let away = output(row, c) - taught(row, c);
        loss += margin * margin + SHARE * away * away;
        set_gradient(row, c, (2.0 * SHARE * away - 2.0 * side * margin) / (row.rows * f32(OUTPUTS)));
      }
      return loss / f32(OUTPUTS);
    }`,
  twin({ outputs, wanted, taught }, { share }) {
    const parts = outputs.map((o, c) => {
      const side = 2 * (wanted[c] ?? 0) - 1;
      const margin = Math.max(0, 1 - side * o);
      const away = o - (taught[c] ?? 0);
      return { loss: margin ** 2 + share * away ** 2, slope: 2 * share * away - 2 * side * margin };
    });
    return {
      loss: parts.reduce((sum, { loss }) => sum + loss, 0) / outputs.length,
      gradient: parts.map(({ slope }) => slope / outputs.length),
    };
  },
});
