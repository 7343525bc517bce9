/**
 * Ensembles of binary networks (BENN, Zhu et al. 2018, arXiv 1806.07550): members are trained on bootstrap samples (bagging), or one
 * after the other on samples that weigh more where those before were wrong (boosting, in four variants of the authors' code).
 *
 *   const ensemble = await trainEnsemble(gpu, () => mlp({ input, classes }), data, { members: 4, rule: 'A', training });
 *   ensemble.accuracy('soft');
 */
import { residentPart, samplesOf, type TrainingData } from '../data/index.ts';
import { pick } from '../data/split.ts';
import { OptionError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import type { Model } from '../graph/index.ts';
import { pcg4d } from '../numerics/random.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { type Checkpoint, type FitHooks, Trainer, type TrainerOptions } from '../train/index.ts';

/** How members are made to differ: bootstrap samples, or one of the variants of boosting. */
export type EnsembleRule = 'bagging' | 'A' | 'B' | 'C' | 'D';

/** What follows from where a member was wrong. */
export interface Boosted {
  /** Σ w over the samples that it missed, over Σ w. */
  readonly error: number;
  /** How much its vote counts. */
  readonly alpha: number;
  /** Of the samples, for the next member. */
  readonly weights: readonly number[];
}

/**
 * One step of boosting: s is 1 where a sample was missed, and -1 where it was right.
 *
 *     A   α = ½ ln((1 - e) / e)                w <- w exp(α s)
 *     B   α = 0.1 (ln((1 - e) / e) + ln 9)     w <- 1 / ((1 / w - 1) exp(-α s) + 1)
 *     C   α as B                               w <- 1 - (n / 10) v / Σ v,  v = (1 - w) exp(-α s)
 *     D   α as B                               w as A
 *
 * The authors' code has 5000 for n / 10, their data having 50,000 samples; that C has the α of B is inferred.
 * @param weights of the samples: of B and C between 0 and 1
 * @throws OptionError for lists of other lengths, and for a member that missed nothing or everything, of which there is no α
 */
export function boost(
  rule: Exclude<EnsembleRule, 'bagging'>,
  weights: readonly number[],
  missed: readonly boolean[],
): Boosted {
  const total = weights.reduce((sum, w) => sum + w, 0);
  const error = weights.reduce((sum, w, i) => sum + (missed[i] ? w : 0), 0) / total;
  if (weights.length !== missed.length || !(error > 0 && error < 1)) {
    throw new OptionError(
      'Boosting needs a member that is wrong about some samples, and right about others.',
      {
        given: `${weights.length} weights, ${missed.length} answers, error ${error}`,
        where: 'boost',
      },
    );
  }
  const odds = Math.log((1 - error) / error);
  const alpha = rule === 'A' ? odds / 2 : 0.1 * (odds + Math.log(9));
  const toward = (i: number) => Math.exp(missed[i] ? alpha : -alpha);
  switch (rule) {
    case 'A':
    case 'D':
      return { error, alpha, weights: weights.map((w, i) => w * toward(i)) };
    case 'B':
      return { error, alpha, weights: weights.map((w, i) => 1 / ((1 / w - 1) / toward(i) + 1)) };
    case 'C': {
      const v = weights.map((w, i) => (1 - w) / toward(i));
      const sum = v.reduce((all, one) => all + one, 0);
      return { error, alpha, weights: v.map((one) => 1 - ((weights.length / 10) * one) / sum) };
    }
  }
}

/** What samples weigh at first: within the range that the rule works in. */
const FIRST_WEIGHT = { A: 1, B: 0.5, C: 0.9, D: 1 } as const;

/** As many samples as there are, drawn with replacement; they follow from the seed and the member. */
export function bootstrap(count: number, seed: number, member: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) =>
    Math.floor((pcg4d(seed, member, i, 0)[0] / 2 ** 32) * count),
  );
}

/** How many members an ensemble has, and how they are made to differ. */
export interface EnsembleOptions {
  /** How many networks are trained, one after the other. */
  readonly members: number;
  /** How they are made to differ. */
  readonly rule: EnsembleRule;
  /** Of each member; their seeds count up from its seed. */
  readonly training?: TrainerOptions;
  /** Called when a member is trained. */
  readonly onMember?: (index: number, alpha: number, testAccuracy: number) => void;
}

/** Networks that vote. */
export interface Ensemble {
  /** How much each member's vote counts. */
  readonly alphas: readonly number[];
  /** Outputs of each member for the test samples, f32 [samples, outputs]. */
  readonly outputs: readonly Float32Array[];
  /** Test accuracy of each member alone. */
  readonly alone: readonly number[];
  /** Share of the test samples that all members together take for what they are. */
  accuracy(vote: 'soft' | 'hard'): number;
}

/**
 * Trains members one after the other; only one is on the GPU at a time.
 * @param modelOf a new model for each member
 * @throws what `Trainer.create` and `fit` throw; OptionError for streams, and as `boost` does
 */
export async function trainEnsemble(
  gpu: Gpu,
  modelOf: (member: number) => Model,
  data: TrainingData,
  options: EnsembleOptions,
): Promise<Ensemble> {
  assertKnownOptions(
    options,
    namesOf<EnsembleOptions>({ members: true, rule: true, training: true, onMember: true }),
    'trainEnsemble',
  );
  const { members, rule, training = {}, onMember } = options;
  const train = residentPart(data, 'train');
  const test = residentPart(data, 'test');
  const outputs: Float32Array[] = [];
  const alphas: number[] = [];
  let weights: readonly number[] = new Array<number>(train.count).fill(
    rule === 'bagging' ? 1 : FIRST_WEIGHT[rule],
  );
  for (let member = 0; member < members; member++) {
    let made: Float32Array | undefined;
    if (rule === 'bagging') {
      made = await trainBagged(gpu, modelOf(member), data, member, training);
      alphas.push(1);
    } else {
      const total = sumOf(weights);
      const part = { ...train, weights: Float32Array.from(weights, (w) => (w * train.count) / total) };
      const own = samplesOf(data, 'train', { first: 0, count: train.count });
      const both = await trainMember(
        gpu,
        modelOf(member),
        { ...data, train: part },
        member,
        training,
        {},
        own,
      );
      made = both?.test;
      const boosted = boost(rule, weights, missedOf(both?.own ?? [], train.labels));
      alphas.push(boosted.alpha);
      weights = boosted.weights;
    }
    outputs.push(made ?? new Float32Array());
    onMember?.(member, alphas.at(-1) ?? 1, shareRight(made ?? [], test.labels));
  }
  return ensembleOf(outputs, alphas, data);
}

/** What a member is trained with that may be stopped, or was. */
export interface MemberHooks extends FitHooks {
  /** What it goes on from. */
  readonly restore?: Checkpoint | undefined;
}

/**
 * Trains one member of an ensemble by bagging, which needs none of the others.
 * @param training of all members; the seed of this one is `member` more
 * @returns its outputs for the test samples, f32 [samples, outputs]; undefined where it was stopped
 * @throws what `Trainer.create` and `fit` throw; OptionError for streams
 */
export async function trainBagged(
  gpu: Gpu,
  model: Model,
  data: TrainingData,
  member: number,
  training: TrainerOptions = {},
  hooks: MemberHooks = {},
): Promise<Float32Array | undefined> {
  const train = residentPart(data, 'train');
  const part = pick(train, bootstrap(train.count, training.seed ?? 1, member));
  return (await trainMember(gpu, model, { ...data, train: part }, member, training, hooks))?.test;
}

/** @param own samples whose outputs are asked for, too */
async function trainMember(
  gpu: Gpu,
  model: Model,
  data: TrainingData,
  member: number,
  training: TrainerOptions,
  { restore, ...hooks }: MemberHooks,
  own?: Parameters<Trainer['predict']>[0],
): Promise<{ readonly test: Float32Array; readonly own: Float32Array } | undefined> {
  const { seed = 1 } = training;
  const trainer = await Trainer.create(gpu, model, data, { ...training, seed: seed + member });
  try {
    if (restore !== undefined) await trainer.restore(restore);
    const { outcome } = await trainer.fit(hooks);
    if (outcome === 'aborted') return undefined;
    const { count } = residentPart(data, 'test');
    const test = await trainer.predict(samplesOf(data, 'test', { first: 0, count }));
    return { test, own: own === undefined ? new Float32Array() : await trainer.predict(own) };
  } finally {
    trainer.dispose();
  }
}

/**
 * Members as networks that vote.
 * @param outputs f32 [samples, outputs] of each member, for the test samples
 * @param alphas how much each member's vote counts
 * @throws OptionError for data without a test part, and for streams
 */
export function ensembleOf(
  outputs: readonly Float32Array[],
  alphas: readonly number[],
  data: TrainingData,
): Ensemble {
  const test = residentPart(data, 'test');
  return {
    ...{ alphas, outputs },
    alone: outputs.map((made) => shareRight(made, test.labels)),
    accuracy: (vote) => shareRight(voted(outputs, alphas, test.count, vote), test.labels),
  };
}

/**
 * Scores of all members together: Σ α softmax(outputs), or Σ α for the class that each takes.
 * @param outputs f32 [samples, outputs] of each member
 */
export function voted(
  outputs: readonly ArrayLike<number>[],
  alphas: readonly number[],
  samples: number,
  vote: 'soft' | 'hard',
): Float64Array {
  const width = (outputs[0]?.length ?? 0) / samples;
  const scores = new Float64Array(width * samples);
  for (const [member, own] of outputs.entries()) {
    const alpha = alphas[member] ?? 0;
    for (let sample = 0; sample < samples; sample++) {
      const row = Array.from({ length: width }, (_, c) => own[sample * width + c] ?? 0);
      const largest = Math.max(...row);
      const parts =
        vote === 'soft'
          ? row.map((o) => Math.exp(o - largest))
          : row.map((_, c) => (c === row.indexOf(largest) ? 1 : 0));
      const sum = sumOf(parts);
      for (const [c, part] of parts.entries()) {
        const at = sample * width + c;
        scores[at] = (scores[at] ?? 0) + (alpha * part) / sum;
      }
    }
  }
  return scores;
}

function missedOf(outputs: ArrayLike<number>, labels: ArrayLike<number>): boolean[] {
  const width = outputs.length / labels.length;
  return Array.from({ length: labels.length }, (_, sample) => {
    const row = Array.from({ length: width }, (__, c) => outputs[sample * width + c] ?? 0);
    return row.indexOf(Math.max(...row)) !== labels[sample];
  });
}

function shareRight(outputs: ArrayLike<number>, labels: ArrayLike<number>): number {
  return missedOf(outputs, labels).filter((isMissed) => !isMissed).length / labels.length;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
