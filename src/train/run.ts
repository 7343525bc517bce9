/**
 * A training under way: what it owns on the GPU, its two recorded programs, and where it is. The parts of the trainer
 * (fit, evaluate, diagnose, checkpoint) are functions of it.
 *
 * Where it is is known to the GPU, which counts its own steps; the host counts what is reported. After a fault the host
 * asks the GPU. Where a fault may have left half a step in the weights, nothing goes on before `restore`.
 */
import { type BnnError, GpuValidationError, NonFiniteError, OptionError } from '../errors.ts';
import {
  type DispatchTiming,
  type Gpu,
  type Program,
  type ProgramBuilder,
  profile,
  type Tensor,
} from '../gpu/index.ts';
import type { Network } from '../graph/index.ts';
import { type RatedTime, scheduledAt } from '../methods/index.ts';
import { decodeTrainState, encodeTrainState } from '../ops/data.ts';
import type { CheckedData } from './data.ts';
import { type Feed, feedsOf } from './feed.ts';
import { dataDigest, modelDigest, scheduleDigest } from './fingerprint.ts';
import { MAX_GROUP, type MetricsCopy, RING, type StepMetrics } from './metrics.ts';
import type { ResolvedOptions } from './options.ts';
import { type CheckpointTensor, freshProgress, type Progress, progressAfter } from './progress.ts';
import { batchesOf, disposeParts, type EvaluatedSplit, type Parts, recordTrainStep } from './step.ts';

/** Something that looks at the weights after some of the steps, on the GPU, in the submit of the step. */
export interface StepTap {
  /** Steps from one look to the next. */
  readonly everySteps: number;
  /**
   * Records its work after the step; must not write what training reads.
   * @param step steps done by then
   * @returns called after the submit, with a promise that rejects when the steps turn out not to have been done: what was
   *   recorded is of other weights then, if of any, and must not be handed on. What it returns is awaited at the end of
   *   the epoch
   */
  readonly encode: (encoder: GPUCommandEncoder, step: number) => (done?: Promise<unknown>) => Promise<void>;
  /** Tensors by name that checkpoints of the training keep with it, so that a resumed tap goes on as if it hadn't stopped. */
  readonly state?: () => Promise<ReadonlyMap<string, CheckpointTensor>>;
}

/** Steps that were submitted. */
interface Submitted {
  /** Their metrics. */
  readonly metrics: Promise<StepMetrics[]>;
  /** What a tap that was due promises. */
  readonly tapped: Promise<void> | undefined;
}

/** Numbers of the steps of a refit, which no step of a training has. */
const REFITS = 2 ** 22;

export class Run {
  readonly gpu: Gpu;
  readonly network: Network;
  readonly parts: Parts;
  readonly options: ResolvedOptions;
  readonly data: CheckedData;
  /** One batch of each split that is evaluated. */
  readonly tests: Readonly<Record<EvaluatedSplit, Program | undefined>>;
  /** Steps of one epoch. */
  readonly batches: number;
  /** Where the samples of streams come from. */
  readonly #feeds: Readonly<Record<'train' | EvaluatedSplit, Feed | undefined>>;
  /** One training step of all parameters; in two parts where trainers vote on it. */
  readonly #whole: readonly Program[];
  /** One without those that are frozen, where some are. */
  #partial: readonly Program[] | undefined;
  /** Evaluations begun. */
  evaluations = 0;
  readonly #digests: Readonly<Record<'model' | 'data' | 'schedule', string>>;
  #progress: Progress;
  /** The progress that was written into the counters on the GPU, or came from them, if any. */
  #onGpu: Progress | undefined;
  /** Whether the GPU may have done other steps than were counted. */
  #inDoubt = false;
  /** Settles when what a hook called is done; absent while no hook is awaited. */
  #pause: Promise<void> | undefined;
  /** Why nothing goes on before a restore. */
  #broken: BnnError | undefined;

  constructor(
    parts: Parts,
    options: ResolvedOptions,
    data: CheckedData,
    train: readonly Program[],
    tests: Readonly<Record<EvaluatedSplit, Program | undefined>>,
  ) {
    this.gpu = parts.network.gpu;
    this.network = parts.network;
    this.parts = parts;
    this.options = options;
    this.data = data;
    this.#whole = train;
    this.tests = tests;
    this.batches = batchesOf(data, options.batch);
    this.#feeds = feedsOf(parts, options, data, this.batches);
    this.#digests = {
      model: modelDigest(this.network.model),
      data: dataDigest(data),
      schedule: scheduleDigest(this.steps, (step) => parts.tables.at(this.#time(step))),
    };
    this.#progress = freshProgress(this.fixed());
  }

  /** One training step; in two parts where trainers vote on it. */
  get train(): readonly Program[] {
    return this.#partial ?? this.#whole;
  }

  /** Steps of the whole training. */
  get steps(): number {
    return this.options.epochs * this.batches;
  }

  /** What must not change between a stop and a resume. */
  fixed(): Record<string, unknown> {
    const {
      batch,
      seed,
      optimizer,
      overrides,
      penalty,
      loss,
      losses,
      fanScaledSteps,
      augment,
      learningRate,
      epochs,
      classWeights,
      clip,
      votes,
    } = this.options;
    return {
      model: this.network.model.name,
      modelDigest: this.#digests.model,
      data: this.data.name,
      dataDigest: this.#digests.data,
      samples: this.data.train.count,
      batch,
      epochs,
      seed,
      optimizer: optimizer.toJSON(),
      ...(overrides.length === 0
        ? {}
        : {
            overrides: overrides.map(({ match, optimizer: own, rate }) => [
              ...[String(match), own?.toJSON() ?? 'none'],
              ...(rate === 1 ? [] : [rate]),
            ]),
          }),
      ...(penalty === undefined ? {} : { penalty: penalty.toJSON() }),
      loss: loss.toJSON(),
      ...(losses === undefined
        ? {}
        : { losses: losses.map(({ loss: own, ...others }) => ({ ...others, loss: own.toJSON() })) }),
      fanScaledSteps,
      ...(classWeights === undefined ? {} : { classWeights }),
      ...(clip === undefined ? {} : { clip }),
      ...(votes === undefined ? {} : { votes: true }),
      augment: augment?.note ?? null,
      learningRate: typeof learningRate === 'function' ? 'function' : learningRate,
      scheduleDigest: this.#digests.schedule,
    };
  }

  /** What outlives a step, beside the slots of optimizers: parameters and counters of flips. */
  stateTensors(): Tensor[] {
    const flips = this.parts.slots.flatMap((slots) => slots.flips ?? []);
    // What is derived has no latent weights.
    const kept = [...this.network.parameters.values()].filter(({ spec }) => spec.derived !== true);
    return [...kept.map(({ value }) => value), ...flips];
  }

  /** Where the training is, as far as it was reported. */
  get progress(): Progress {
    return this.#progress;
  }

  /** @throws GpuValidationError where a fault may have left half a step in the weights */
  assertWhole(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  /**
   * Makes sure that host and GPU agree on where the training is: after a fault, the GPU's counters decide.
   * @param lost whether reports of the GPU were lost otherwise
   * @throws GpuValidationError where that can't be found out, or the weights may hold half a step
   */
  async settle(lost = false): Promise<void> {
    this.#inDoubt ||= lost;
    this.assertWhole();
    if (!this.#inDoubt) return;
    const { step, epoch, batch } = this.#progress;
    const state = decodeTrainState(await this.gpu.readWords(this.parts.state));
    const more = state.step - step;
    if (state.epoch !== epoch || state.batch !== batch + more || more < 0 || more > RING) {
      this.#breaks(`step ${state.step} on the GPU, step ${step} by its reports`);
    }
    const late = more > 0 ? await this.parts.metrics.readNow(step, more) : [];
    if (late === undefined) this.#breaks(`no report of ${more} steps from step ${step} on`);
    this.assertWhole();
    this.#inDoubt = false;
    this.count(late ?? [], 0);
    if (state.halted) this.#onGpu = undefined;
  }

  /** Hands the GPU the counters and the optimizers' numbers of every step of the epoch, unless it has them. */
  async begin(): Promise<void> {
    await this.settle();
    if (this.#onGpu === this.#progress) return;
    const { epoch, batch, step } = this.#progress;
    const { seed } = this.options;
    const first = step - batch;
    const tables = this.parts.tables.rows(this.batches, (i) => this.#time(first + i));
    const state = encodeTrainState({ step, epoch, batch, seed });
    this.#onGpu = undefined;
    await this.gpu.scoped('the state of the training', () => {
      for (const [tensor, rows] of tables) this.gpu.write(tensor, rows);
      this.gpu.write(this.parts.state, state);
    });
    this.#onGpu = this.#progress;
  }

  /** The most steps that can be submitted at once. */
  get most(): number {
    if (this.train.length > 1) return 1;
    return this.#feeds.train?.most ?? MAX_GROUP;
  }

  /** The most batches of a split that is evaluated which can be submitted at once. */
  mostTests(split: EvaluatedSplit): number {
    return this.#feeds[split]?.most ?? MAX_GROUP;
  }

  /**
   * Waits for the samples of steps, where they are a stream's.
   * @param ahead steps that were submitted and not counted yet
   * @returns what hands them to the GPU
   */
  async samplesAhead(ahead: number, steps: number): Promise<((gpu: Gpu) => void) | undefined> {
    const { epoch, batch } = this.#progress;
    return this.#feeds.train?.take(epoch * this.batches + batch + ahead, steps);
  }

  /**
   * Submits training steps, with a tap where one is due after them; `begin` came before.
   * @param ahead steps that were submitted and not counted yet
   * @throws DataUnavailableError where a stream can't be read; nothing was submitted then
   */
  async submit(steps: number, ahead = 0, tap?: StepTap): Promise<Submitted> {
    const write = await this.samplesAhead(ahead, steps);
    const first = this.#progress.step + ahead;
    const [begun, voted] = this.train;
    if (voted === undefined) return this.#submit(begun as Program, first, steps, true, tap, write);
    return this.#submit(voted, first, steps, true, tap, await this.#decide(begun as Program, first, write));
  }

  /**
   * Does a step up to its gradients, and has their signs decided on.
   * @returns what hands the GPU the decision
   */
  async #decide(begun: Program, step: number, write?: (gpu: Gpu) => void): Promise<(gpu: Gpu) => void> {
    const { gpu } = this;
    const { votes } = this.options;
    const { frozen = [] } = this.#progress;
    const ballots = this.parts.slots.flatMap(({ parameter, ballot }) =>
      ballot === undefined || frozen.includes(parameter.name) ? [] : [ballot],
    );
    try {
      await gpu.scoped(begun.label, () => {
        write?.(gpu);
        begun.run();
      });
      const signs = await Promise.all(ballots.map((ballot) => gpu.readWords(ballot)));
      const cast = joined(signs);
      const decided = typeof votes === 'function' ? await votes(cast, step) : cast;
      if (decided.length !== cast.length) {
        throw new OptionError('A vote decides about every weight.', {
          given: `${decided.length} words`,
          expected: `${cast.length} words`,
          where: `votes, step ${step}`,
        });
      }
      return () => {
        let at = 0;
        for (const ballot of ballots) {
          const words = ballot.byteLength / 4;
          gpu.write(ballot, decided.subarray(at, at + words));
          at += words;
        }
      };
    } catch (cause) {
      this.#breaks('a vote that came to no end', cause);
      throw cause;
    }
  }

  /** Runs one training step with a timestamp around every dispatch. @returns nothing where there are no timestamps */
  async profile(): Promise<{ timings: DispatchTiming[]; latest: StepMetrics[] } | undefined> {
    const { counters } = this.gpu;
    const [train, voted] = this.train;
    if (train === undefined || voted !== undefined) {
      throw new OptionError('A step that trainers vote on is not profiled: it waits for the others.', {
        given: 'votes',
        where: 'profile',
        remedy: "profile the training with votes: 'alone'",
      });
    }
    const write = await this.samplesAhead(0, 1);
    await this.gpu.scoped('the samples of a step', () => write?.(this.gpu));
    const { submits } = counters;
    try {
      const timings = await profile(train);
      if (timings === undefined) return undefined;
      const latest = await this.parts.metrics.readNow(this.#progress.step, 1);
      if (latest !== undefined) return { timings, latest };
      throw new GpuValidationError('The GPU did not do the step.', { where: 'profile' });
    } catch (cause) {
      this.#inDoubt = true;
      if (counters.submits - submits > 1) this.#breaks('a profiled step, some submits of it refused', cause);
      throw cause;
    }
  }

  /**
   * Submits batches of a split that is evaluated, `mostTests` at most, whose rows of metrics are those of the steps from `first` on.
   * @param done batches of this evaluation before them
   */
  async submitTest(
    split: EvaluatedSplit,
    test: Program,
    first: number,
    done: number,
    steps: number,
  ): Promise<StepMetrics[]> {
    const write = await this.#feeds[split]?.take(done, steps);
    return this.#submit(test, first + done, steps, false, undefined, write).metrics;
  }

  /**
   * Runs the steps of the epoch again and again, without updates: what batch normalisation keeps becomes that of the weights as
   * they are. The training stands where it stood.
   * @param least steps in all, in whole epochs
   */
  async refit(least: number): Promise<void> {
    const { parts, options, data, network, batches, gpu } = this;
    const { epoch } = this.#progress;
    // Without slots nothing is updated, nothing is voted on, and layers see weights as networks that are run do.
    const [step] = recordTrainStep({ ...parts, slots: [] }, { ...options, votes: undefined }, data);
    const program = await (step as ProgramBuilder).compile({ arena: network.arena });
    const state = encodeTrainState({ step: REFITS, epoch, batch: 0, seed: options.seed });
    this.#onGpu = undefined;
    try {
      for (let before = 0; before < least; before += batches) {
        await gpu.scoped('the state of a refit', () => gpu.write(parts.state, state));
        for (let done = 0; done < batches; done += this.most) {
          const steps = Math.min(this.most, batches - done);
          const write = await this.#feeds.train?.take(epoch * batches + done, steps);
          await this.#submit(program, REFITS + done, steps, false, undefined, write).metrics;
        }
      }
    } finally {
      program.dispose();
    }
  }

  /**
   * Counts the steps that the GPU has done.
   * @param elapsed milliseconds that they took
   * @returns the first whose loss isn't finite: it and what follows it were not
   */
  count(latest: readonly StepMetrics[], elapsed: number): StepMetrics | undefined {
    const bad = latest.findIndex(({ loss }) => !Number.isFinite(loss));
    const upToDate = this.#onGpu === this.#progress;
    this.#progress = progressAfter(this.#progress, bad < 0 ? latest : latest.slice(0, bad), elapsed);
    // A run that is halted goes on only with a state that is written anew.
    this.#onGpu = upToDate && bad < 0 ? this.#progress : undefined;
    return latest[bad];
  }

  /**
   * Awaits a hook while nothing is under way, so that it may call what is done at once.
   * @returns what the hook returns
   */
  async during<T>(hook: () => T | Promise<T>): Promise<T> {
    this.#pause = Promise.resolve();
    try {
      return await hook();
    } finally {
      // What the hook didn't await is waited for.
      await this.#pause;
      this.#pause = undefined;
    }
  }

  /** Does something while a hook is awaited, one after the other. @returns nothing where none is */
  whilePaused<T>(body: () => Promise<T>): Promise<T> | undefined {
    if (this.#pause === undefined) return undefined;
    const done = this.#pause.then(body);
    this.#pause = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /** Goes on to the next epoch, whose flips are counted from zero. */
  async nextEpoch(history: Progress['history']): Promise<void> {
    const { step, epoch } = this.#progress;
    await this.gpu.scoped('the counters of flips', () => {
      const encoder = this.gpu.encoder('the counters of flips');
      for (const { flips } of this.parts.slots) {
        if (flips !== undefined) encoder.clearBuffer(flips.placement.buffer, flips.placement.offset);
      }
      // One submit, so that all of them are cleared or none.
      this.gpu.submit(encoder);
    });
    this.#moveTo({ ...freshProgress(this.fixed()), step, epoch: epoch + 1, history, ...this.#frozen() });
  }

  /**
   * Leaves parameters as they are in the steps to come: the step is recorded anew without their updates, so that what the
   * optimizer keeps of them rests, too. Nothing may be under way.
   * @param names all that are frozen from now on
   * @throws OutOfMemoryError, GpuValidationError; nothing has changed then
   */
  async freeze(names: readonly string[]): Promise<void> {
    await this.#compileWithout(names);
    const { frozen: _, ...others } = this.#progress;
    const upToDate = this.#onGpu === this.#progress;
    this.#progress = names.length === 0 ? others : { ...others, frozen: names };
    if (upToDate) this.#onGpu = this.#progress;
  }

  async #compileWithout(frozen: readonly string[]): Promise<void> {
    if (frozen.join() === (this.#progress.frozen ?? []).join()) return;
    const { arena } = this.network;
    const partial =
      frozen.length === 0
        ? undefined
        : await Promise.all(
            recordTrainStep(this.parts, this.options, this.data, frozen).map((part) =>
              part.compile({ arena }),
            ),
          );
    for (const part of this.#partial ?? []) part.dispose();
    this.#partial = partial;
  }

  #frozen(): Pick<Progress, 'frozen'> {
    const { frozen } = this.#progress;
    return frozen === undefined ? {} : { frozen };
  }

  /**
   * Changes parameters between two steps.
   * @param write until it has come to its end, what is on the GPU is neither one training nor another
   */
  async edit(write: () => Promise<void>): Promise<void> {
    this.#broken = new GpuValidationError('Writing parameters failed half-way.', {
      where: 'Trainer',
      remedy: 'restore a checkpoint, or create the trainer anew',
    });
    await write();
    this.#broken = undefined;
  }

  /**
   * Replaces all that a training is made of.
   * @param write until it has come to its end, what is on the GPU is neither one training nor another
   */
  async replace(progress: Progress, write: () => Promise<void>): Promise<void> {
    await this.#compileWithout(progress.frozen ?? []);
    this.#broken = new GpuValidationError('A restore of this training failed half-way.', {
      where: 'Trainer',
      remedy: 'restore a checkpoint again, or create the trainer anew',
    });
    this.network.spoil(this.#broken);
    await write();
    this.#broken = undefined;
    this.#moveTo(progress);
  }

  /** The learning rate of a step. */
  rate(step: number): number {
    return this.#time(step).rate;
  }

  dispose(): void {
    for (const part of [...this.#whole, ...(this.#partial ?? [])]) part.dispose();
    for (const test of Object.values(this.tests)) test?.dispose();
    disposeParts(this.parts);
  }

  #moveTo(progress: Progress): void {
    this.#progress = progress;
    this.#onGpu = undefined;
    this.#inDoubt = false;
  }

  /**
   * Submits steps of a program in error scopes, so that what is said against them is thrown by the call that submitted
   * them, and by no other.
   */
  #submit(
    program: Program,
    first: number,
    steps: number,
    training: boolean,
    tap?: StepTap,
    write?: (gpu: Gpu) => void,
  ): Submitted {
    const { counters, pace } = this.gpu;
    const { submits } = counters;
    const start = performance.now();
    let tapped: Promise<void> | undefined;
    // What the scope does it does at once: `metrics` is there when this asks for it.
    const done = Promise.resolve().then(async () => assertAll(await metrics, steps));
    // Where no tap waits for it, its failure must not count as unhandled.
    done.catch(() => undefined);
    let encoded = false;
    const verdict = this.gpu.scoped(program.label, () => {
      let copy: MetricsCopy | undefined;
      let sampled: ReturnType<StepTap['encode']> | undefined;
      try {
        write?.(this.gpu);
        program.run(steps, (encoder) => {
          sampled = tap?.encode(encoder, first + steps);
          copy = this.parts.metrics.copy(encoder, first, steps, training);
        });
        encoded = true;
      } catch (cause) {
        copy?.cancel();
        throw cause;
      } finally {
        // It maps its buffer at once; what is said against that belongs to these steps, too.
        tapped = sampled?.(done);
        tapped?.catch(() => undefined);
      }
      // Mapped at once, so that groups in flight are waited for together.
      const rows = copy?.read();
      rows?.catch(() => undefined);
      return { rows };
    });
    const parts = counters.submits - submits;
    const refused = verdict.catch((cause: unknown) => {
      // The GPU knows what it did; but where some of several submits were refused, nobody does.
      if (training && parts > (encoded ? 1 : 0))
        this.#breaks('a step in several submits, some refused', cause);
      throw cause;
    });
    const metrics = (async () => {
      try {
        const read = (await (await refused).rows) ?? [];
        pace.note(steps * program.work, performance.now() - start);
        return read;
      } catch (cause) {
        if (training) this.#inDoubt = true;
        throw cause;
      }
    })();
    // They are awaited later; a failure before that must not count as unhandled.
    metrics.catch(() => undefined);
    return { metrics, tapped };
  }

  #breaks(given: string, cause?: unknown): void {
    this.#broken ??= new GpuValidationError('A fault may have left half a step in the weights.', {
      given,
      where: this.#whole[0]?.label,
      remedy: 'restore a checkpoint, then go on',
      cause,
    });
    this.network.spoil(this.#broken);
  }

  #time(step: number): RatedTime {
    const time = { step, steps: this.steps, epochSteps: this.batches };
    return { ...time, rate: scheduledAt(this.options.learningRate, time) };
  }
}

/** Arrays one after the other. */
function joined(parts: readonly Uint32Array[]): Uint32Array<ArrayBuffer> {
  const whole = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @throws NonFiniteError where the training halted within the steps */
function assertAll(rows: readonly StepMetrics[], steps: number): void {
  const last = rows.at(-1);
  if (rows.length === steps && last !== undefined && Number.isFinite(last.loss)) return;
  throw new NonFiniteError('The training halted before the step that was to be looked at.', {
    given: `step ${last?.step}`,
    where: 'tap',
  });
}
