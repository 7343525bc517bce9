/**
 * Latent weights are free at first, and are clipped to [-1, 1] from a late epoch on: a hook.
 *
 *   const layers = [quantDense({ units: 64, kernelQuantizer: 'steSign', kernelConstraint: 'none' })];
 *   await trainer.fit({ hooks: [lateClip({ from: 80 })] });
 */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import type { Hook } from '../train/index.ts';

/** When latent weights are clipped, and which. */
export interface LateClipOptions {
  /** The first epoch after which weights are clipped; epochs count from 1. */
  readonly from: number;
  /** Parameters that are clipped. Default: all that end in `/kernel`. */
  readonly match?: RegExp;
}

/**
 * Clips latent weights after each epoch from one on (one of what Alizadeh et al. 2019, an empirical study of binary neural
 * networks' optimisation, find to help; of theirs the abstract was at hand: theirs may clip after each step). Layers must have
 * `kernelConstraint: 'none'`, or they are clipped all along.
 * @throws OptionError for an epoch that is no positive integer
 */
export function lateClip(options: LateClipOptions): Hook {
  assertKnownOptions(options, namesOf<LateClipOptions>({ from: true, match: true }), 'lateClip');
  const { from, match = /\/kernel$/ } = options;
  if (!Number.isSafeInteger(from) || from < 1) {
    throw new OptionError('Clipping starts after an epoch.', {
      given: `from = ${from}`,
      expected: 'a positive integer',
      where: 'lateClip',
    });
  }
  return {
    async onEpoch(context) {
      if (context.epoch < from) return;
      for (const name of context.parameters.filter((one) => match.test(one))) {
        const weights = await context.read(name);
        if (weights.every((w) => Math.abs(w) <= 1)) continue;
        await context.write(
          name,
          weights.map((w) => Math.max(-1, Math.min(1, w))),
        );
      }
    },
  };
}
