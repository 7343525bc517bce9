/** The options of a training: their defaults, and what fits the model and the data. */
import { isStreamed, type Source } from '../data/index.ts';
import { listed, OptionError, ShapeError } from '../errors.ts';
import { describe } from '../gpu/index.ts';
import { initialValues, type Model, type Network } from '../graph/index.ts';
import type { AugmentationLike } from '../methods/augmentations/index.ts';
import {
  assertSchedule,
  type LossLike,
  type Optimizer,
  type OptimizerLike,
  type PenaltyLike,
  type RatedTime,
  resolveLoss,
  resolveOptimizer,
  resolvePenalty,
  type Schedule,
} from '../methods/index.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import type { Augmentations } from './augment.ts';
import type { CheckedData } from './data.ts';
import { optimizerFor, type StepOptions, type Vote, type WeightedLoss } from './step.ts';

/** How a network is trained. What is left away has a default. */
export interface TrainerOptions {
  /** Samples a step; what doesn't fill a batch at the end of an epoch is left out of that epoch. Default 100. */
  readonly batch?: number;
  /** Default 3. */
  readonly epochs?: number;
  /** Default `adam`. */
  readonly optimizer?: OptimizerLike;
  /**
   * Other optimizers for some parameters, by name (`layer/parameter`): of several that match, the first. `none` leaves
   * them as they are. An optimizer here also updates what `optimizer` would hand to its `real` one.
   *
   *   overrides: [{ match: /^conv1\//, optimizer: 'none' }, { match: /gamma|beta/, optimizer: sgd() }]
   */
  readonly overrides?: readonly Override[];
  /** A network on the same GPU whose outputs a loss with a teacher compares with; it is only run. */
  readonly teacher?: Network;
  /** What is added to the loss of every binary weight. Default: nothing. */
  readonly penalty?: PenaltyLike;
  /** Default: 0.02 to 0.001, exponentially, over all steps. */
  readonly learningRate?: Schedule;
  /** Default `squaredHinge`, as in the papers. */
  readonly loss?: LossLike;
  /**
   * In place of `loss`: the sum of several, of one output or of several outputs of a model. All are compared with the same
   * targets, and outputs are of one shape. Accuracy and scores are of the output of the first loss.
   *
   *   losses: [{ loss: 'crossEntropy' }, { output: 'early', loss: 'crossEntropy', weight: 0.3 }]
   */
  readonly losses?: readonly OutputLoss[];
  /** Weights, order of samples, augmentation and dropout all follow from it. Default 1. */
  readonly seed?: number;
  /** Scale the steps of binary weights by 1/√(1.5/(fanIn + fanOut)) (Courbariaux et al. 2016). Default false. */
  readonly fanScaledSteps?: boolean;
  /**
   * What the loss and the gradient of samples of each class are multiplied by: a number for each class, or `balanced`, which
   * is samples / (classes × samples of the class). Default: 1.
   */
  readonly classWeights?: readonly number[] | 'balanced';
  /**
   * What gradients are brought to before the optimizer has them: `norm`, a length of all together, or `value`, the largest size
   * of an element. Default: nothing.
   */
  readonly clip?: { readonly norm: number } | { readonly value: number };
  /**
   * Reduces gradients to their signs before the optimizer has them, 1 bit a weight; 0 counts as +1 (signSGD, Bernstein et al.
   * 2018). `alone`: the signs are this trainer's own. A function decides about them in every step: with several trainers by
   * majority, see `Poll`. Default: gradients stay as they are.
   */
  readonly votes?: 'alone' | Vote;
  /**
   * When the training is over, measure the means and variances of batch normalisation anew, on training samples and with the
   * weights as they are then: those of the training are averages over its last steps, in which weights still flipped (Wu &
   * Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3). Default: false.
   */
  readonly refitStatistics?: boolean;
  /**
   * What is done at random to the samples of every step, in this order, but crops and mirror images first. Default: nothing.
   *
   *   augment: ['crop', 'flip', { name: 'rotate', degrees: 5 }, 'mixup']
   */
  readonly augment?: readonly AugmentationLike[];
  /** Refuse a plan that needs more GPU memory than this, before anything is allocated. */
  readonly maxBytes?: number;
}

const OPTIONS = namesOf<TrainerOptions>({
  batch: true,
  epochs: true,
  optimizer: true,
  overrides: true,
  teacher: true,
  penalty: true,
  learningRate: true,
  loss: true,
  losses: true,
  seed: true,
  fanScaledSteps: true,
  classWeights: true,
  clip: true,
  votes: true,
  refitStatistics: true,
  augment: true,
  maxBytes: true,
});

/** A loss among others. */
export interface OutputLoss {
  /** What is computed of the output. */
  readonly loss: LossLike;
  /** The model's output, by name. Default: its first. */
  readonly output?: string;
  /** What it is multiplied by. Default 1. */
  readonly weight?: number;
  /** The teacher's output that it compares with, by name. Default: the one of the same name, or the only one. */
  readonly taught?: string;
}

const OUTPUT_LOSS = namesOf<OutputLoss>({ loss: true, output: true, weight: true, taught: true });

/** An optimizer for the parameters whose names match. */
export interface Override {
  /** A name, `layer/parameter`, or a pattern that finds it. */
  readonly match: RegExp | string;
  /** Default: the training's own, with another `rate`. */
  readonly optimizer?: OptimizerLike | 'none';
  /** Multiplies the learning rate. Default 1. */
  readonly rate?: number;
}

/** All of them, with their defaults. */
export type ResolvedOptions = StepOptions &
  Required<Pick<TrainerOptions, 'epochs' | 'learningRate' | 'seed' | 'refitStatistics'>>;

/** @param augment what is augmented, resolved. @throws OptionError for what is unknown or out of range */
export function resolveOptions(
  given: TrainerOptions,
  data: CheckedData,
  augment?: Augmentations,
): ResolvedOptions {
  const where = 'Trainer.create';
  assertKnownOptions(given, OPTIONS, where);
  if (given.learningRate !== undefined) assertSchedule(given.learningRate, `${where}: learningRate`);
  const options = {
    batch: given.batch ?? 100,
    epochs: given.epochs ?? 3,
    optimizer: resolveOptimizer(given.optimizer ?? 'adam', where),
    overrides: (given.overrides ?? []).map((own) => resolveOverride(own, given, where)),
    teacher: given.teacher,
    penalty: given.penalty === undefined ? undefined : resolvePenalty(given.penalty, where),
    learningRate: given.learningRate ?? { from: 0.02, to: 0.001, decay: 'exponential' as const },
    ...resolveLosses(given, where),
    seed: given.seed ?? 1,
    fanScaledSteps: given.fanScaledSteps ?? false,
    augment,
    clip: resolveClip(given.clip),
    votes: resolveVotes(given),
    refitStatistics: given.refitStatistics ?? false,
    classWeights: resolveClassWeights(given.classWeights, data),
  };
  const counts = { batch: options.batch, epochs: options.epochs };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new OptionError('This option must be a positive integer.', {
        given: `${name} = ${value}`,
        where,
      });
    }
  }
  if (!Number.isSafeInteger(options.seed) || options.seed < 0 || options.seed >= 2 ** 32) {
    throw new OptionError('A seed is an integer from 0 to 2^32 − 1.', { given: `seed = ${options.seed}` });
  }
  if (options.batch > data.train.count) {
    throw new OptionError('The batch is larger than the data set.', {
      given: `batch = ${options.batch}`,
      expected: `${data.train.count} at most for ${data.name}`,
    });
  }
  return options;
}

function resolveOverride(
  { match, optimizer, rate = 1 }: Override,
  given: TrainerOptions,
  where: string,
): ResolvedOptions['overrides'][number] {
  if (!(rate > 0 && Number.isFinite(rate))) {
    throw new OptionError('A rate of some parameters is a positive multiple.', {
      given: `rate = ${rate}`,
      where: `${where}: overrides`,
      remedy: "optimizer: 'none' leaves them as they are",
    });
  }
  if (optimizer === 'none') return { match, optimizer: undefined, rate: 1 };
  const resolved = resolveOptimizer(optimizer ?? given.optimizer ?? 'adam', where);
  return { match, optimizer: rate === 1 ? resolved : atRate(resolved, rate), rate };
}

/** An optimizer whose learning rate is a multiple of the training's. */
function atRate(optimizer: Optimizer, factor: number): Optimizer {
  const { real } = optimizer;
  return Object.create(optimizer, {
    scalarsAt: {
      value: (time: RatedTime) => optimizer.scalarsAt({ ...time, rate: factor * time.rate }),
    },
    real: { value: real === undefined ? undefined : atRate(real, factor) },
  }) as Optimizer;
}

/** @throws OptionError unless it is one positive number, by one of its names */
function resolveClip(clip: TrainerOptions['clip']): TrainerOptions['clip'] {
  if (clip === undefined) return undefined;
  const where = 'Trainer.create: clip';
  assertKnownOptions(clip, ['norm', 'value'], where);
  const [[name, most] = ['', 0], ...more] = Object.entries(clip);
  if (more.length === 0 && typeof most === 'number' && most > 0 && Number.isFinite(most)) return clip;
  throw new OptionError('Gradients are clipped to a positive number: of all together, or of each element.', {
    given: more.length === 0 ? `${name} = ${most}` : JSON.stringify(clip),
    expected: '{ norm: 1 } or { value: 1 }',
    where,
  });
}

/** @throws OptionError for what is none, and beside what changes the size of gradients alone */
function resolveVotes({ votes, clip }: TrainerOptions): StepOptions['votes'] {
  if (votes === undefined) return undefined;
  const where = 'Trainer.create: votes';
  if (votes !== 'alone' && typeof votes !== 'function') {
    throw new OptionError('Signs of gradients are decided on by a function, or alone.', {
      given: String(votes),
      expected: "'alone', or (ballot, step) => decision",
      where,
    });
  }
  if (clip === undefined) return votes;
  throw new OptionError('Signs have no size that could be clipped.', {
    given: `votes and clip: ${JSON.stringify(clip)}`,
    where,
    remedy: 'leave one of the two options away',
  });
}

/** One loss, or several. @throws OptionError for both, for none, and for a weight that is no number above 0 */
function resolveLosses(
  { loss, losses }: TrainerOptions,
  where: string,
): Pick<StepOptions, 'loss' | 'losses'> {
  if (losses === undefined) return { loss: resolveLoss(loss ?? 'squaredHinge', where), losses: undefined };
  if (loss !== undefined || !Array.isArray(losses) || losses.length === 0) {
    throw new OptionError('There is one loss, or a list of them.', {
      given: loss === undefined ? 'an empty list, or none' : 'loss and losses',
      where,
      remedy: 'leave one of the two options away',
    });
  }
  const resolved = losses.map((one: OutputLoss, i): WeightedLoss => {
    const own = `${where}: losses[${i}]`;
    assertKnownOptions(one, OUTPUT_LOSS, own);
    const { weight = 1, output, taught } = one;
    if (typeof weight !== 'number' || !Number.isFinite(weight) || weight <= 0) {
      throw new OptionError('The weight of a loss is a number above 0.', {
        given: String(weight),
        where: own,
      });
    }
    return { loss: resolveLoss(one.loss, own), weight, output, taught };
  });
  const [first] = resolved;
  return { loss: (first as WeightedLoss).loss, losses: resolved };
}

/** A number for each class. @throws OptionError for what is none */
function resolveClassWeights(
  given: TrainerOptions['classWeights'],
  { targets, classes, width, train, name }: CheckedData,
): readonly number[] | undefined {
  if (given === undefined) return undefined;
  const refused = (what: string, details: { given: string; expected?: string; remedy?: string }) =>
    new OptionError(what, { ...details, where: 'Trainer.create: classWeights' });
  // Two classes of one output are bits.
  if (targets === 'reals' || width !== 1) {
    throw refused('Only classes are weighed by class.', {
      given: `${name}, whose targets are ${targets}`,
      remedy: 'give weights of samples: train.weights',
    });
  }
  if (given === 'balanced') {
    const counts = samplesOfClasses(train, classes.length);
    if (counts === undefined) {
      throw refused('How many samples a class has is not known of a stream.', {
        given: 'balanced',
        remedy: 'give a number for each class, or let the stream say perClass',
      });
    }
    return counts.map((count) => (count === 0 ? 0 : train.count / (classes.length * count)));
  }
  if (
    Array.isArray(given) &&
    given.length === classes.length &&
    given.every((w) => Number.isFinite(w) && w >= 0)
  )
    return given;
  throw refused('Classes are weighed by numbers that are not negative.', {
    given: Array.isArray(given) ? `[${listed(given)}]` : String(given),
    expected: `${classes.length} numbers, or balanced`,
  });
}

/** How many samples each class has, where that is known. */
function samplesOfClasses(source: Source, classes: number): readonly number[] | undefined {
  if (isStreamed(source)) return source.perClass;
  const counts = new Array<number>(classes).fill(0);
  for (const label of source.labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/**
 * @throws ShapeError unless the model takes the samples of the data set, and has an output for each class, number or bit. One
 *   output tells two classes apart. Outputs with losses of their own are of the shape of the first, but those of inner layers
 */
export function assertFits(
  model: Model,
  data: CheckedData,
  { losses = [] }: Pick<StepOptions, 'losses'> = {},
): void {
  const [outputs = 0] = model.outputShape;
  if (JSON.stringify(model.inputShape) !== JSON.stringify(data.image)) {
    throw new ShapeError("The data set's samples don't fit the model.", {
      given: `${describe(data.image)} (${data.name})`,
      expected: `${describe(model.inputShape)} (${model.name})`,
    });
  }
  const isClass = data.targets === 'classes';
  const named = isClass ? data.classes.length : data.width;
  const fits = isClass ? outputs >= named : outputs === named;
  if (model.outputShape.length !== 1 || !fits) {
    throw new ShapeError(
      `The model's output doesn't fit the data set's ${isClass ? 'classes' : 'targets'}.`,
      {
        given: describe(model.outputShape),
        expected: `[${named}]${isClass ? ' or more' : ''}`,
        where: model.layers.at(-1)?.name,
      },
    );
  }
  for (const { output, loss } of losses) {
    const own = model.outputs.find(({ name }) => name === output);
    if (own === undefined || own.shape.join() === model.outputShape.join()) continue;
    if (isClass && loss.definition.inner === true) continue;
    throw new ShapeError('Outputs that are compared with the same targets are of one shape.', {
      given: `${own.name} ${describe(own.shape)}`,
      expected: describe(model.outputShape),
      where: model.name,
    });
  }
}

/** What a training starts from: drawn from its seed. */
export function initialWeights(
  model: Model,
  options: ResolvedOptions,
): Map<string, Float32Array<ArrayBuffer>> {
  const values = initialValues(model, options.seed);
  // Of what moves signs alone there are no latent weights: it starts from signs.
  for (const { name, parameters } of model.layers) {
    for (const spec of parameters) {
      const key = `${name}/${spec.name}`;
      const drawn = values.get(key);
      const signsOnly = optimizerFor(options, key)?.definition.signsOnly === true;
      if (spec.role === 'binary' && drawn !== undefined && signsOnly) {
        values.set(
          key,
          drawn.map((value) => (value < 0 ? -1 : 1)),
        );
      }
    }
  }
  return values;
}
