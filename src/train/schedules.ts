/** Learning rates as a function of the step. */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, namesOf, unknownName } from '../options.ts';

/** From one value to another over all steps of the training. */
export interface Decay {
  readonly from: number;
  readonly to: number;
  readonly decay: 'exponential' | 'linear' | 'cosine';
}

/** A constant, a decay over the whole training, or a function of the step (from 0) and the number of steps. */
export type LearningRate = number | Decay | ((step: number, steps: number) => number);

const DECAY = namesOf<Decay>({ from: true, to: true, decay: true });
const DECAYS: readonly Decay['decay'][] = ['exponential', 'linear', 'cosine'];

/** @throws OptionError for what is no learning rate: an unknown decay, one without ends, or an exponential one to zero */
export function assertRate(rate: LearningRate | undefined, where: string): void {
  if (rate === undefined || typeof rate === 'function' || typeof rate === 'number') return;
  assertKnownOptions(rate, DECAY, `${where}: learningRate`);
  if (!DECAYS.includes(rate.decay)) {
    if (rate.decay !== undefined) throw unknownName('decay', String(rate.decay), DECAYS, where);
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

/** @throws OptionError for a rate that is negative or not finite */
export function learningRateAt(rate: LearningRate, step: number, steps: number): number {
  const value =
    typeof rate === 'function'
      ? rate(step, steps)
      : typeof rate === 'number'
        ? rate
        : decay(rate, step, steps);
  if (!(value >= 0 && Number.isFinite(value))) {
    throw new OptionError('A learning rate is a finite number, zero or more.', {
      given: String(value),
      where: `step ${step}`,
    });
  }
  return value;
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
