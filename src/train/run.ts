/**
 * A training under way: what it owns on the GPU, its two recorded programs, and where it is. The parts of the trainer
 * (fit, evaluate, diagnose, checkpoint) are functions of it.
 */
import type { Gpu, Program, Tensor } from '../gpu/index.ts';
import type { Network } from '../graph/index.ts';
import { scheduledAt } from '../methods/index.ts';
import { encodeTrainState } from '../ops/data.ts';
import { RING, type StepMetrics } from './metrics.ts';
import type { ResolvedOptions } from './options.ts';
import { freshProgress, type Progress, progressAfter } from './progress.ts';
import { batchesOf, disposeParts, type Parts, type TrainingData } from './step.ts';

/** The most steps of one group: a few groups in flight must not overwrite each other's metrics. */
export const MAX_GROUP = RING / 4;

/** Something that looks at the weights after some of the steps, on the GPU, in the submit of the step. */
export interface StepTap {
  readonly everySteps: number;
  /**
   * Records its work after the step; must not write what training reads.
   * @param step steps done by then
   * @returns called after the submit; what it returns is awaited at the end of the epoch
   */
  readonly encode: (encoder: GPUCommandEncoder, step: number) => () => Promise<void>;
}

/** Steps that were submitted. */
interface Submitted {
  /** Waits for their metrics. */
  readonly read: () => Promise<StepMetrics[]>;
  /** What a tap that was due promises. */
  readonly tapped: Promise<void> | undefined;
}

export class Run {
  readonly gpu: Gpu;
  readonly network: Network;
  readonly parts: Parts;
  readonly options: ResolvedOptions;
  readonly data: TrainingData;
  /** One training step. */
  readonly train: Program;
  /** One batch of the test split. */
  readonly test: Program;
  /** Steps of one epoch. */
  readonly batches: number;
  progress: Progress;
  /** The progress that the counters on the GPU stand for, if known. */
  onGpu: Progress | undefined;

  constructor(parts: Parts, options: ResolvedOptions, data: TrainingData, train: Program, test: Program) {
    this.gpu = parts.network.gpu;
    this.network = parts.network;
    this.parts = parts;
    this.options = options;
    this.data = data;
    this.train = train;
    this.test = test;
    this.batches = batchesOf(data, options.batch);
    this.progress = freshProgress(this.fixed());
  }

  /** Steps of the whole training. */
  get steps(): number {
    return this.options.epochs * this.batches;
  }

  /** What must not change between a stop and a resume. */
  fixed(): Record<string, unknown> {
    const { batch, seed, optimizer, penalty, loss, fanScaledSteps, augment, learningRate, epochs } =
      this.options;
    return {
      model: this.network.model.name,
      data: this.data.name,
      samples: this.data.train.count,
      batch,
      epochs,
      seed,
      optimizer: optimizer.toJSON(),
      overrides: this.options.overrides.map(({ match, optimizer: own }) => [
        String(match),
        own?.toJSON() ?? 'none',
      ]),
      penalty: penalty?.toJSON() ?? null,
      loss: loss.toJSON(),
      fanScaledSteps,
      augment: augment ?? null,
      learningRate: typeof learningRate === 'function' ? 'function' : learningRate,
    };
  }

  /** What outlives a step, beside the slots of optimizers: parameters and counters of flips. */
  stateTensors(): Tensor[] {
    const flips = this.parts.slots.flatMap((slots) => slots.flips ?? []);
    return [...[...this.network.parameters.values()].map(({ value }) => value), ...flips];
  }

  /** Hands the GPU the counters, and the optimizers' numbers of every step of the epoch. */
  writeState(): void {
    const { epoch, batch, step } = this.progress;
    const { seed } = this.options;
    const first = step - batch;
    const { learningRate } = this.options;
    const time = { steps: this.steps, epochSteps: this.batches };
    for (const [tensor, rows] of this.parts.tables.rows(first, learningRate, time))
      this.gpu.write(tensor, rows);
    this.gpu.write(this.parts.state, encodeTrainState({ step, epoch, batch, seed }));
  }

  /** Submits steps of a program, with a tap where one is due after them. */
  submit(program: Program, first: number, steps: number, tap?: StepTap): Submitted {
    const { submitted, metrics } = program.run(steps, (encoder) => ({
      submitted: tap?.encode(encoder, first + steps),
      metrics: this.parts.metrics.copy(encoder, first, steps),
    }));
    const start = performance.now();
    const read = async () => {
      const latest = await metrics();
      this.gpu.pace.note(steps * program.work, performance.now() - start);
      return latest;
    };
    const tapped = submitted?.();
    // It is awaited at the end of the epoch; a failure before that must not count as unhandled.
    tapped?.catch(() => undefined);
    return { read, tapped };
  }

  /**
   * Counts the steps that the GPU has done.
   * @param elapsed milliseconds that they took
   * @returns the first whose loss isn't finite: it and what follows it were not
   */
  count(latest: readonly StepMetrics[], elapsed: number): StepMetrics | undefined {
    const bad = latest.findIndex(({ loss }) => !Number.isFinite(loss));
    this.progress = progressAfter(this.progress, bad < 0 ? latest : latest.slice(0, bad), elapsed);
    return latest[bad];
  }

  /** Goes on to the next epoch, whose flips are counted from zero. */
  nextEpoch(history: Progress['history']): void {
    const { step, epoch } = this.progress;
    for (const { flips } of this.parts.slots) if (flips) this.gpu.write(flips, new Uint32Array(flips.size));
    this.progress = { ...freshProgress(this.fixed()), step, epoch: epoch + 1, history };
  }

  /** The learning rate of a step. */
  rate(step: number): number {
    return scheduledAt(this.options.learningRate, { step, steps: this.steps, epochSteps: this.batches });
  }

  dispose(): void {
    this.train.dispose();
    this.test.dispose();
    disposeParts(this.parts);
  }
}
