/**
 * Signs that have not changed for a while are kept from then on: a hook that freezes single weights by age.
 *
 *   const { hook } = stableSigns({ everySteps: 50, age: 10 });
 *   await trainer.fit({ hooks: [hook] });
 */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';
import type { Checkpoint, CheckpointTensor, Hook } from '../train/index.ts';

/** Which signs are kept, and when. */
export interface StableSignsOptions {
  /** Steps between two looks at the weights. */
  readonly everySteps: number;
  /** Looks in a row at which a sign was the same, after which it is kept. */
  readonly age: number;
  /** Parameters that are looked at. Default: all that end in `/kernel`. */
  readonly match?: RegExp;
  /** The checkpoint that a training goes on from. */
  readonly resume?: Checkpoint | undefined;
}

/** What keeps signs during a training. */
export interface StableSigns {
  /** For `fit({ hooks: [hook] })`. */
  readonly hook: Hook;
  /** Share of the weights that are kept, by parameter. */
  shares(): Map<string, number>;
}

const KEPT = 'stableSigns/';

/**
 * Keeps signs by age: a weight that comes to a look with another sign than the kept one gets it back, with the magnitude that it
 * has. The idea is of the abstract of a paper on stable signs (2020); how it freezes them is not known, and inferred here.
 * @throws OptionError for an age that is no positive integer
 */
export function stableSigns(options: StableSignsOptions): StableSigns {
  assertKnownOptions(
    options,
    namesOf<StableSignsOptions>({ everySteps: true, age: true, match: true, resume: true }),
    'stableSigns',
  );
  const { everySteps, age, match = /\/kernel$/, resume } = options;
  if (!Number.isSafeInteger(age) || age < 1) {
    throw new OptionError('Signs are kept after so many looks.', {
      given: `age = ${age}`,
      expected: 'a positive integer',
      where: 'stableSigns',
    });
  }
  // Of each weight its sign times the looks at which it was seen in a row; more than `age`: kept.
  const ages = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [name, { data }] of resume?.tensors ?? []) {
    if (name.startsWith(KEPT) && data instanceof Float32Array)
      ages.set(name.slice(KEPT.length), data.slice());
  }
  const hook: Hook = {
    everySteps,
    async onSteps(context) {
      for (const name of context.parameters.filter((one) => match.test(one))) {
        const weights = await context.read(name);
        const own = ages.get(name) ?? new Float32Array(weights.length);
        ages.set(name, own);
        if (keepSigns(weights, own, age) > 0) await context.write(name, weights);
      }
    },
    state: async () =>
      new Map(
        [...ages].map(([name, data]): [string, CheckpointTensor] => [
          `${KEPT}${name}`,
          { dtype: 'F32', shape: [data.length], data: data.slice() },
        ]),
      ),
  };
  return {
    hook,
    shares: () =>
      new Map(
        [...ages].map(([name, own]) => [name, own.filter((one) => Math.abs(one) > age).length / own.length]),
      ),
  };
}

/**
 * Looks at the weights once: counts up ages, and gives kept signs back.
 * @param weights are changed where a kept sign had gone
 * @param ages are changed: sign times age
 * @returns how many weights were changed
 */
export function keepSigns(weights: Float32Array, ages: Float32Array, age: number): number {
  for (const each of [weights, ages])
    assertPresent(each, 'the weights and their ages', 'keepSigns', 'entries');
  let changed = 0;
  for (const [i, w] of weights.entries()) {
    const sign = w < 0 ? -1 : 1;
    const before = ages[i] ?? 0;
    const side = before < 0 ? -1 : 1;
    if (Math.abs(before) > age) {
      if (sign === side) continue;
      // A weight of 0 counts as +1.
      weights[i] = side * Math.max(Math.abs(w), LEAST);
      changed += 1;
    } else ages[i] = before !== 0 && sign === side ? before + sign : sign;
  }
  return changed;
}

const LEAST = 1e-6;
