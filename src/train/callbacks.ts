/**
 * Hooks that many trainings want: to stop where nothing gets better, and to keep the best. Both decide by the training's own
 * history, so that a resumed training does what it would have done.
 *
 *   await trainer.fit({
 *     hooks: [earlyStopping({ patience: 5 }), keepBest({ save: async () => { best = await trainer.checkpoint(); } })],
 *   });
 */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, namesOf, unknownName } from '../options.ts';
import type { Hook } from './hooks.ts';
import type { EpochInfo } from './progress.ts';

/** What a training may be judged by: numbers of its epochs. */
export const MONITORS = [
  'validationLoss',
  'validationAccuracy',
  'testLoss',
  'testAccuracy',
  'trainLoss',
  'trainAccuracy',
] as const;
/** Numbers of an epoch that a training may be judged by. */
export type Monitor = (typeof MONITORS)[number];

/** When a training stops before its end. */
export interface EarlyStopping {
  /** Epochs without an improvement after which the training stops. */
  readonly patience: number;
  /** Default: the loss on the samples for validation where there are some, else on the test split, else on those that train. */
  readonly monitor?: Monitor;
  /** What counts as an improvement is better by more than this. Default 0. */
  readonly minDelta?: number;
}

/** Which epoch is the best, and what is done with it. */
export interface KeepBest {
  /** Default: the loss on the samples for validation where there are some, else on the test split, else on those that train. */
  readonly monitor?: Monitor;
  /** Called after every epoch that is the best so far; awaited. `trainer.checkpoint()` may be called there. */
  readonly save: (info: EpochInfo) => Promise<void>;
}

/** Stops a training whose epochs do not get better any more (Prechelt 1998). @throws OptionError */
export function earlyStopping(options: EarlyStopping): Hook {
  const where = 'earlyStopping';
  assertKnownOptions(
    options,
    namesOf<EarlyStopping>({ patience: true, monitor: true, minDelta: true }),
    where,
  );
  const { patience, monitor, minDelta = 0 } = options;
  assertMonitor(monitor, where);
  if (!Number.isSafeInteger(patience) || patience < 1 || !(minDelta >= 0)) {
    throw new OptionError('A training is waited for some epochs.', {
      given: `patience = ${patience}, minDelta = ${minDelta}`,
      expected: 'a positive integer, and a difference of zero or more',
      where,
    });
  }
  return {
    onEpoch({ history }, info) {
      return isPatienceOver([...history, info], patience, monitor, minDelta) ? 'stop' : undefined;
    },
  };
}

/** Whether so many epochs have passed since the best; not before there is one. */
export function isPatienceOver(
  epochs: readonly EpochInfo[],
  patience: number,
  monitor: Monitor | undefined,
  minDelta = 0,
): boolean {
  const last = epochs.at(-1);
  return last !== undefined && last.epoch - bestEpoch(epochs, monitor, minDelta).epoch >= patience;
}

/** Saves what is the best so far. @throws OptionError */
export function keepBest(options: KeepBest): Hook {
  const where = 'keepBest';
  assertKnownOptions(options, namesOf<KeepBest>({ monitor: true, save: true }), where);
  const { monitor, save } = options;
  assertMonitor(monitor, where);
  return {
    async onEpoch({ history }, info) {
      if (bestEpoch([...history, info], monitor).epoch === info.epoch) await save(info);
    },
  };
}

/**
 * The epoch that is the best; the first of those that are as good.
 * @param epochs one or more
 * @param minDelta a later one must be better by more than this
 * @throws OptionError where epochs have no such number
 */
export function bestEpoch<E extends EpochInfo>(
  epochs: readonly E[],
  monitor: Monitor | undefined,
  minDelta = 0,
): E {
  const [first, ...later] = epochs;
  if (first === undefined) {
    throw new OptionError('No epoch is the best of none.', { given: 'no epochs', where: 'bestEpoch' });
  }
  const name = monitored(first, monitor);
  const sign = name.endsWith('Loss') ? -1 : 1;
  const goodness = (info: E) => sign * (info[name] ?? Number.NaN);
  return later.reduce((best, info) => (goodness(info) > goodness(best) + minDelta ? info : best), first);
}

/** What epochs are judged by where nobody says it. @throws OptionError where an epoch has no such number */
export function monitored(info: EpochInfo, monitor: Monitor | undefined): Monitor {
  if (monitor === undefined) {
    return (['validationLoss', 'testLoss'] as const).find((name) => info[name] !== undefined) ?? 'trainLoss';
  }
  if (info[monitor] !== undefined) return monitor;
  throw new OptionError('This training is not judged by that.', {
    given: monitor,
    expected: MONITORS.filter((name) => info[name] !== undefined).join(', '),
    where: 'monitor',
    remedy: 'give the data set what it is judged on: withValidation(data, 0.1, seed), or --validation 0.1',
  });
}

function assertMonitor(monitor: Monitor | undefined, where: string): void {
  if (monitor === undefined || MONITORS.includes(monitor)) return;
  throw unknownName('monitor', String(monitor), MONITORS, where);
}
