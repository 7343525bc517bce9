/**
 * Weights that become signs a few at a time, layer after layer from input to output, without a gradient passed through a sign: a
 * weight is real and clipped until its mask takes it, and from then on it is its sign and rests.
 *
 *   const { optimizer, hook } = progressiveSigns({ everySteps: 50 });
 *   const trainer = await Trainer.create(gpu, model, data, { optimizer, epochs: 20 });
 *   await trainer.fit({ hooks: [hook] });
 */
import { OptionError } from '../errors.ts';
import { adam, defineOptimizer, type Optimizer } from '../methods/index.ts';
import { uniform01 } from '../numerics/random.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';
import type { Hook, HookContext } from '../train/index.ts';

/** When masks grow, and by what they are drawn. */
export interface ProgressiveSignsOptions {
  /** Steps between two looks at the weights. */
  readonly everySteps: number;
  /** Share of the training after which the first layer's mask begins to grow. Default 0. */
  readonly start?: number;
  /** Share of the training after which the last layer's is whole. Default 0.8: what is not binary learns on. */
  readonly end?: number;
  /** Of the masks. Default 1. */
  readonly seed?: number;
  /** Parameters that are masked, in the model's order. Default: all that end in `/kernel`. */
  readonly match?: RegExp;
}

/** What makes signs of weights during a training. */
export interface ProgressiveSigns {
  /** Adam, under which a weight of ±1 rests. */
  readonly optimizer: Optimizer;
  /** For `fit({ hooks: [hook] })`. It decides by the step alone, so that a resumed training needs nothing of it. */
  readonly hook: Hook;
}

/** What is real still is less than a sign. */
const MOST = 0.9999;

/** Adam; layers read the weight itself, and one that is ±1 rests. */
const restingAdam = /* @__PURE__ */ defineOptimizer({
  name: 'restingAdam',
  formula: 'w <- clip(Adam(w), -0.9999, 0.9999) unless |w| = 1',
  source: 'StoMPP: Smith & Islam 2026, arXiv 2601.22660, of which the abstract was at hand',
  wgsl: `
    struct Slots { m: Lane, v: Lane }
    struct Scalars { rate: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = (*slots).m + 0.1 * (g - (*slots).m);
      let v = (*slots).v + 0.001 * (g * g - (*slots).v);
      (*slots).m = m;
      (*slots).v = v;
      let moved = w - scalars.rate * STEP_SCALE * m / (sqrt(v) + 1e-8);
      return select(clamp(moved, Lane(-${MOST}), Lane(${MOST})), w, abs(w) >= Lane(1.0));
    }`,
  scalars: ({ step, rate }) => ({
    rate: (rate * Math.sqrt(1 - 0.999 ** (step + 1))) / (1 - 0.9 ** (step + 1)),
  }),
  twin({ w, g, slots, scalars: { rate = 0 }, stepScale }) {
    const m = 0.9 * (slots.m ?? 0) + 0.1 * g;
    const v = 0.999 * (slots.v ?? 0) + 0.001 * g * g;
    Object.assign(slots, { m, v });
    const moved = w - (rate * stepScale * m) / (Math.sqrt(v) + 1e-8);
    return Math.abs(w) >= 1 ? w : Math.max(-MOST, Math.min(MOST, moved));
  },
  gradient: 'plain',
  forward: 'value',
  finish: ({ weights }) => weights.map((w) => (w < 0 ? -1 : 1)),
  real: adam,
});

/**
 * Progressive binarization by layerwise random masks (after StoMPP: Smith & Islam 2026, arXiv 2601.22660: "layerwise stochastic
 * masking to progressively replace differentiable clipped weights/activations with hard binary step functions, while only
 * backpropagating through the unfrozen (clipped) subset"). Masks here are of weights, grow in a line, and keep what they took;
 * activations are what the network makes of them from the start. How theirs grow and are refreshed was not at hand.
 * @throws OptionError unless 0 <= start < end <= 1
 */
export function progressiveSigns(options: ProgressiveSignsOptions): ProgressiveSigns {
  assertKnownOptions(
    options,
    namesOf<ProgressiveSignsOptions>({ everySteps: true, start: true, end: true, seed: true, match: true }),
    'progressiveSigns',
  );
  const { everySteps, start = 0, end = 0.8, seed = 1, match = /\/kernel$/ } = options;
  if (!(start >= 0 && start < end && end <= 1)) {
    throw new OptionError('Masks grow between two shares of the training.', {
      given: `start = ${start}, end = ${end}`,
      expected: '0 <= start < end <= 1',
      where: 'progressiveSigns',
    });
  }
  const look = async (context: HookContext) => {
    const { step, epochs, batches } = context;
    const names = context.parameters.filter((one) => match.test(one));
    for (const [layer, name] of names.entries()) {
      const share = maskedShare(step / (epochs * batches), layer, names.length, { start, end });
      if (share === 0) continue;
      const weights = await context.read(name);
      if (maskSigns(weights, share, seed, layer) > 0) await context.write(name, weights);
    }
  };
  return { optimizer: restingAdam(), hook: { everySteps, onSteps: look } };
}

/**
 * Share of a layer's weights that are signs: layers take turns, and each grows in a line.
 * @param progress of the training, 0 to 1
 * @param layer from 0
 */
export function maskedShare(
  progress: number,
  layer: number,
  layers: number,
  over: { readonly start: number; readonly end: number },
): number {
  assertPresent(over, 'the part of the training', 'maskedShare', 'start');
  const { start, end } = over;
  return Math.max(0, Math.min(1, (layers * (progress - start)) / (end - start) - layer));
}

/**
 * Takes a share of the weights, those whose random number is below it: a larger share takes them, too.
 * @param weights become ±1 where they are taken
 * @returns how many were not before
 */
export function maskSigns(weights: Float32Array, share: number, seed: number, stream: number): number {
  assertPresent(weights, 'the weights', 'maskSigns', 'entries');
  let changed = 0;
  for (const [i, w] of weights.entries()) {
    if (Math.abs(w) >= 1 || uniform01(seed, stream, i) >= share) continue;
    weights[i] = w < 0 ? -1 : 1;
    changed += 1;
  }
  return changed;
}
