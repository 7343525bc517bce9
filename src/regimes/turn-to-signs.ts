/**
 * Latent weights are rotated towards their signs after each epoch, by two small rotations of each layer, as RBNN does: a hook.
 *
 *   const layers = [quantDense({ units: 64, kernelQuantizer: rbnn() })];
 *   await trainer.fit({ hooks: [turnToSigns()] });
 */
import { OptionError } from '../errors.ts';
import { biRotation } from '../numerics/bi-rotation.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import type { Hook } from '../train/index.ts';

/** How weights are rotated, and which. */
export interface TurnToSignsOptions {
  /** Times that both rotations of a layer are found in turn. Default 3, as the authors have it. */
  readonly alternations?: number;
  /** What share of the way weights go, 0 to 1; |sin β| of the paper, where β is learned from π/2 on. Default 1. */
  readonly share?: number;
  /** Parameters that are rotated. Default: all that end in `/kernel`. */
  readonly match?: RegExp;
  /** Is told of each layer: the mean cosine between filters and their signs, before and after. Default: nobody is. */
  readonly onTurn?: (name: string, before: number, after: number) => void;
}

/**
 * After each epoch but the last, w ← w + share·(R₁ᵀ W R₂ − W), W a filter as a matrix that is as square as can be, and R₁, R₂ of a layer
 * those that `biRotation` finds (Lin et al. 2020, RBNN, arXiv 2009.13055, and the code of its authors). Theirs keeps weights as
 * they are, turns them anew in every pass and learns the share; here they stay turned, so that every step and file is as
 * without. What the optimizer keeps of a weight isn't turned. Weights that were clipped to [-1, 1] are clipped again.
 * @throws OptionError for a share outside 0 to 1, or alternations that are no positive integer
 */
export function turnToSigns(options: TurnToSignsOptions = {}): Hook {
  assertKnownOptions(
    options,
    namesOf<TurnToSignsOptions>({ alternations: true, share: true, match: true, onTurn: true }),
    'turnToSigns',
  );
  const { alternations = 3, share = 1, match = /\/kernel$/, onTurn } = options;
  if (!Number.isSafeInteger(alternations) || alternations < 1 || !(share >= 0 && share <= 1)) {
    throw new OptionError('Weights are turned by a share, after some alternations.', {
      given: `alternations = ${alternations}, share = ${share}`,
      expected: 'a positive integer, and a number from 0 to 1',
      where: 'turnToSigns',
    });
  }
  return {
    async onEpoch(context) {
      if (context.epoch === context.epochs) return;
      for (const name of context.parameters.filter((one) => match.test(one))) {
        const weights = await context.read(name);
        const [filters = 1] = context.shape(name);
        const { rotated } = biRotation(weights, filters, alternations);
        const isClipped = weights.every((w) => Math.abs(w) <= 1);
        const turned = weights.map((w, i) => {
          const to = w + share * ((rotated[i] ?? 0) - w);
          return isClipped ? Math.max(-1, Math.min(1, to)) : to;
        });
        onTurn?.(name, cosineOf(weights, filters), cosineOf(turned, filters));
        await context.write(name, turned);
      }
    },
  };
}

/** Mean over the filters of Σ|w| / (√n ‖w‖). */
function cosineOf(w: Float32Array, filters: number): number {
  const length = w.length / filters;
  let sum = 0;
  for (let f = 0; f < filters; f++) {
    const own = w.subarray(f * length, (f + 1) * length);
    const magnitudes = own.reduce((all, value) => all + Math.abs(value), 0);
    const norm = Math.sqrt(own.reduce((all, value) => all + value * value, 0));
    sum += norm === 0 ? 0 : magnitudes / (Math.sqrt(length) * norm);
  }
  return sum / filters;
}
