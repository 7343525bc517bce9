/**
 * The trainer: one network, one data set on the GPU, one recorded training step. A step gathers its batch, runs forward
 * and backward, updates the weights and advances its own counters, all on the GPU; the host submits groups of steps and
 * reads a few numbers back while the next group runs.
 */
import { DisposedError, MemoryPlanError, OptionError } from '../errors.ts';
import { type DispatchTiming, type Gpu, profile } from '../gpu/index.ts';
import type { Model, Network } from '../graph/index.ts';
import { checkpointOf, restore } from './checkpoint.ts';
import { evaluate } from './evaluate.ts';
import { account, type FitHooks, type FitResult, fitRun } from './fit.ts';
import type { StepMetrics } from './metrics.ts';
import {
  assertFits,
  initialWeights,
  type ResolvedOptions,
  resolveOptions,
  type TrainerOptions,
} from './options.ts';
import type { Checkpoint, Evaluation, Progress } from './progress.ts';
import { MAX_GROUP, Run } from './run.ts';
import {
  allocateParts,
  declareParts,
  disposeParts,
  planTraining,
  recordTestStep,
  recordTrainStep,
  type TrainingData,
  type TrainingPlan,
} from './step.ts';

export class Trainer {
  readonly plan: TrainingPlan;
  readonly #run: Run;
  #busy = false;
  #disposed = false;

  private constructor(run: Run, plan: TrainingPlan) {
    this.#run = run;
    this.plan = plan;
  }

  /**
   * Plans, allocates, initialises and compiles a training.
   * @throws OptionError or ShapeError for what doesn't fit, MemoryPlanError before anything is allocated
   */
  static async create(
    gpu: Gpu,
    model: Model,
    data: TrainingData,
    given: TrainerOptions = {},
  ): Promise<Trainer> {
    const options = resolveOptions(given, data);
    assertFits(model, data);
    const parts = declareParts(gpu, model, data, options);
    const { network } = parts;
    try {
      const trainBuilder = recordTrainStep(parts, options, data);
      const testBuilder = recordTestStep(parts, options, data);
      const plan = planTraining(parts, [trainBuilder, testBuilder]);
      if (given.maxBytes !== undefined && plan.peakBytes > given.maxBytes) {
        throw new MemoryPlanError('Training needs more memory than is allowed; nothing was allocated.', {
          given: `${plan.peakBytes} bytes with batch ${options.batch}`,
          expected: `${given.maxBytes} bytes at most`,
          where: model.name,
          remedy: 'use a smaller batch',
        });
      }
      await network.allocate();
      await gpu.scoped('training', () => allocateParts(parts, data));
      await network.load(initialWeights(model, options));
      const train = await trainBuilder.compile({ arena: network.arena });
      const test = await testBuilder.compile({ arena: network.arena });
      return new Trainer(new Run(parts, options, data, train, test), plan);
    } catch (cause) {
      disposeParts(parts);
      throw cause;
    }
  }

  get gpu(): Gpu {
    return this.#run.gpu;
  }

  get network(): Network {
    return this.#run.network;
  }

  get data(): TrainingData {
    return this.#run.data;
  }

  get options(): ResolvedOptions {
    return this.#run.options;
  }

  /** Steps of one epoch. */
  get batches(): number {
    return this.#run.batches;
  }

  /** Where the training is. */
  get progress(): Progress {
    return this.#run.progress;
  }

  /** Dispatches of one training step. */
  get dispatches(): number {
    return this.#run.train.dispatches;
  }

  /**
   * Trains to the end of the last epoch, from where the training is.
   * @throws NonFiniteError when a loss is NaN or infinite, naming the step and the first layer; the weights are those
   *   before that step. DeviceLostError when the device goes.
   */
  async fit(hooks: FitHooks = {}): Promise<FitResult> {
    return this.#exclusively('fit', () => fitRun(this.#run, hooks));
  }

  /**
   * Runs the next steps of the epoch in one submit and waits for them; the next epoch begins where one ends. For
   * benchmarks and for loops of one's own: nothing is evaluated at an epoch's end.
   */
  async runSteps(count: number): Promise<StepMetrics[]> {
    return this.#exclusively('runSteps', async () => {
      const run = this.#run;
      if (run.progress.batch === run.batches) run.nextEpoch(run.progress.history);
      const steps = Math.min(count, run.batches - run.progress.batch, MAX_GROUP);
      if (run.onGpu !== run.progress) run.writeState();
      run.onGpu = undefined;
      const latest = await run.submit(run.train, run.progress.step, steps).read();
      await account(run, latest, 0, {});
      run.onGpu = run.progress;
      return latest;
    });
  }

  /**
   * Runs one training step with a timestamp around every dispatch.
   * @returns milliseconds by dispatch, in order; undefined where the device has no timestamps
   */
  async profile(): Promise<DispatchTiming[] | undefined> {
    return this.#exclusively('profile', async () => {
      const run = this.#run;
      const { step, epoch, batch } = run.progress;
      if (batch === run.batches) {
        throw new OptionError('The epoch is over.', { given: `epoch ${epoch + 1}`, where: 'profile' });
      }
      run.writeState();
      run.onGpu = undefined;
      const timings = await profile(run.train);
      if (timings === undefined) return undefined;
      // The step counts like any other.
      const encoder = run.gpu.device.createCommandEncoder();
      const read = run.parts.metrics.copy(encoder, step, 1);
      run.gpu.submit(encoder);
      await account(run, await read(), 0, {});
      return timings;
    });
  }

  /**
   * Encodes the training step again and again, and submits nothing: what a step costs the host, apart from its submit.
   * @returns milliseconds of one, from `times` in a row
   */
  timeEncoding(times: number): number {
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      const encoder = this.gpu.device.createCommandEncoder();
      this.#run.train.encode(encoder);
      encoder.finish();
    }
    return (performance.now() - start) / times;
  }

  /** Loss and accuracy on the whole test split, in inference mode. */
  async evaluate(): Promise<Evaluation> {
    return this.#exclusively('evaluate', () => evaluate(this.#run));
  }

  /** Logits for samples f32 [count, height, width, channels], normalised as the data set says. */
  predict(samples: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>> {
    return this.network.predict(samples);
  }

  /**
   * Flips of each filter's signs in this epoch, by parameter, and over how many steps they were counted. For use in
   * `onEpoch` and between calls: while steps are under way, the counts run ahead of the steps.
   */
  async flips(): Promise<{ steps: number; counts: Map<string, Uint32Array<ArrayBuffer>> }> {
    const counts = new Map<string, Uint32Array<ArrayBuffer>>();
    for (const { parameter, flips } of this.#run.parts.slots) {
      if (flips !== undefined) counts.set(parameter.name, await this.gpu.readWords(flips));
    }
    return { steps: this.progress.batch, counts };
  }

  /** Everything that is needed to go on later, elsewhere. */
  async checkpoint(): Promise<Checkpoint> {
    return this.#exclusively('checkpoint', () => checkpointOf(this.#run));
  }

  /**
   * Goes back to a checkpoint.
   * @throws OptionError when it was made with other options, FormatError when it lacks a tensor
   */
  async restore(checkpoint: Checkpoint): Promise<void> {
    return this.#exclusively('restore', () => restore(this.#run, checkpoint));
  }

  /** Frees the memory of the training and its network. @throws DisposedError the second time */
  dispose(): void {
    if (this.#disposed) throw new DisposedError('This trainer was disposed already.', { where: 'Trainer' });
    if (this.#busy) {
      throw new OptionError('The trainer is busy.', {
        given: 'dispose',
        where: 'Trainer',
        remedy: 'abort the call under way and await it first',
      });
    }
    this.#disposed = true;
    this.#run.dispose();
  }

  [Symbol.dispose](): void {
    if (!this.#disposed) this.dispose();
  }

  async #exclusively<T>(what: string, body: () => Promise<T>): Promise<T> {
    if (this.#disposed) throw new DisposedError('This trainer was disposed.', { where: what });
    if (this.#busy) {
      throw new OptionError('The trainer is busy.', { given: what, remedy: 'await the call before' });
    }
    this.#busy = true;
    try {
      return await body();
    } finally {
      this.#busy = false;
    }
  }
}
