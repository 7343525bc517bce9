/**
 * The trainer: one network, one data set on the GPU, one recorded training step. A step gathers its batch, runs forward
 * and backward, updates the weights and advances its own counters, all on the GPU; the host submits groups of steps and
 * reads a few numbers back while the next group runs.
 */
import {
  DisposedError,
  FormatError,
  MemoryPlanError,
  NonFiniteError,
  OptionError,
  ShapeError,
} from '../errors.ts';
import {
  type DispatchTiming,
  describe,
  type Gpu,
  type Program,
  ProgramBuilder,
  profile,
  type Shape,
  type Tensor,
} from '../gpu/index.ts';
import { initialValues, type Model, type Network, recordForward } from '../graph/index.ts';
import { encodeTrainState, gatherBatch } from '../ops/data.ts';
import type { LossKind } from '../ops/loss.ts';
import { RING, type StepMetrics } from './metrics.ts';
import {
  hyperParameters,
  type OptimizerName,
  type OptimizerOptions,
  resolveOptimizer,
  tensorsOf,
} from './optimizers.ts';
import { type LearningRate, learningRateAt } from './schedules.ts';
import {
  allocateParts,
  batchesOf,
  declareParts,
  disposeParts,
  type Parts,
  planTraining,
  recordTestStep,
  recordTrainStep,
  type StepOptions,
  type TrainingData,
  type TrainingPlan,
} from './step.ts';

export const LOSS_NAMES: readonly LossKind[] = ['squaredHinge', 'crossEntropy'];

export interface TrainerOptions {
  /** Samples a step; what doesn't fill a batch at the end of an epoch is left out of that epoch. Default 100. */
  readonly batch?: number;
  /** Default 3. */
  readonly epochs?: number;
  /** Default `adam`. */
  readonly optimizer?: OptimizerName | OptimizerOptions;
  /** Default: 0.02 to 0.001, exponentially, over all steps. */
  readonly learningRate?: LearningRate;
  /** Default `squaredHinge`, as in the papers. */
  readonly loss?: LossKind;
  /** Weights, order of samples, augmentation and dropout all follow from it. Default 1. */
  readonly seed?: number;
  /** Scale the steps of binary weights by 1/√(1.5/(fanIn + fanOut)) (Courbariaux et al. 2016). Default false. */
  readonly fanScaledSteps?: boolean;
  /** Random crops after zero-padding by `pad` pixels, and mirror images. Default: none. */
  readonly augment?: { readonly pad: number; readonly flip: boolean };
  /** Refuse a plan that needs more GPU memory than this, before anything is allocated. */
  readonly maxBytes?: number;
}

export interface Evaluation {
  readonly loss: number;
  /** Share of the samples, 0 to 1. */
  readonly accuracy: number;
  readonly correct: number;
  readonly count: number;
}

export interface StepsInfo {
  /** Epoch that is under way, from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps of this epoch done, and in all. */
  readonly batch: number;
  readonly batches: number;
  /** Steps done since the start. */
  readonly step: number;
  /** Means over the epoch so far. */
  readonly loss: number;
  readonly accuracy: number;
  /** Metrics of the steps since the last call. */
  readonly latest: readonly StepMetrics[];
  readonly imagesPerSecond: number;
}

export interface EpochInfo {
  /** From 1. */
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
  /** Of the last step of the epoch. */
  readonly learningRate: number;
  /** Wall time of the epoch's steps, evaluation apart. */
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

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

export interface FitResult {
  readonly outcome: 'finished' | 'aborted';
  readonly epochs: readonly EpochInfo[];
  /** Steps done since the start. */
  readonly step: number;
}

/** Everything that decides how training goes on: the same bits as if it had never stopped. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  readonly progress: Progress;
}

export interface CheckpointTensor {
  readonly dtype: 'F32' | 'U32';
  readonly shape: Shape;
  readonly data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

/** Where a training is; plain JSON. */
export interface Progress {
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /** Steps done in the epoch. */
  readonly batch: number;
  /** Sums over the epoch so far. */
  readonly lossSum: number;
  readonly correct: number;
  readonly count: number;
  readonly seconds: number;
  readonly history: readonly EpochInfo[];
  /** What must not change between a stop and a resume. */
  readonly fixed: Readonly<Record<string, unknown>>;
}

/** A group of steps grows until it takes about this long, so that a fast GPU is not kept waiting. */
const GROUP_MILLISECONDS = 100;
const MAX_GROUP = RING / 4;

export class Trainer {
  readonly gpu: Gpu;
  readonly network: Network;
  readonly data: TrainingData;
  readonly plan: TrainingPlan;
  readonly options: StepOptions & Required<Pick<TrainerOptions, 'epochs' | 'learningRate' | 'seed'>>;
  readonly #parts: Parts;
  readonly #train: Program;
  readonly #test: Program;
  #progress: Progress;
  /** The progress that the counters on the GPU stand for, if known. */
  #onGpu: Progress | undefined;
  #busy = false;
  #disposed = false;

  private constructor(
    parts: Parts,
    options: Trainer['options'],
    data: TrainingData,
    plan: TrainingPlan,
    train: Program,
    test: Program,
  ) {
    this.gpu = parts.network.gpu;
    this.network = parts.network;
    this.#parts = parts;
    this.options = options;
    this.data = data;
    this.plan = plan;
    this.#train = train;
    this.#test = test;
    this.#progress = freshProgress(this.#fixed());
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
      for (const builder of [trainBuilder, testBuilder]) network.arena.reserve(builder.plan().slots);
      const train = await trainBuilder.compile({ arena: network.arena });
      const test = await testBuilder.compile({ arena: network.arena });
      return new Trainer(parts, options, data, plan, train, test);
    } catch (cause) {
      disposeParts(parts);
      throw cause;
    }
  }

  /** Steps of one epoch. */
  get batches(): number {
    return batchesOf(this.data, this.options.batch);
  }

  /** Where the training is. */
  get progress(): Progress {
    return this.#progress;
  }

  /** Dispatches of one training step. */
  get dispatches(): number {
    return this.#train.dispatches;
  }

  /**
   * Trains to the end of the last epoch, from where the training is.
   * @throws NonFiniteError when a loss is NaN or infinite, naming the step and the first layer; the weights are those
   *   before that step. DeviceLostError when the device goes.
   */
  async fit(hooks: FitHooks = {}): Promise<FitResult> {
    return this.#exclusively('fit', async () => {
      while (this.#progress.epoch < this.options.epochs) {
        if (!(await this.#fitEpoch(hooks))) {
          await hooks.checkpoint?.save(await this.#checkpoint());
          return { outcome: 'aborted', epochs: this.#progress.history, step: this.#progress.step };
        }
        await this.#endEpoch(hooks);
      }
      return { outcome: 'finished', epochs: this.#progress.history, step: this.#progress.step };
    });
  }

  /**
   * Runs the next steps of the epoch in one submit and waits for them; the next epoch begins where one ends. For
   * benchmarks and for loops of one's own: nothing is evaluated at an epoch's end.
   */
  async runSteps(count: number): Promise<StepMetrics[]> {
    return this.#exclusively('runSteps', async () => {
      if (this.#progress.batch === this.batches) {
        const { step, epoch, history } = this.#progress;
        this.#resetFlips();
        this.#progress = { ...freshProgress(this.#fixed()), step, epoch: epoch + 1, history };
      }
      const steps = Math.min(count, this.batches - this.#progress.batch, MAX_GROUP);
      if (this.#onGpu !== this.#progress) this.#writeState();
      this.#onGpu = undefined;
      const latest = await this.#submit(this.#train, this.#progress.step, steps).read();
      await this.#account(latest, 0, {});
      this.#onGpu = this.#progress;
      return latest;
    });
  }

  /**
   * Runs one training step with a timestamp around every dispatch.
   * @returns milliseconds by dispatch, in order; undefined where the device has no timestamps
   */
  async profile(): Promise<DispatchTiming[] | undefined> {
    return this.#exclusively('profile', async () => {
      const { step, epoch, batch } = this.#progress;
      if (batch === this.batches) {
        throw new OptionError('The epoch is over.', { given: `epoch ${epoch + 1}`, where: 'profile' });
      }
      this.#writeState();
      this.#onGpu = undefined;
      const timings = await profile(this.#train);
      if (timings === undefined) return undefined;
      // The step counts like any other.
      const encoder = this.gpu.encoder('training step');
      const read = this.#parts.metrics.copy(encoder, step, 1);
      this.gpu.submit(encoder);
      await this.#account(await read(), 0, {});
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
      const encoder = this.gpu.encoder('training step');
      this.#train.encode(encoder);
      encoder.finish();
    }
    return (performance.now() - start) / times;
  }

  /** Loss and accuracy on the whole test split, in inference mode. */
  async evaluate(): Promise<Evaluation> {
    return this.#exclusively('evaluate', () => this.#evaluate());
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
    for (const { parameter, flips } of this.#parts.slots) {
      if (flips !== undefined) counts.set(parameter.name, await this.gpu.readWords(flips));
    }
    return { steps: this.#progress.batch, counts };
  }

  /** Everything that is needed to go on later, elsewhere. */
  async checkpoint(): Promise<Checkpoint> {
    return this.#exclusively('checkpoint', () => this.#checkpoint());
  }

  /**
   * Goes back to a checkpoint.
   * @throws OptionError when it was made with other options, FormatError when it lacks a tensor
   */
  async restore({ tensors, progress }: Checkpoint): Promise<void> {
    return this.#exclusively('restore', async () => {
      const mine = this.#fixed();
      for (const [name, value] of Object.entries(mine)) {
        const theirs = progress.fixed[name];
        if (JSON.stringify(theirs) !== JSON.stringify(value)) {
          throw new OptionError("The checkpoint was made with another option than this training's.", {
            given: `${name} = ${JSON.stringify(value)}`,
            expected: `${name} = ${JSON.stringify(theirs)}`,
            where: 'restore',
            remedy: 'resume with the options of the checkpoint, or start anew without it',
          });
        }
      }
      // Everything is checked before anything is written: half a checkpoint must not train on.
      const writes = this.#stateTensors().map((tensor) => {
        const saved = tensors.get(tensor.label);
        const dtype = tensor.dtype === 'u32' ? 'U32' : 'F32';
        if (saved === undefined || saved.dtype !== dtype || saved.shape.join() !== tensor.shape.join()) {
          throw new FormatError(
            saved ? "A tensor of the checkpoint isn't the training's." : 'The checkpoint lacks a tensor.',
            {
              given: saved ? `${describe(saved.shape)} ${saved.dtype}` : 'nothing',
              expected: describe(tensor.shape, tensor.dtype),
              where: tensor.label,
            },
          );
        }
        return () => this.gpu.write(tensor, saved.data);
      });
      for (const write of writes) write();
      await this.network.repack();
      this.#progress = progress;
      this.#onGpu = undefined;
    });
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
    this.#train.dispose();
    this.#test.dispose();
    disposeParts(this.#parts);
  }

  [Symbol.dispose](): void {
    if (!this.#disposed) this.dispose();
  }

  /** @returns false when the signal stopped it */
  async #fitEpoch(hooks: FitHooks): Promise<boolean> {
    const { batches } = this;
    const { metrics } = this.#parts;
    const every = hooks.checkpoint?.everySteps ?? Number.POSITIVE_INFINITY;
    const { tap } = hooks;
    const tapEvery = tap?.everySteps ?? Number.POSITIVE_INFINITY;
    assertTap(tap);
    const start = this.#progress.step - this.#progress.batch;
    this.#writeState();
    this.#onGpu = undefined;
    let submitted = this.#progress.batch;
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
      await this.#account(latest, elapsed, hooks);
      if (elapsed < GROUP_MILLISECONDS / 2) group = Math.min(MAX_GROUP, group * 2);
      else if (elapsed > 2 * GROUP_MILLISECONDS) group = Math.max(1, group >> 1);
    };

    try {
      while (submitted < batches && !hooks.signal?.aborted) {
        const untilSave = every - (submitted % every);
        const untilTap = tapEvery - ((start + submitted) % tapEvery);
        const steps = Math.min(group, batches - submitted, untilSave, untilTap);
        const due = steps === untilTap ? tap : undefined;
        const { read, tapped } = this.#submit(this.#train, start + submitted, steps, due);
        waiting.push(read);
        if (tapped !== undefined) taps.push(tapped);
        submitted += steps;
        if (!metrics.ready) await collect();
        if (submitted % every === 0 && submitted < batches) {
          while (waiting.length > 0) await collect();
          await hooks.checkpoint?.save(await this.#checkpoint());
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
        if (!halted) this.#count(late, 0);
      }
      await Promise.allSettled(taps);
      throw cause;
    }
    return this.#progress.batch === batches;
  }

  /** Submits steps of a program. @returns how to wait for their metrics, and what a tap that is due promises */
  #submit(
    program: Program,
    first: number,
    steps: number,
    tap?: StepTap,
  ): { read: () => Promise<StepMetrics[]>; tapped: Promise<void> | undefined } {
    const { submitted, metrics } = program.run(steps, (encoder) => ({
      submitted: tap?.encode(encoder, first + steps),
      metrics: this.#parts.metrics.copy(encoder, first, steps),
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

  async #account(latest: readonly StepMetrics[], elapsed: number, hooks: FitHooks): Promise<void> {
    const bad = this.#count(latest, elapsed);
    if (bad !== undefined) throw await this.#diagnose(bad.step);
    const progress = this.#progress;
    hooks.onSteps?.({
      epoch: progress.epoch + 1,
      epochs: this.options.epochs,
      batch: progress.batch,
      batches: this.batches,
      step: progress.step,
      loss: progress.lossSum / progress.batch,
      accuracy: progress.correct / progress.count,
      latest,
      imagesPerSecond: progress.count / progress.seconds,
    });
  }

  /**
   * Counts the steps that the GPU has done. @returns the first whose loss isn't finite: it and what follows it were not
   */
  #count(latest: readonly StepMetrics[], elapsed: number): StepMetrics | undefined {
    const bad = latest.findIndex(({ loss }) => !Number.isFinite(loss));
    const done = bad < 0 ? latest : latest.slice(0, bad);
    const before = this.#progress;
    this.#progress = {
      ...before,
      step: before.step + done.length,
      batch: before.batch + done.length,
      lossSum: done.reduce((sum, { loss }) => sum + loss, before.lossSum),
      correct: done.reduce((sum, { correct }) => sum + correct, before.correct),
      count: done.reduce((sum, { count }) => sum + count, before.count),
      seconds: before.seconds + elapsed / 1000,
    };
    return latest[bad];
  }

  async #endEpoch(hooks: FitHooks): Promise<void> {
    const { epoch, lossSum, batch, correct, count, seconds, step } = this.#progress;
    const test = await this.#evaluate();
    const info: EpochInfo = {
      epoch: epoch + 1,
      trainLoss: lossSum / batch,
      trainAccuracy: correct / count,
      testLoss: test.loss,
      testAccuracy: test.accuracy,
      learningRate: this.#rate(step - 1),
      seconds,
      imagesPerSecond: count / seconds,
    };
    await hooks.onEpoch?.(info);
    this.#resetFlips();
    this.#progress = {
      ...freshProgress(this.#fixed()),
      step,
      epoch: epoch + 1,
      history: [...this.#progress.history, info],
    };
    await hooks.checkpoint?.save(await this.#checkpoint());
  }

  #resetFlips(): void {
    for (const { flips } of this.#parts.slots) if (flips) this.gpu.write(flips, new Uint32Array(flips.size));
  }

  async #evaluate(): Promise<Evaluation> {
    const { testState } = this.#parts;
    const { count } = this.data.test;
    const batches = Math.ceil(count / this.options.batch);
    this.gpu.write(testState, encodeTrainState({ seed: this.options.seed }));
    let loss = 0;
    let correct = 0;
    for (let first = 0; first < batches; first += MAX_GROUP) {
      const steps = Math.min(MAX_GROUP, batches - first);
      for (const step of await this.#submit(this.#test, first, steps).read()) {
        loss += step.loss * step.count;
        correct += step.correct;
      }
    }
    return { loss: loss / count, accuracy: correct / count, correct, count };
  }

  /** Runs the step that failed once more, layer by layer, and says where the first value that isn't finite comes from. */
  async #diagnose(step: number): Promise<NonFiniteError> {
    const { network, trainImages, trainLabels, state } = this.#parts;
    const culprit = await (async () => {
      for (const { name, value } of network.parameters.values()) {
        if (!allFinite(await this.gpu.readFloats(value))) return `parameter ${name}`;
      }
      const builder = new ProgramBuilder(this.gpu, 'diagnosis');
      const { x } = gatherBatch(builder, this.#parts.gather(trainImages, trainLabels, state, true));
      const pass = recordForward(builder, network.model, network.parameters, x, { training: true, state });
      for (const { tensor } of pass.activations) builder.keep(tensor);
      using program = await builder.compile();
      program.run();
      for (const [index, { tensor, kind }] of pass.activations.entries()) {
        if (kind === 'real' && !allFinite(await this.gpu.readFloats(tensor))) {
          return `layer ${network.model.layers[index]?.name}`;
        }
      }
      return `the loss (${this.options.loss})`;
    })();
    return new NonFiniteError(
      'The loss is not a finite number; training stopped before the weights were touched.',
      {
        given: `step ${step}, first in ${culprit}`,
        where: culprit,
        remedy: 'use a lower learning rate, or resume from an earlier checkpoint',
      },
    );
  }

  async #checkpoint(): Promise<Checkpoint> {
    const tensors = new Map<string, CheckpointTensor>();
    for (const tensor of this.#stateTensors()) {
      const words = tensor.dtype === 'u32';
      tensors.set(tensor.label, {
        dtype: words ? 'U32' : 'F32',
        shape: tensor.shape,
        data: words ? await this.gpu.readWords(tensor) : await this.gpu.readFloats(tensor),
      });
    }
    return { tensors, progress: this.#progress };
  }

  #stateTensors(): Tensor[] {
    return [
      ...[...this.network.parameters.values()].map(({ value }) => value),
      ...tensorsOf(this.#parts.slots),
    ];
  }

  /** Hands the GPU the counters and the hyper-parameters of every step of the epoch. */
  #writeState(): void {
    const { epoch, batch, step } = this.#progress;
    const { seed } = this.options;
    const first = step - batch;
    // The row after the last step's is taken, but never used: the next epoch brings a table of its own.
    const last = first + this.batches - 1;
    const rows = Array.from({ length: this.batches + 1 }, (_, i) => this.#hyper(Math.min(first + i, last)));
    this.gpu.write(this.#parts.table, new Float32Array(rows.flat()));
    this.gpu.write(
      this.#parts.state,
      encodeTrainState({ step, epoch, batch, seed, hyper: this.#hyper(Math.min(step, last)) }),
    );
  }

  #hyper(step: number): readonly [number, number, number, number] {
    const { optimizer, learningRate } = this.options;
    return hyperParameters(optimizer, learningRate, step, this.#steps);
  }

  #rate(step: number): number {
    const { learningRate } = this.options;
    return learningRateAt(learningRate, step, this.#steps);
  }

  get #steps(): number {
    return this.options.epochs * this.batches;
  }

  #fixed(): Record<string, unknown> {
    const { batch, seed, optimizer, loss, fanScaledSteps, augment, learningRate, epochs } = this.options;
    return {
      model: this.network.model.name,
      data: this.data.name,
      samples: this.data.train.count,
      batch,
      epochs,
      seed,
      optimizer,
      loss,
      fanScaledSteps,
      augment: augment ?? null,
      learningRate: typeof learningRate === 'function' ? 'function' : learningRate,
    };
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

function resolveOptions(given: TrainerOptions, data: TrainingData): Trainer['options'] {
  const options = {
    batch: given.batch ?? 100,
    epochs: given.epochs ?? 3,
    optimizer: resolveOptimizer(given.optimizer ?? 'adam'),
    learningRate: given.learningRate ?? { from: 0.02, to: 0.001, decay: 'exponential' as const },
    loss: given.loss ?? 'squaredHinge',
    seed: given.seed ?? 1,
    fanScaledSteps: given.fanScaledSteps ?? false,
    augment: given.augment,
  };
  const counts = { batch: options.batch, epochs: options.epochs };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new OptionError('This option must be a positive integer.', { given: `${name} = ${value}` });
    }
  }
  if (!Number.isSafeInteger(options.seed) || options.seed < 0 || options.seed >= 2 ** 32) {
    throw new OptionError('A seed is an integer from 0 to 2^32 − 1.', { given: `seed = ${options.seed}` });
  }
  if (!LOSS_NAMES.includes(options.loss)) {
    throw new OptionError('There is no loss of this name.', {
      given: String(options.loss),
      expected: LOSS_NAMES.join(', '),
    });
  }
  if (options.batch > data.train.count) {
    throw new OptionError('The batch is larger than the data set.', {
      given: `batch = ${options.batch}`,
      expected: `${data.train.count} at most for ${data.name}`,
    });
  }
  return options;
}

function assertFits(model: Model, data: TrainingData): void {
  const [classes] = model.outputShape;
  if (JSON.stringify(model.inputShape) !== JSON.stringify(data.image)) {
    throw new ShapeError("The data set's images don't fit the model.", {
      given: `${describe(data.image)} (${data.name})`,
      expected: `${describe(model.inputShape)} (${model.name})`,
    });
  }
  if (model.outputShape.length !== 1 || (classes ?? 0) < data.classes.length) {
    throw new ShapeError("The model's output doesn't fit the data set's classes.", {
      given: describe(model.outputShape),
      expected: `[${data.classes.length}] or more`,
      where: model.layers.at(-1)?.name,
    });
  }
}

function initialWeights(model: Model, options: Trainer['options']): Map<string, Float32Array<ArrayBuffer>> {
  const values = initialValues(model, options.seed);
  if (options.optimizer.kind !== 'bop') return values;
  // Bop has no latent weights: what it starts from are signs.
  for (const { name, parameters } of model.layers) {
    for (const spec of parameters) {
      const key = `${name}/${spec.name}`;
      const drawn = values.get(key);
      if (spec.role === 'binary' && drawn !== undefined) {
        values.set(
          key,
          drawn.map((value) => (value < 0 ? -1 : 1)),
        );
      }
    }
  }
  return values;
}

function freshProgress(fixed: Record<string, unknown>): Progress {
  return { step: 0, epoch: 0, batch: 0, lossSum: 0, correct: 0, count: 0, seconds: 0, history: [], fixed };
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

function allFinite(values: Float32Array): boolean {
  return values.every((value) => Number.isFinite(value));
}
