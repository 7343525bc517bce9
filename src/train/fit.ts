/** Training to the end of the last epoch: groups of steps, hooks, evaluations, checkpoints. */
import { NonFiniteError, OptionError } from '../errors.ts';
import { checkpointOf } from './checkpoint.ts';
import { diagnose } from './diagnose.ts';
import { evaluate } from './evaluate.ts';
import type { StepMetrics } from './metrics.ts';
import type { Checkpoint, EpochInfo, StepsInfo } from './progress.ts';
import { MAX_GROUP, type Run, type StepTap } from './run.ts';

export interface FitHooks {
  /** Called after every group of steps. */
  readonly onSteps?: (info: StepsInfo) => void;
  /** Called after every epoch; awaited, before the flip counters are reset. */
  readonly onEpoch?: (info: EpochInfo) => void | Promise<void>;
  /** Aborting stops the training after the steps that are under way. */
  readonly signal?: AbortSignal;
  /** Work that rides along with every `everySteps`-th step without holding up the next; see `GeometryTap`. */
  readonly tap?: StepTap;
  /** Called after every epoch, after every `everySteps` steps, and when the training is aborted; awaited. */
  readonly checkpoint?: {
    readonly everySteps?: number;
    readonly save: (checkpoint: Checkpoint) => Promise<void>;
  };
}

export interface FitResult {
  readonly outcome: 'finished' | 'aborted';
  readonly epochs: readonly EpochInfo[];
  /** Steps done since the start. */
  readonly step: number;
}

/** A group of steps grows until it takes about this long, so that a fast GPU is not kept waiting. */
const GROUP_MILLISECONDS = 100;

/** Trains to the end of the last epoch, from where the run is. */
export async function fitRun(run: Run, hooks: FitHooks): Promise<FitResult> {
  while (run.progress.epoch < run.options.epochs) {
    if (!(await fitEpoch(run, hooks))) {
      await hooks.checkpoint?.save(await checkpointOf(run));
      return { outcome: 'aborted', epochs: run.progress.history, step: run.progress.step };
    }
    await endEpoch(run, hooks);
  }
  return { outcome: 'finished', epochs: run.progress.history, step: run.progress.step };
}

/** @returns false when the signal stopped it */
async function fitEpoch(run: Run, hooks: FitHooks): Promise<boolean> {
  const { batches } = run;
  const { metrics } = run.parts;
  const every = hooks.checkpoint?.everySteps ?? Number.POSITIVE_INFINITY;
  const { tap } = hooks;
  const tapEvery = tap?.everySteps ?? Number.POSITIVE_INFINITY;
  assertTap(tap);
  const start = run.progress.step - run.progress.batch;
  run.writeState();
  run.onGpu = undefined;
  let submitted = run.progress.batch;
  let group = 1;
  let tick = performance.now();
  const waiting: (() => Promise<StepMetrics[]>)[] = [];
  const taps: Promise<void>[] = [];
  const collect = async () => {
    const next = waiting.shift();
    if (next === undefined) return;
    const latest = await next();
    const now = performance.now();
    const elapsed = now - tick;
    tick = now;
    await account(run, latest, elapsed, hooks);
    if (elapsed < GROUP_MILLISECONDS / 2) group = Math.min(MAX_GROUP, group * 2);
    else if (elapsed > 2 * GROUP_MILLISECONDS) group = Math.max(1, group >> 1);
  };

  try {
    while (submitted < batches && !hooks.signal?.aborted) {
      const untilSave = every - (submitted % every);
      const untilTap = tapEvery - ((start + submitted) % tapEvery);
      const steps = Math.min(group, batches - submitted, untilSave, untilTap);
      const due = steps === untilTap ? tap : undefined;
      const { read, tapped } = run.submit(run.train, start + submitted, steps, due);
      waiting.push(read);
      if (tapped !== undefined) taps.push(tapped);
      submitted += steps;
      if (!metrics.ready) await collect();
      if (submitted % every === 0 && submitted < batches) {
        while (waiting.length > 0) await collect();
        await hooks.checkpoint?.save(await checkpointOf(run));
        tick = performance.now();
      }
    }
    while (waiting.length > 0) await collect();
    await Promise.all(taps);
  } catch (cause) {
    // The GPU does what was submitted whatever failed here, unless it halted: count it, so that both stay together.
    const halted = cause instanceof NonFiniteError;
    for (const next of waiting) {
      const late = await next().catch(() => []);
      if (!halted) run.count(late, 0);
    }
    await Promise.allSettled(taps);
    throw cause;
  }
  return run.progress.batch === batches;
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

async function endEpoch(run: Run, hooks: FitHooks): Promise<void> {
  const { epoch, lossSum, batch, correct, count, seconds, step } = run.progress;
  const test = await evaluate(run);
  const info: EpochInfo = {
    epoch: epoch + 1,
    trainLoss: lossSum / batch,
    trainAccuracy: correct / count,
    testLoss: test.loss,
    testAccuracy: test.accuracy,
    learningRate: run.rate(step - 1),
    seconds,
    imagesPerSecond: count / seconds,
  };
  await hooks.onEpoch?.(info);
  run.nextEpoch([...run.progress.history, info]);
  await hooks.checkpoint?.save(await checkpointOf(run));
}

/** @throws OptionError unless a tap comes every whole number of steps */
function assertTap(tap: StepTap | undefined): void {
  if (tap !== undefined && !(Number.isSafeInteger(tap.everySteps) && tap.everySteps > 0)) {
    throw new OptionError('A tap comes every so many steps.', {
      given: `everySteps = ${tap.everySteps}`,
      expected: 'a positive integer',
      where: 'fit',
    });
  }
}
