/** Learning rates as a function of the step. */
import { OptionError } from '../errors.ts';

/** From one value to another over all steps of the training. */
export interface Decay {
  readonly from: number;
  readonly to: number;
  readonly decay: 'exponential' | 'linear' | 'cosine';
}

/** A constant, a decay over the whole training, or a function of the step (from 0) and the number of steps. */
export type LearningRate = number | Decay | ((step: number, steps: number) => number);

/** @throws OptionError for a rate that isn't positive and finite */
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
