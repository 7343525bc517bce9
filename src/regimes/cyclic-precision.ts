/**
 * Cyclic precision: the network is of few bits at first, of more later, and of few again, in cycles that end with the fewest. An
 * epoch of few bits costs less.
 *
 *   const bits = cyclicBits({ from: 1, to: 3, cycles: 2, epochs: 12 });
 *   const trainer = await trainCyclic(gpu, (bits) => (bits === 1 ? binary() : ofBits(bits)), data, { bits });
 */
import type { TrainingData } from '../data/index.ts';
import { OptionError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import type { Model } from '../graph/index.ts';
import { type Schedule, scheduledAt } from '../methods/index.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';
import { type EpochInfo, startFrom, Trainer, type TrainerOptions } from '../train/index.ts';

/** Which precisions a training goes through. */
export interface CyclicBits {
  /** The fewest bits: where each cycle begins, and the training ends. */
  readonly from: number;
  /** The most. */
  readonly to: number;
  /** How often it goes there. */
  readonly cycles: number;
  /** Of the whole training, at least two a cycle. */
  readonly epochs: number;
}

/**
 * Bits of each epoch: from + (to - from) (1 - cos(2π t / T)) / 2, rounded, at the middle of epoch t of a cycle of T; the last
 * epochs of a cycle are of the fewest (the cosine of Fu et al. 2021, CPT, arXiv 2101.09868, which falls at once where this
 * goes back along it; CycleBNN, Fontana et al. 2024, takes it to binary networks, of which the abstract was at hand).
 * @throws OptionError for what are no whole numbers, or too few epochs
 */
export function cyclicBits(options: CyclicBits): number[] {
  assertKnownOptions(
    options,
    namesOf<CyclicBits>({ from: true, to: true, cycles: true, epochs: true }),
    'cyclicBits',
  );
  const { from, to, cycles, epochs } = options;
  const whole = [from, to, cycles, epochs].every((n) => Number.isSafeInteger(n) && n > 0);
  if (!whole || to < from || epochs < 2 * cycles) {
    throw new OptionError('Precision goes up and back in whole bits and epochs.', {
      given: JSON.stringify({ from, to, cycles, epochs }),
      expected: 'positive whole numbers, to >= from, two epochs a cycle at least',
      where: 'cyclicBits',
    });
  }
  const length = epochs / cycles;
  const bits = Array.from({ length: epochs }, (_, epoch) => {
    const share = ((epoch + 0.5) % length) / length;
    return Math.round(from + ((to - from) * (1 - Math.cos(2 * Math.PI * share))) / 2);
  });
  return [...bits.slice(0, -1), from];
}

/** How a network of cyclic precision is trained. */
export interface CyclicOptions {
  /** Of each epoch. */
  readonly bits: readonly number[];
  /** As for `Trainer.create`; its schedules go over the whole training, its epochs are those of `bits`. */
  readonly training?: TrainerOptions;
  /** Called after each epoch, with its number from 1 and its bits. */
  readonly onEpoch?: (epoch: number, bits: number, info: EpochInfo) => void;
}

/**
 * Trains epoch after epoch, each with the network of its bits: parameters of the same name and shape go on, and what else a precision
 * has (scales of planes, say) begins anew. Samples are on the GPU once. Optimizers begin anew where the precision changes.
 * @param modelOf a model for a number of bits; layers that go on have the same names
 * @returns the trainer of the last precision, which the caller disposes
 * @throws what `Trainer.create` and `fit` throw, and OptionError for no epochs; nothing is left then
 */
export async function trainCyclic(
  gpu: Gpu,
  modelOf: (bits: number) => Model,
  data: TrainingData,
  options: CyclicOptions,
): Promise<Trainer> {
  assertKnownOptions(
    options,
    namesOf<CyclicOptions>({ bits: true, training: true, onEpoch: true }),
    'trainCyclic',
  );
  const { bits, training = {}, onEpoch } = options;
  assertPresent(bits, 'the bits of each epoch', 'trainCyclic', 'length');
  const phases = bits.reduce<{ readonly bits: number; first: number; epochs: number }[]>(
    (all, own, epoch) => {
      const last = all.at(-1);
      if (last?.bits === own) last.epochs += 1;
      else all.push({ bits: own, first: epoch, epochs: 1 });
      return all;
    },
    [],
  );
  let trainer: Trainer | undefined;
  try {
    for (const phase of phases) {
      const { learningRate = RATE, seed = 1 } = training;
      const rate = rateFrom(learningRate, phase.first, phase.epochs, bits.length);
      // The order of samples follows from the seed and the epoch, which begins with 0 in each phase.
      const options = { ...training, seed: seed + phase.first, epochs: phase.epochs, learningRate: rate };
      const before: Trainer | undefined = trainer;
      const model = modelOf(phase.bits);
      trainer =
        before === undefined
          ? await Trainer.create(gpu, model, data, options)
          : await before.sibling(model, options);
      if (before !== undefined) {
        try {
          const start = startFrom(model, await trainer.network.values(), await before.network.values());
          await trainer.network.load(start.values);
        } finally {
          before.dispose();
        }
      }
      await trainer.fit({
        onEpoch: (info) => onEpoch?.(phase.first + info.epoch, phase.bits, info),
      });
    }
    if (trainer !== undefined) return trainer;
  } catch (cause) {
    if (trainer?.disposed === false) trainer.dispose();
    throw cause;
  }
  throw new OptionError('A training has epochs.', { given: 'no bits', where: 'trainCyclic' });
}

/** What `Trainer.create` has for one. */
const RATE: Schedule = { from: 0.02, to: 0.001, decay: 'exponential' };

/** The part of a schedule that goes over all epochs. */
function rateFrom(schedule: Schedule, first: number, epochs: number, all: number): Schedule {
  return (step, steps) => {
    const epochSteps = steps / epochs;
    return scheduledAt(schedule, {
      step: step + first * epochSteps,
      steps: all * epochSteps,
      epochSteps,
    });
  };
}
