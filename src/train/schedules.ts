/** Learning rates as a function of the step. */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, namesOf, unknownName } from '../options.ts';

/** From one value to another over all steps of the training. */
export interface Decay {
  readonly from: number;
  readonly to: number;
  readonly decay: 'exponential' | 'linear' | 'cosine';
}

/** The same value for some epochs, then half of it, and so on (FINN's recipe: .02, halved every 40 epochs). */
export interface Halving {
  readonly from: number;
  readonly decay: 'halving';
  readonly everyEpochs: number;
}

/** A constant, a decay over the whole training, halvings, or a function of the step (from 0) and the number of steps. */
export type LearningRate = number | Decay | Halving | ((step: number, steps: number) => number);

const HALVING = namesOf<Halving>({ from: true, decay: true, everyEpochs: true });
const DECAY = namesOf<Decay>({ from: true, to: true, decay: true });
const DECAYS: readonly Decay['decay'][] = ['exponential', 'linear', 'cosine'];

/** @throws OptionError for what is no learning rate: an unknown decay, one without ends, or an exponential one to zero */
export function assertRate(rate: LearningRate | undefined, where: string): void {
  if (rate === undefined || typeof rate === 'function' || typeof rate === 'number') return;
  if (rate.decay === 'halving') {
    assertKnownOptions(rate, HALVING, `${where}: learningRate`);
    halving(rate, 0);
    return;
  }
  assertKnownOptions(rate, DECAY, `${where}: learningRate`);
  if (!DECAYS.includes(rate.decay)) {
    if (rate.decay !== undefined)
      throw unknownName('decay', String(rate.decay), [...DECAYS, 'halving'], where);
    throw new OptionError('A learning rate that decays says how.', {
      given: JSON.stringify(rate),
      expected: `decay: ${DECAYS.join(', ')}`,
      where,
    });
  }
  for (const end of ['from', 'to'] as const) {
    const least = rate.decay === 'exponential' ? 'more than zero' : 'zero or more';
    const fits = rate.decay === 'exponential' ? rate[end] > 0 : rate[end] >= 0;
    if (fits && Number.isFinite(rate[end])) continue;
    throw new OptionError(`The ends of this decay are finite, and ${least}.`, {
      given: `${end} = ${rate[end]}, decay: '${rate.decay}'`,
      where,
      remedy:
        rate.decay === 'exponential' && rate[end] === 0
          ? "use decay: 'linear' or 'cosine' to come to zero, or an end above it, 1e-5 say"
          : undefined,
    });
  }
}

/**
 * @param epochSteps steps of an epoch
 * @throws OptionError for a rate that is negative or not finite
 */
export function learningRateAt(rate: LearningRate, step: number, steps: number, epochSteps: number): number {
  const value =
    typeof rate === 'function'
      ? rate(step, steps)
      : typeof rate === 'number'
        ? rate
        : rate.decay === 'halving'
          ? halving(rate, Math.floor(step / epochSteps))
          : decay(rate, step, steps);
  if (!(value >= 0 && Number.isFinite(value))) {
    throw new OptionError('A learning rate is a finite number, zero or more.', {
      given: String(value),
      where: `step ${step}`,
    });
  }
  return value;
}

function halving({ from, everyEpochs }: Halving, epoch: number): number {
  if (!Number.isSafeInteger(everyEpochs) || everyEpochs < 1) {
    throw new OptionError('A learning rate is halved after a whole number of epochs.', {
      given: `everyEpochs = ${everyEpochs}`,
      expected: 'a positive integer',
    });
  }
  return from / 2 ** Math.floor(epoch / everyEpochs);
}

function decay({ from, to, decay: kind }: Decay, step: number, steps: number): number {
  const progress = steps > 1 ? Math.min(1, step / (steps - 1)) : 0;
  switch (kind) {
    case 'exponential':
      return from * (to / from) ** progress;
    case 'linear':
      return from + (to - from) * progress;
    case 'cosine':
      return to + ((from - to) * (1 + Math.cos(Math.PI * progress))) / 2;
  }
}
