import { defineOptimizer } from '../optimizer.ts';
import { adam } from './adam.ts';

/**
 * Boolean logic in place of gradient descent: signals vote on each weight, and it is inverted when they agree for long enough. What
 * they said before fades faster where more of the tensor is in motion.
 */
export const boolean = /* @__PURE__ */ defineOptimizer({
  name: 'boolean',
  about: 'votes instead of descent: a sign is inverted when signals against it have added up to 1',
  formula:
    'm <- β m + η g; w <- -w and m <- 0 where w m >= 1; β: the share of the weights of the tensor that were not inverted in the step before',
  source: 'Nguyen et al. 2024 (BOLD), arXiv 2405.16339, as a replication of it quotes the paper',
  provenance: 'replication',
  recipe:
    'η 150 with batch normalisation, 12 without; Adam at 1e-3 for real parameters, cosine, 300 epochs, batches of 300. A replication says 92.37 ± .01 % of VGG-small on CIFAR-10 with batch normalisation, 90.29 ± .09 % without.',
  remarks:
    'The signal is the gradient with respect to the sign. Layers of the paper multiply signals on their way back by √(2 / outputs); here batch normalisation sets their size.',
  parameters: {
    eta: { default: 150, schedule: true, says: 'η: what a signal counts' },
  },
  wgsl: `
    struct Slots { m: Lane }
    struct Scalars { eta: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = measured * (*slots).m + scalars.eta * g;
      let signs = sign_lanes(w);
      let turns = signs * m >= Lane(1.0);
      (*slots).m = select(m, Lane(0.0), turns);
      return select(signs, -signs, turns);
    }`,
  twin({ w, g, slots, scalars: { eta = 0 }, measured }) {
    const m = measured * (slots.m ?? 0) + eta * g;
    const sign = w < 0 ? -1 : 1;
    const turns = sign * m >= 1;
    slots.m = turns ? 0 : m;
    return turns ? -sign : sign;
  },
  measure: {
    wgsl: `
      fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane {
        return select(Lane(0.0), Lane(1.0), sign_lanes(was) == sign_lanes(now));
      }`,
    start: 1,
    twin: ({ was, now }) => (was < 0 === now < 0 ? 1 : 0),
  },
  gradient: 'plain',
  signsOnly: true,
  real: adam,
});
