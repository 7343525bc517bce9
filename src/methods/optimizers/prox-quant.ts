import { defineOptimizer, type RatedTime, type TwinStep } from '../optimizer.ts';
import { adam } from './adam.ts';

/** Adam, and a pull that grows by the epoch. */
export const PULLED = {
  strength: {
    default: 1e-4,
    from: 0,
    below: Number.POSITIVE_INFINITY,
    says: 'what λ grows by in an epoch',
  },
  beta1: { default: 0.9, from: 0, below: 1, says: 'share of m that stays' },
  beta2: { default: 0.999, from: 0, below: 1, says: 'share of v that stays' },
  epsilon: { default: 1e-8, above: 0, below: Number.POSITIVE_INFINITY, says: 'added to the root of v' },
} as const;

interface PulledValues {
  readonly strength: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export const pulledConstants = ({ beta1, beta2, epsilon }: PulledValues) => ({
  GAIN1: 1 - beta1,
  GAIN2: 1 - beta2,
  EPSILON: epsilon,
});

export const pulledScalars = (
  { step, epochSteps, rate }: RatedTime,
  { beta1, beta2, strength }: PulledValues,
) => ({
  rate: (rate * Math.sqrt(1 - beta2 ** (step + 1))) / (1 - beta1 ** (step + 1)),
  pull: strength * Math.floor(step / epochSteps),
});

/** Where Adam puts a weight: what both ProxQuants pull. */
export const ADAM_STEP = `
    override GAIN1: f32; // 1 - beta1
    override GAIN2: f32; // 1 - beta2
    override EPSILON: f32;
    struct Slots { m: Lane, v: Lane }
    struct Scalars { rate: f32, pull: f32 }
    fn adam_step(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = (*slots).m + GAIN1 * (g - (*slots).m);
      let v = (*slots).v + GAIN2 * (g * g - (*slots).v);
      (*slots).m = m;
      (*slots).v = v;
      return w - (scalars.rate * STEP_SCALE) * m / (sqrt(v) + EPSILON);
    }`;

export function adamStep(
  { w, g, slots, scalars: { rate = 0 }, stepScale }: TwinStep,
  { beta1, beta2, epsilon }: PulledValues,
): number {
  const m = beta1 * (slots.m ?? 0) + (1 - beta1) * g;
  const v = beta2 * (slots.v ?? 0) + (1 - beta2) * g * g;
  Object.assign(slots, { m, v });
  return w - (rate * stepScale * m) / (Math.sqrt(v) + epsilon);
}

/** Adam on weights that layers multiply by as they are, and that are pulled to their signs more strongly in every epoch. */
export const proxQuant = /* @__PURE__ */ defineOptimizer({
  name: 'proxQuant',
  formula:
    'w <- Adam(w); w <- sign(w) (1 + sign(|w| - 1) max(||w| - 1| - λ, 0)) with λ = strength · epoch; at the end w <- sign(w)',
  source:
    'Bai et al. 2018 (ProxQuant), arXiv 1810.00861, and the code of its authors: 300 epochs from a trained real network, Adam at 0.01',
  parameters: PULLED,
  wgsl: `${ADAM_STEP}
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let stepped = adam_step(w, g, slots, scalars);
      // Without the differences from 1, which cancel: magnitudes go towards 1 by the pull, and no farther.
      let size = abs(stepped);
      let pulled = select(max(size - scalars.pull, Lane(1.0)), min(size + scalars.pull, Lane(1.0)), size <= Lane(1.0));
      return sign_lanes(stepped) * pulled;
    }`,
  constants: pulledConstants,
  scalars: pulledScalars,
  twin(step, values) {
    const stepped = adamStep(step, values);
    const { pull = 0 } = step.scalars;
    const size = Math.abs(stepped);
    return (stepped < 0 ? -1 : 1) * (size <= 1 ? Math.min(size + pull, 1) : Math.max(size - pull, 1));
  },
  gradient: 'plain',
  forward: 'value',
  finish: ({ weights }) => weights.map((w) => (w < 0 ? -1 : 1)),
  real: adam,
});
