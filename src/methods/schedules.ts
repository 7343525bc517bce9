/** Numbers as a function of the step: learning rates, and what methods change from step to step. */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, namesOf, unknownName } from '../options.ts';

/** From one value to another over all steps of the training. */
export interface Decay extends WarmUp {
  /** At the first step. */
  readonly from: number;
  /** At the last step of a cycle. */
  readonly to: number;
  /** How it goes there: by equal factors, by equal steps, or along half a cosine. */
  readonly decay: 'exponential' | 'linear' | 'cosine';
  /** How often it goes from one value to the other, in equal parts: warm restarts (Loshchilov & Hutter 2017). Default 1. */
  readonly cycles?: number;
}

/** A value that rises in a line, at first, to the one that the schedule begins with. */
export interface WarmUp {
  /** Epochs of it; also a part of one. Default 0. */
  readonly warmupEpochs?: number;
}

/** The same value for some epochs, then half of it, and so on (FINN's recipe: .02, halved every 40 epochs). */
export interface Halving extends WarmUp {
  /** In the first epochs. */
  readonly from: number;
  /** Tells it from a `Decay`. */
  readonly decay: 'halving';
  /** Epochs after which it is half of what it was. */
  readonly everyEpochs: number;
}

/** A constant, a decay over the whole training, halvings, or a function of the step (from 0) and the number of steps. */
export type Schedule = number | Decay | Halving | ((step: number, steps: number) => number);

/** A schedule of the learning rate. */
export type LearningRate = Schedule;

/** A moment of the training. */
export interface StepTime {
  /** Steps done before, from 0. */
  readonly step: number;
  /** Steps of the whole training. */
  readonly steps: number;
  /** Steps of an epoch. */
  readonly epochSteps: number;
}

const HALVING = namesOf<Halving>({ from: true, decay: true, everyEpochs: true, warmupEpochs: true });
const DECAY = namesOf<Decay>({ from: true, to: true, decay: true, cycles: true, warmupEpochs: true });
const DECAYS: readonly Decay['decay'][] = ['exponential', 'linear', 'cosine'];

/** @throws OptionError for what is no schedule: an unknown decay, one without ends, or an exponential one to zero */
export function assertSchedule(schedule: Schedule, where: string): void {
  if (typeof schedule === 'function' || typeof schedule === 'number') return;
  if (schedule.decay === 'halving') {
    assertKnownOptions(schedule, HALVING, where);
    assertWarmUp(schedule, where);
    halving(schedule, 0);
    return;
  }
  assertKnownOptions(schedule, DECAY, where);
  assertWarmUp(schedule, where);
  const { cycles = 1 } = schedule;
  if (!Number.isSafeInteger(cycles) || cycles < 1) {
    throw new OptionError('A decay goes its way a whole number of times.', {
      given: `cycles = ${cycles}`,
      expected: 'a positive integer',
      where,
    });
  }
  if (!DECAYS.includes(schedule.decay)) {
    if (schedule.decay !== undefined) {
      throw unknownName('decay', String(schedule.decay), [...DECAYS, 'halving'], where);
    }
    throw new OptionError('A rate that decays says how.', {
      given: JSON.stringify(schedule),
      expected: `decay: ${DECAYS.join(', ')}`,
      where,
    });
  }
  for (const end of ['from', 'to'] as const) {
    const value = schedule[end];
    const least = schedule.decay === 'exponential' ? 'more than zero' : 'zero or more';
    const fits = schedule.decay === 'exponential' ? value > 0 : value >= 0;
    if (fits && Number.isFinite(value)) continue;
    throw new OptionError(`The ends of this decay are finite, and ${least}.`, {
      given: `${end} = ${value}, decay: '${schedule.decay}'`,
      where,
      remedy:
        schedule.decay === 'exponential' && value === 0
          ? "use decay: 'linear' or 'cosine' to come to zero, or an end above it, 1e-5 say"
          : undefined,
    });
  }
}

function assertWarmUp({ warmupEpochs = 0 }: WarmUp, where: string): void {
  if (warmupEpochs >= 0 && Number.isFinite(warmupEpochs)) return;
  throw new OptionError('A schedule warms up for some epochs, or for none.', {
    given: `warmupEpochs = ${warmupEpochs}`,
    expected: 'zero or more',
    where,
  });
}

/** @throws OptionError for a value that isn't finite and zero or more, and for a decay that can't be computed */
export function scheduledAt(schedule: Schedule, time: StepTime, what = 'learning rate'): number {
  const value = valueAt(schedule, time);
  if (value >= 0 && Number.isFinite(value)) return value;
  throw new OptionError(`A ${what} is a finite number, zero or more.`, {
    given: String(value),
    where: `step ${time.step}`,
  });
}

/** Numbers of a method as they are at a moment. */
export function scheduledValues(
  values: Readonly<Record<string, number | Schedule>>,
  time: StepTime,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, scheduledAt(value, time, name)]),
  );
}

function valueAt(schedule: Schedule, time: StepTime): number {
  if (typeof schedule === 'number') return schedule;
  if (typeof schedule === 'function') return schedule(time.step, time.steps);
  const { step, steps, epochSteps } = time;
  const warm = Math.round((schedule.warmupEpochs ?? 0) * epochSteps);
  if (step < warm) return (schedule.from * (step + 1)) / (warm + 1);
  if (schedule.decay === 'halving') return halving(schedule, Math.floor(step / epochSteps));
  const cycle = Math.ceil((steps - warm) / (schedule.cycles ?? 1));
  return decayed(schedule, cycle > 1 ? Math.min(1, ((step - warm) % cycle) / (cycle - 1)) : 0);
}

function halving({ from, everyEpochs }: Halving, epoch: number): number {
  if (!Number.isSafeInteger(everyEpochs) || everyEpochs < 1) {
    throw new OptionError('A value is halved after a whole number of epochs.', {
      given: `everyEpochs = ${everyEpochs}`,
      expected: 'a positive integer',
    });
  }
  return from / 2 ** Math.floor(epoch / everyEpochs);
}

/** @param progress 0 to 1 */
function decayed({ from, to, decay }: Decay, progress: number): number {
  switch (decay) {
    case 'exponential':
      return from * (to / from) ** progress;
    case 'linear':
      return from + (to - from) * progress;
    case 'cosine':
      return to + ((from - to) * (1 + Math.cos(Math.PI * progress))) / 2;
  }
}
