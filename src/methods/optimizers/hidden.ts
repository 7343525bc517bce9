/** Adam on latent weights in [-1, 1] of which layers see what a chance makes: a slot keeps what that lacks of the latent weight. */
import type { RatedTime, TwinStep } from '../optimizer.ts';
import { adam } from './adam.ts';

export const HIDDEN = {
  beta1: { default: 0.9, from: 0, below: 1, says: 'share of m that stays' },
  beta2: { default: 0.999, from: 0, below: 1, says: 'share of v that stays' },
  epsilon: { default: 1e-8, above: 0, below: Number.POSITIVE_INFINITY, says: 'added to the root of v' },
} as const;

interface HiddenValues {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export const hiddenConstants = ({ beta1, beta2, epsilon }: HiddenValues) => ({
  GAIN1: 1 - beta1,
  GAIN2: 1 - beta2,
  EPSILON: epsilon,
});

export const hiddenScalars = ({ step, rate }: RatedTime, { beta1, beta2 }: HiddenValues) => ({
  rate: (rate * Math.sqrt(1 - beta2 ** (step + 1))) / (1 - beta1 ** (step + 1)),
});

/** The latent weight's step, and a chance for each weight. */
export const HIDDEN_STEP = `
    //!include "lib/random.wgsl"
    override GAIN1: f32; // 1 - beta1
    override GAIN2: f32; // 1 - beta2
    override EPSILON: f32;
    struct Slots { m: Lane, v: Lane, rest: Lane } // rest: what w lacks of the latent weight
    struct Scalars { rate: f32 }
    // In [-1, 1]; a NaN stays one.
    fn clipped(w: Lane) -> Lane {
      return select(w, sign_lanes(w), abs(w) > Lane(1.0));
    }
    fn chances() -> Lane {
      return lanes_of(vec4f(pcg4d(drawing) >> vec4u(8u)) * 0x1p-24);
    }
    fn hidden_step(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = (*slots).m + GAIN1 * (g - (*slots).m);
      let v = (*slots).v + GAIN2 * (g * g - (*slots).v);
      let u = w + (*slots).rest - (scalars.rate * STEP_SCALE) * m / (sqrt(v) + EPSILON);
      (*slots).m = m;
      (*slots).v = v;
      return clipped(u);
    }`;

/** The twin of the latent weight's step. */
export function hiddenStep(step: TwinStep, values: HiddenValues): number {
  const latent = step.w + (step.slots.rest ?? 0);
  return clipped(adam.definition.twin({ ...step, w: latent }, values));
}

export const clipped = (w: number) => Math.max(-1, Math.min(1, w));
