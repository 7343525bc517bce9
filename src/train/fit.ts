/** Training to the end of the last epoch: groups of steps, hooks, evaluations, checkpoints. */
import { OptionError } from '../errors.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { checkpointOf } from './checkpoint.ts';
import { diagnose } from './diagnose.ts';
import { evaluate } from './evaluate.ts';
import { finishRun } from './finish.ts';
import { Grouping } from './grouping.ts';
import {
  assertHookList,
  callAfterEpoch,
  callAfterSteps,
  type Hook,
  type HookVerdict,
  untilHook,
} from './hooks.ts';
import { IN_FLIGHT, type StepMetrics } from './metrics.ts';
import type { Checkpoint, EpochInfo, StepsInfo } from './progress.ts';
import type { Run, StepTap } from './run.ts';
import { summaryOf } from './scores.ts';

/** What is called while a training goes on. */
export interface FitHooks {
  /** Called after every group of steps. */
  readonly onSteps?: (info: StepsInfo) => void;
  /** Called after every epoch; awaited, before the flip counters are reset. `stop` ends the training. */
  readonly onEpoch?: (info: EpochInfo) => HookVerdict | Promise<HookVerdict>;
  /** What may change the training on its way, in this order; see `Hook`. */
  readonly hooks?: readonly Hook[];
  /** Aborting stops the training after the steps that are under way. */
  readonly signal?: AbortSignal;
  /** Work that rides along with every `everySteps`-th step without holding up the next; see `GeometryTap`. */
  readonly tap?: StepTap;
  /** Called after every epoch, after every `everySteps` steps, and when the training is aborted; awaited. */
  readonly checkpoint?: {
    /** Steps between two checkpoints. Default: only those after epochs. */
    readonly everySteps?: number;
    /** Keeps a checkpoint; awaited. */
    readonly save: (checkpoint: Checkpoint) => Promise<void>;
  };
}

const HOOKS = namesOf<FitHooks>({
  onSteps: true,
  onEpoch: true,
  hooks: true,
  signal: true,
  tap: true,
  checkpoint: true,
});
const CHECKPOINT_HOOKS = namesOf<NonNullable<FitHooks['checkpoint']>>({ everySteps: true, save: true });

/** How a training ended. */
export interface FitResult {
  /** `stopped`: by a hook, before the end; `fit` goes on from there. */
  readonly outcome: 'finished' | 'aborted' | 'stopped';
  /** One for each epoch that was finished, those before a resume included. */
  readonly epochs: readonly EpochInfo[];
  /** Steps done since the start. */
  readonly step: number;
}

/** Trains to the end of the last epoch, from where the run is. */
export async function fitRun(run: Run, hooks: FitHooks): Promise<FitResult> {
  assertHooks(hooks);
  await run.settle();
  const save = async () => {
    const { checkpoint } = hooks;
    if (checkpoint === undefined) return;
    const { tap, hooks: own = [] } = hooks;
    const saved = await checkpointOf(run, tap === undefined ? own : [tap, ...own]);
    await run.during(() => checkpoint.save(saved));
  };
  const grouping = new Grouping();
  while (run.progress.epoch < run.options.epochs) {
    const end = await fitEpoch(run, hooks, grouping, save);
    if (end !== 'over') {
      await save();
      return result(end);
    }
    const stops = await endEpoch(run, hooks);
    await save();
    if (stops && run.progress.epoch < run.options.epochs) return result('stopped');
  }
  return result('finished');

  function result(outcome: FitResult['outcome']): FitResult {
    return { outcome, epochs: run.progress.history, step: run.progress.step };
  }
}

/** Steps that are under way. */
interface Group {
  readonly steps: number;
  readonly submitted: number;
  readonly metrics: Promise<StepMetrics[]>;
}

/** @returns how it ended: the epoch is over, the signal stopped it, or a hook */
async function fitEpoch(
  run: Run,
  hooks: FitHooks,
  grouping: Grouping,
  save: () => Promise<void>,
): Promise<'over' | 'aborted' | 'stopped'> {
  const { batches } = run;
  const { tap, signal, hooks: own = [] } = hooks;
  const saveEvery = hooks.checkpoint?.everySteps ?? Number.POSITIVE_INFINITY;
  const tapEvery = tap?.everySteps ?? Number.POSITIVE_INFINITY;
  const start = run.progress.step - run.progress.batch;
  await run.begin();
  let submitted = run.progress.batch;
  let tick = performance.now();
  const waiting: Group[] = [];
  const taps: Promise<void>[] = [];
  const collect = async () => {
    const group = waiting[0];
    if (group === undefined) return;
    const latest = await group.metrics;
    waiting.shift();
    const now = performance.now();
    grouping.note(group.steps, now - Math.max(tick, group.submitted));
    const elapsed = now - tick;
    tick = now;
    await account(run, latest, elapsed, hooks);
  };

  try {
    while (submitted < batches && !signal?.aborted) {
      const untilSave = saveEvery - (submitted % saveEvery);
      const untilTap = tapEvery - ((start + submitted) % tapEvery);
      const untilCall = untilHook(own, start + submitted);
      const steps = Math.min(grouping.size, run.most, batches - submitted, untilSave, untilTap, untilCall);
      const ahead = start + submitted - run.progress.step;
      const { metrics, tapped } = await run.submit(steps, ahead, steps === untilTap ? tap : undefined);
      waiting.push({ steps, metrics, submitted: performance.now() });
      if (tapped !== undefined) taps.push(tapped);
      submitted += steps;
      if (waiting.length >= IN_FLIGHT) await collect();
      if (steps === untilCall) {
        while (waiting.length > 0) await collect();
        await Promise.all(taps.splice(0));
        if (await callAfterSteps(run, own)) return 'stopped';
        tick = performance.now();
      }
      if (submitted % saveEvery === 0 && submitted < batches) {
        while (waiting.length > 0) await collect();
        // What a checkpoint's caller keeps of samples goes up to its step.
        await Promise.all(taps.splice(0));
        await save();
        tick = performance.now();
      }
    }
    while (waiting.length > 0) await collect();
    await Promise.all(taps);
  } catch (cause) {
    // The GPU does what was submitted whatever failed here: what it did is counted, so that both stay together. Where that
    // can't be found out now, the next call tries again.
    await Promise.allSettled([...waiting.map(({ metrics }) => metrics), ...taps]);
    await run.settle(waiting.length > 0).catch(() => undefined);
    throw cause;
  }
  return run.progress.batch === batches ? 'over' : 'aborted';
}

/** Counts steps, and tells of them. @throws NonFiniteError for a loss that isn't finite */
export async function account(
  run: Run,
  latest: readonly StepMetrics[],
  elapsed: number,
  hooks: FitHooks,
): Promise<void> {
  const bad = run.count(latest, elapsed);
  if (bad !== undefined) throw await diagnose(run, bad.step);
  const { progress } = run;
  hooks.onSteps?.({
    epoch: progress.epoch + 1,
    epochs: run.options.epochs,
    batch: progress.batch,
    batches: run.batches,
    step: progress.step,
    loss: progress.lossSum / progress.batch,
    accuracy: progress.correct / progress.count,
    latest,
    imagesPerSecond: progress.count / progress.seconds,
  });
}

/** @returns whether a hook said stop */
async function endEpoch(run: Run, hooks: FitHooks): Promise<boolean> {
  const { epoch, lossSum, batch, correct, count, seconds, step } = run.progress;
  if (epoch + 1 === run.options.epochs) await finishRun(run);
  const test = run.tests.test === undefined ? undefined : await evaluate(run, 'test');
  const validation = run.tests.validation === undefined ? undefined : await evaluate(run, 'validation');
  const info: EpochInfo = {
    epoch: epoch + 1,
    trainLoss: lossSum / batch,
    trainAccuracy: correct / count,
    testLoss: test?.loss,
    testAccuracy: test?.accuracy,
    ...(test === undefined ? {} : { testScores: summaryOf(test.scores) }),
    ...(validation === undefined
      ? {}
      : {
          validationLoss: validation.loss,
          validationAccuracy: validation.accuracy,
          validationScores: summaryOf(validation.scores),
        }),
    learningRate: run.rate(step - 1),
    seconds,
    imagesPerSecond: count / seconds,
  };
  const verdict = await run.during(() => hooks.onEpoch?.(info));
  const stops = await callAfterEpoch(run, hooks.hooks ?? [], info);
  await run.nextEpoch([...run.progress.history, info]);
  return stops || verdict === 'stop';
}

/** @throws OptionError for a hook that there is not, and unless taps and checkpoints come every whole number of steps */
function assertHooks(hooks: FitHooks): void {
  assertKnownOptions(hooks, HOOKS, 'fit');
  const { tap, checkpoint } = hooks;
  assertHookList(hooks.hooks ?? []);
  if (checkpoint !== undefined) assertKnownOptions(checkpoint, CHECKPOINT_HOOKS, 'fit: checkpoint');
  for (const [name, everySteps] of [
    ['tap', tap?.everySteps],
    ['checkpoint', checkpoint?.everySteps],
  ] as const) {
    if (name === 'tap' ? tap === undefined : everySteps === undefined) continue;
    if (Number.isSafeInteger(everySteps) && Number(everySteps) > 0) continue;
    throw new OptionError(`A ${name} comes every so many steps.`, {
      given: `everySteps = ${everySteps}`,
      expected: 'a positive integer',
      where: 'fit',
    });
  }
}
