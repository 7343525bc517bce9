/**
 * The trainer: one network, one data set on the GPU, one recorded training step. A step gathers its batch, runs forward
 * and backward, updates the weights and advances its own counters, all on the GPU; the host submits groups of steps and
 * reads a few numbers back while the next group runs.
 */
import type { TrainingData } from '../data/dataset.ts';
import { dtypeOf } from '../data/source.ts';
import { Owner } from '../dispose.ts';
import { DisposedError, MemoryPlanError, OptionError } from '../errors.ts';
import { assertGpu, type DispatchTiming, type Gpu } from '../gpu/index.ts';
import type { Model, Network, ParameterValue } from '../graph/index.ts';
import { assertPresent } from '../options.ts';
import type { Keeper } from './checkpoint.ts';
import type { CheckedData } from './data.ts';
import type * as Engine from './engine.ts';
import type { FitHooks, FitResult } from './fit.ts';
import type { StepMetrics } from './metrics.ts';
import type { ResolvedOptions, TrainerOptions } from './options.ts';
import type { Checkpoint, Evaluation, Progress, Trained } from './progress.ts';
import type { Run } from './run.ts';
import type { TrainingPlan } from './step.ts';

/** Trains a network on a GPU: steps, evaluations and checkpoints. */
export class Trainer extends Owner {
  /** Bytes of GPU memory that it takes. */
  readonly plan: TrainingPlan;
  readonly #run: Run;
  readonly #engine: typeof Engine;
  readonly #given: TrainingData;
  #busy = false;
  #disposed = false;

  private constructor(engine: typeof Engine, run: Run, plan: TrainingPlan, given: TrainingData) {
    super();
    this.#engine = engine;
    this.#run = run;
    this.#given = given;
    this.plan = plan;
  }

  /**
   * Plans, allocates, initialises and compiles a training. Quantizers, penalties and losses of your own are held against their
   * twins first, once a program, except in production (`NODE_ENV`, or a build for it).
   * @throws OptionError or ShapeError for what doesn't fit, OptionError for a method whose WGSL disagrees with its twin,
   *   MemoryPlanError before anything is allocated
   */
  static async create(
    gpu: Gpu,
    model: Model,
    given: TrainingData,
    options: TrainerOptions = {},
  ): Promise<Trainer> {
    return Trainer.#create(gpu, model, given, options);
  }

  /**
   * Another training on the same samples, which are on the GPU once: what `Trainer.create` makes, to the same bits. Each is disposed
   * by itself, and the samples go with the last. Streams are read by each.
   * @param weights what the loss of each training sample is multiplied by there. Default: as here
   * @throws what `create` throws
   * @example using other = await trainer.sibling(mlp({ input, classes, units: 64 }), { seed: 2 });
   */
  async sibling(model: Model, options: TrainerOptions = {}, weights?: ArrayLike<number>): Promise<Trainer> {
    return this.#exclusively('sibling', () => {
      const { train } = this.#given;
      const own =
        weights === undefined
          ? this.#given
          : { ...this.#given, train: { ...train, weights: Float32Array.from(weights) } };
      return Trainer.#create(this.gpu, model, own as TrainingData, options, this.#run.parts);
    });
  }

  static async #create(
    gpu: Gpu,
    model: Model,
    given: TrainingData,
    options: TrainerOptions,
    lender?: Run['parts'],
  ): Promise<Trainer> {
    assertGpu(gpu, 'Trainer.create');
    assertPresent(model, 'the model', 'Trainer.create');
    const engine = await import('./engine.ts');
    const data = engine.checkData(given, model.outputShape[0]);
    const augment =
      options.augment && (await import('./augment.ts')).resolveAugmentations(options.augment, data);
    const resolved = engine.resolveOptions(options, data, augment);
    engine.assertFits(model, data, resolved);
    await engine.checkAtFirstUse(gpu, engine.checkedMethods(model, resolved));
    const parts = engine.declareParts(gpu, model, data, resolved, lender);
    const { network } = parts;
    try {
      const trainBuilders = engine.recordTrainStep(parts, resolved, data);
      const testBuilder = engine.recordTestStep(parts, resolved, data, 'test');
      const validationBuilder = engine.recordTestStep(parts, resolved, data, 'validation');
      const builders = [...trainBuilders, testBuilder, validationBuilder].filter((own) => own !== undefined);
      const plan = engine.planTraining(parts, builders);
      if (options.maxBytes !== undefined && plan.peakBytes > options.maxBytes) {
        throw new MemoryPlanError('Training needs more memory than is allowed; nothing was allocated.', {
          given: `${plan.peakBytes} bytes with batch ${resolved.batch}`,
          expected: `${options.maxBytes} bytes at most`,
          where: model.name,
          remedy: memoryRemedy(plan),
        });
      }
      await network.allocate();
      await gpu.scoped('training', () => engine.allocateParts(parts, data, resolved));
      await network.load(engine.initialWeights(model, resolved));
      for (const builder of builders) network.arena.reserve(builder.plan().slots);
      const { arena } = network;
      const train = await Promise.all(trainBuilders.map((builder) => builder.compile({ arena })));
      const tests = {
        test: await testBuilder?.compile({ arena }),
        validation: await validationBuilder?.compile({ arena }),
      };
      return new Trainer(engine, new engine.Run(parts, resolved, data, train, tests), plan, given);
    } catch (cause) {
      engine.disposeParts(parts);
      throw cause;
    }
  }

  /** Where it trains. */
  get gpu(): Gpu {
    return this.#run.gpu;
  }

  /** What it trains; its values are those of the last step. */
  get network(): Network {
    return this.#run.network;
  }

  /** What it trains on, checked and with defaults. */
  get data(): CheckedData {
    return this.#run.data;
  }

  /** What it was made with, checked and with defaults. */
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
    return this.#run.train.reduce((sum, { dispatches }) => sum + dispatches, 0);
  }

  /**
   * Trains to the end of the last epoch, from where the training is.
   * @throws NonFiniteError when a loss is NaN or infinite, naming the step and the first layer; the weights are those
   *   before that step. DeviceLostError when the device goes.
   */
  async fit(hooks: FitHooks = {}): Promise<FitResult> {
    return this.#exclusively('fit', () => this.#engine.fitRun(this.#run, hooks));
  }

  /**
   * Runs so many steps and waits for them, in as few submits as may be; an epoch begins where the one before it ends. For
   * benchmarks and for loops of one's own: nothing is evaluated at an epoch's end.
   * @throws OptionError unless `count` is a positive integer; what `fit` throws
   */
  async runSteps(count: number): Promise<StepMetrics[]> {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new OptionError('Steps are run in whole numbers.', {
        given: `runSteps(${count})`,
        expected: 'a positive integer',
        where: 'runSteps',
      });
    }
    return this.#exclusively('runSteps', async () => {
      const run = this.#run;
      const all: StepMetrics[] = [];
      while (all.length < count) {
        await run.settle();
        if (run.progress.batch === run.batches) await run.nextEpoch(run.progress.history);
        await run.begin();
        const left = Math.min(count - all.length, run.batches - run.progress.batch);
        const { metrics } = await run.submit(Math.min(left, run.most));
        const latest = await metrics;
        await this.#engine.account(run, latest, 0, {});
        all.push(...latest);
      }
      return all;
    });
  }

  /**
   * Runs one training step with a timestamp around every dispatch.
   * @returns milliseconds by dispatch, in order; undefined where the device has no timestamps
   * @throws OptionError of a training whose steps others vote on
   */
  async profile(): Promise<DispatchTiming[] | undefined> {
    return this.#exclusively('profile', async () => {
      const run = this.#run;
      await run.begin();
      const { epoch, batch } = run.progress;
      if (batch === run.batches) {
        throw new OptionError('The epoch is over.', { given: `epoch ${epoch + 1}`, where: 'profile' });
      }
      const profiled = await run.profile();
      // The step counts like any other.
      if (profiled !== undefined) await this.#engine.account(run, profiled.latest, 0, {});
      return profiled?.timings;
    });
  }

  /**
   * Encodes the training step again and again, and submits nothing: what a step costs the host, apart from its submit.
   * @returns milliseconds of one, from `times` in a row
   */
  timeEncoding(times: number): number {
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      const encoder = this.gpu.encoder('training step');
      for (const part of this.#run.train) part.encode(encoder);
      encoder.finish();
    }
    return (performance.now() - start) / times;
  }

  /**
   * Does what the optimizer and `refitStatistics` do when a training is over, for loops of one's own: `fit` does it after the last epoch.
   * @returns whether there was something to do
   */
  async finish(): Promise<boolean> {
    return this.#exclusively('finish', () => this.#engine.finishRun(this.#run));
  }

  /**
   * Loss, accuracy and scores on the whole test split, or on the samples for validation, in inference mode.
   * @throws OptionError where there is no such split
   */
  async evaluate(split: 'test' | 'validation' = 'test'): Promise<Evaluation> {
    const body = () => this.#engine.evaluate(this.#run, split);
    return this.#run.whilePaused(body) ?? this.#exclusively('evaluate', body);
  }

  /** Logits for samples f32 [count, height, width, channels], normalised as the data set says. */
  predict(samples: Float32Array): Promise<Float32Array<ArrayBuffer>> {
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

  /** What was learned so far, with all that is needed to use it. @throws OptionError while the trainer is busy */
  async trained(): Promise<Trained> {
    return this.#exclusively('trained', async () => {
      const values = new Map<string, ParameterValue>(await this.network.values());
      for (const { name, spec, packed } of this.network.binaryParameters) {
        if (spec.quantizer?.row?.hasArgument !== true || packed === undefined) continue;
        values.set(name, { words: await this.gpu.readWords(packed), shape: spec.shape });
      }
      const { classes, normalise, train, table } = this.data;
      const pixels = dtypeOf(train) === 'u8' ? normalise : undefined;
      return { model: this.network.model, values, classes, pixels, table };
    });
  }

  /**
   * Everything that is needed to go on later, elsewhere.
   * @param keepers what has a state of its own that the checkpoint holds too, as those of `fit` do: its `tap` and `hooks`
   */
  async checkpoint(keepers: readonly Keeper[] = []): Promise<Checkpoint> {
    const body = () => this.#engine.checkpointOf(this.#run, keepers);
    return this.#run.whilePaused(body) ?? this.#exclusively('checkpoint', body);
  }

  /**
   * Goes back to a checkpoint.
   * @throws OptionError when it was made with other options, FormatError when it lacks a tensor
   */
  async restore(checkpoint: Checkpoint): Promise<void> {
    return this.#exclusively('restore', () => this.#engine.restore(this.#run, checkpoint));
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

  override get disposed(): boolean {
    return this.#disposed;
  }

  async #exclusively<T>(what: string, body: () => Promise<T>): Promise<T> {
    if (this.#disposed) throw new DisposedError('This trainer was disposed.', { where: what });
    if (this.#busy) {
      throw new OptionError('The trainer is busy.', {
        given: what,
        where: 'Trainer',
        remedy: 'await the call before; while a hook is awaited, evaluate and checkpoint may be called',
      });
    }
    this.#busy = true;
    try {
      return await body();
    } finally {
      this.#busy = false;
    }
  }
}

/** What makes a plan smaller, whatever takes the most of it. */
function memoryRemedy({ data, activations, peakBytes }: TrainingPlan): string {
  if (data > peakBytes / 2)
    return 'take fewer samples (takeFirst, --train-samples), or hold a part of them at a time: train: streamed(data.train)';
  return activations > peakBytes / 2
    ? 'use a smaller batch'
    : 'use a smaller model, or sgd, which keeps less a weight';
}
