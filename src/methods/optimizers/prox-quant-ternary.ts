import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';
import { ADAM_STEP, adamStep, PULLED, pulledConstants, pulledScalars } from './prox-quant.ts';

/** Rounds after which the level of a tensor stands still. */
const ROUNDS = 50;

/** Adam on weights that layers multiply by as they are, and that are pulled to 0 or to a level of their tensor. */
export const proxQuantTernary = /* @__PURE__ */ defineOptimizer({
  name: 'proxQuantTernary',
  about: 'Adam on real weights that are pulled to -a, 0 or a more strongly in every epoch',
  formula:
    'w <- Adam(w); w <- (w + λ q(w)) / (1 + λ) with λ = strength · epoch; q(w) = a sign(w) where |w| > a / 2, else 0; a: the mean of the |w| above a / 2, of the step before; at the end w <- q(w)',
  source: 'Bai et al. 2018 (ProxQuant), arXiv 1810.00861, and the code of its authors: the ternary operator',
  provenance: 'authors',
  recipe:
    '600 epochs from a trained real network, with the weights rounded after 400 and batch normalisation going on; Adam at 0.01. No accuracy of theirs is quoted here.',
  remarks:
    'Theirs has a level for each side, and 0 below 0.7 times the mean magnitude; here both sides share the level of least error, which is followed from step to step. For layers with steTern(threshold=0, share=0.7), whose values are the signs of what is not 0: batch normalisation has the level.',
  parameters: PULLED,
  wgsl: `${ADAM_STEP}
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let stepped = adam_step(w, g, slots, scalars);
      let near = select(Lane(0.0), measured * sign_lanes(stepped), abs(stepped) > Lane(0.5 * measured));
      return (stepped + scalars.pull * near) / (1.0 + scalars.pull);
    }`,
  constants: pulledConstants,
  scalars: pulledScalars,
  twin(step, values) {
    const stepped = adamStep(step, values);
    const { pull = 0 } = step.scalars;
    return (stepped + pull * nearest(stepped, step.measured)) / (1 + pull);
  },
  measure: {
    wgsl: `
      fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane {
        let size = abs(now);
        return measured + select(Lane(0.0), size - measured, size > Lane(0.5 * measured));
      }`,
    // Below all weights: the first level is the mean of all magnitudes.
    start: 0,
    twin({ now, measured }) {
      const size = Math.abs(now);
      return measured + (size > measured / 2 ? size - measured : 0);
    },
  },
  gradient: 'plain',
  forward: 'value',
  finish({ weights }) {
    let level = 0;
    for (let round = 0; round < ROUNDS; round++) {
      let [sum, count] = [0, 0];
      for (const w of weights) {
        if (Math.abs(w) <= level / 2) continue;
        sum += Math.abs(w);
        count += 1;
      }
      level = count === 0 ? level : sum / count;
    }
    return weights.map((w) => nearest(w, level));
  },
  real: adam,
});

function nearest(w: number, level: number): number {
  if (Math.abs(w) <= level / 2) return 0;
  return w < 0 ? -level : level;
}
