/**
 * Several networks on one resident data set: their samples are on the GPU once, whatever each weighs them by.
 *
 *   const trainers = await trainMany(gpu, [{ model: small }, { model: wide, weights }], data, { epochs: 5 });
 *   const outputs = await Promise.all(trainers.map((trainer) => trainer.predict(samples)));
 *   voted(outputs, [1, 1], count, 'soft');
 *   for (const trainer of trainers) trainer.dispose();
 */
import { isStreamed, residentPart, type TrainingData } from '../data/index.ts';
import { OptionError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import type { Model } from '../graph/index.ts';
import { assertPresent } from '../options.ts';
import { Trainer, type TrainerOptions } from '../train/index.ts';

/** One of several networks. */
export interface Member {
  /** What is trained. */
  readonly model: Model;
  /** Where it differs from the others: its seed, its optimizer. Default: the seed counts up from the first one's. */
  readonly training?: TrainerOptions;
  /** What the loss of each training sample is multiplied by: 0 leaves it out. Default: as the data have it. */
  readonly weights?: ArrayLike<number>;
}

/**
 * Trainers of several networks that share their samples; nothing is trained yet. Each is disposed by itself, in any order: the
 * samples go with the last.
 * @throws what `Trainer.create` throws, and OptionError for no members; none is left then
 */
export async function createMany(
  gpu: Gpu,
  members: readonly Member[],
  data: TrainingData,
  training: TrainerOptions = {},
): Promise<Trainer[]> {
  assertPresent(members, 'the members', 'createMany', 'entries');
  const trainers: Trainer[] = [];
  if (members.length === 0) throw new OptionError('There is nothing to train.', { where: 'createMany' });
  try {
    for (const [index, { model, training: own, weights }] of members.entries()) {
      const options = { ...training, seed: (training.seed ?? 1) + index, ...own };
      const [first] = trainers;
      trainers.push(
        first === undefined
          ? await Trainer.create(gpu, model, weighing(data, weights), options)
          : await first.sibling(model, options, weights ?? ownWeights(data)),
      );
    }
    return trainers;
  } catch (cause) {
    for (const trainer of trainers) trainer.dispose();
    throw cause;
  }
}

/** The same data, each training sample with its weight. */
function weighing(data: TrainingData, weights: ArrayLike<number> | undefined): TrainingData {
  if (weights === undefined) return data;
  return { ...data, train: { ...residentPart(data, 'train'), weights: Float32Array.from(weights) } };
}

/** What samples weigh where a member does not say it: 1, unless the data do. */
function ownWeights({ train }: TrainingData): ArrayLike<number> | undefined {
  if (isStreamed(train)) return undefined;
  return train.weights ?? new Float32Array(train.count).fill(1);
}

/**
 * Trains them one after the other, to the end. Whoever called it disposes the trainers.
 * @param onMember called when a network is trained
 * @throws as `createMany`, and what `fit` throws; none is left then
 */
export async function trainMany(
  gpu: Gpu,
  members: readonly Member[],
  data: TrainingData,
  training: TrainerOptions = {},
  onMember?: (index: number, trainer: Trainer) => void,
): Promise<Trainer[]> {
  const trainers = await createMany(gpu, members, data, training);
  try {
    for (const [index, trainer] of trainers.entries()) {
      await trainer.fit();
      onMember?.(index, trainer);
    }
    return trainers;
  } catch (cause) {
    for (const trainer of trainers) trainer.dispose();
    throw cause;
  }
}
