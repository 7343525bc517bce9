/** What the page asks of the library: one GPU, one trainer, and the last checkpoint in case the GPU is lost. */
import {
  type Checkpoint,
  type Dataset,
  type DeviceLostError,
  type EpochInfo,
  type FitResult,
  Gpu,
  type LayerGeometry,
  type LayerProportionality,
  measureGeometry,
  measureProportionality,
  mlp,
  type StepsInfo,
  samplesOf,
  Trainer,
} from '../src/index.ts';

export interface Settings {
  readonly epochs: number;
  readonly batch: number;
  readonly rate: number;
  readonly seed: number;
  readonly images: number;
  readonly heldOut: number;
}

export interface SessionEvents {
  readonly onSteps: (info: StepsInfo) => void;
  readonly onEpoch: (info: EpochInfo, step: number) => void;
  readonly onGeometry: (geometry: readonly LayerGeometry[], step: number) => void;
  readonly onPairs: (layer: LayerProportionality, step: number) => void;
  readonly onLost: (error: DeviceLostError) => void;
}

/** The learning rate ends at this share of where it starts. */
const FINAL_RATE = 0.05;
/** Milliseconds between measurements of the angles while training. */
const GEOMETRY_PAUSE = 400;
/** Milliseconds between measurements of the dot products, and held-out images that they are taken with. */
const PAIRS_PAUSE = 2000;
const PAIRS_IMAGES = 50;
/** Steps between checkpoints, besides those at the end of an epoch. */
const CHECKPOINT_STEPS = 200;

export class Session {
  readonly gpu: Gpu;
  readonly #events: SessionEvents;
  #trainer: Trainer | undefined;
  #settings: Settings | undefined;
  #checkpoint: Checkpoint | undefined;
  #stop = new AbortController();
  #fit: Promise<unknown> = Promise.resolve();
  /** Predictions and measurements under way: a trainer isn't disposed before they are done. */
  readonly #pending = new Set<Promise<unknown>>();
  #measuring = false;
  #measured = 0;
  #pairsMeasured = 0;
  #layer: string | undefined;
  #samples: Float32Array<ArrayBuffer> | undefined;
  #lost = false;

  private constructor(gpu: Gpu, events: SessionEvents) {
    this.gpu = gpu;
    this.#events = events;
    void gpu.lost.then((error) => {
      this.#lost = true;
      if (!gpu.disposed) events.onLost(error);
    });
  }

  /** @throws WebGpuUnavailableError, NoAdapterError */
  static async open(events: SessionEvents): Promise<Session> {
    return new Session(await Gpu.request(), events);
  }

  /** Whether the device is gone: only a new session goes on. */
  get lost(): boolean {
    return this.#lost;
  }

  get step(): number {
    return this.#trainer?.progress.step ?? 0;
  }

  /** What a new session needs to go on where this one was lost. */
  get checkpoint(): Checkpoint | undefined {
    return this.#checkpoint;
  }

  get classes(): readonly string[] {
    return this.#trainer?.data.classes ?? [];
  }

  /** Steps of the whole training. */
  get steps(): number {
    return this.#trainer === undefined ? 1 : this.#trainer.batches * this.#trainer.options.epochs;
  }

  isPreparedFor(settings: Settings): boolean {
    return JSON.stringify(settings) === JSON.stringify(this.#settings);
  }

  /** A fresh trainer, or one that stands where a checkpoint was made; the one before is disposed. */
  async prepare(settings: Settings, data: Dataset, checkpoint?: Checkpoint): Promise<void> {
    await this.#disposeTrainer();
    const { batch, epochs, rate, seed } = settings;
    const model = mlp({ input: data.image, classes: data.classes.length });
    const trainer = await Trainer.create(this.gpu, model, data, {
      batch,
      epochs,
      seed,
      learningRate: { from: rate, to: rate * FINAL_RATE, decay: 'exponential' },
    });
    if (checkpoint !== undefined) await trainer.restore(checkpoint);
    this.#trainer = trainer;
    this.#settings = settings;
    this.#checkpoint = checkpoint;
    this.#samples = samplesOf(data, 'test', { count: Math.min(PAIRS_IMAGES, data.test.count) });
    await this.#measureAll();
  }

  /** Names of the layers whose dot products can be looked at. */
  get layers(): readonly string[] {
    return this.#trainer?.network.binaryParameters.map(({ name }) => name.split('/')[0] ?? name) ?? [];
  }

  /** The layer whose dot products are measured from now on. */
  async choose(layer: string): Promise<void> {
    this.#layer = layer;
    if (this.#trainer !== undefined) await this.#measurePairs();
  }

  /** Trains to the end or until `pause`. */
  async train(): Promise<FitResult['outcome']> {
    const trainer = this.#assertPrepared();
    this.#stop = new AbortController();
    const fit = trainer.fit({
      signal: this.#stop.signal,
      onSteps: (info) => {
        this.#events.onSteps(info);
        if (!this.#measuring && performance.now() - this.#measured > GEOMETRY_PAUSE) {
          // A loss of the device surfaces in the training itself.
          this.#measure().catch(() => undefined);
        }
      },
      onEpoch: async (info) => {
        this.#events.onEpoch(info, trainer.progress.step);
        await this.#measureAll();
      },
      checkpoint: {
        everySteps: CHECKPOINT_STEPS,
        save: async (checkpoint) => {
          this.#checkpoint = checkpoint;
        },
      },
    });
    this.#fit = fit.catch(() => undefined);
    return (await fit).outcome;
  }

  pause(): void {
    this.#stop.abort();
  }

  /** Pauses, and waits until nothing is under way. */
  async stop(): Promise<void> {
    this.pause();
    await this.#fit;
    await Promise.allSettled(this.#pending);
  }

  /** Scores of the classes for one image u8 [28, 28]. */
  async scores(image: Uint8Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>> {
    const trainer = this.#assertPrepared();
    const [scale = 1] = trainer.data.normalise.scale;
    const [shift = 0] = trainer.data.normalise.shift;
    return this.#track(trainer.predict(Float32Array.from(image, (byte) => byte * scale + shift)));
  }

  /** Frees everything; safe on a lost device. */
  async close(): Promise<void> {
    await this.#disposeTrainer();
    this.gpu.dispose();
  }

  /** Angles, and dot products where they are due. */
  #measure(): Promise<void> {
    const trainer = this.#assertPrepared();
    const measure = async () => {
      this.#measuring = true;
      try {
        const { step } = trainer.progress;
        const geometry = await measureGeometry(trainer.network);
        this.#events.onGeometry(geometry, step);
        if (performance.now() - this.#pairsMeasured > PAIRS_PAUSE) await this.#measurePairs();
      } finally {
        this.#measuring = false;
        this.#measured = performance.now();
      }
    };
    return this.#track(measure());
  }

  #measureAll(): Promise<void> {
    this.#pairsMeasured = Number.NEGATIVE_INFINITY;
    return this.#measure();
  }

  async #measurePairs(): Promise<void> {
    const trainer = this.#assertPrepared();
    const layer = this.#layer ?? this.layers[0];
    if (this.#samples === undefined || layer === undefined) return;
    const { step } = trainer.progress;
    const options = { layers: [layer], patches: 0, batch: PAIRS_IMAGES };
    const [measured] = await this.#track(measureProportionality(trainer.network, this.#samples, options));
    this.#pairsMeasured = performance.now();
    // Another layer may have been chosen meanwhile.
    if (measured !== undefined && layer === (this.#layer ?? this.layers[0])) {
      this.#events.onPairs(measured, step);
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    const done = () => this.#pending.delete(work);
    work.then(done, done);
    return work;
  }

  async #disposeTrainer(): Promise<void> {
    await this.stop();
    this.#trainer?.dispose();
    this.#trainer = undefined;
    this.#settings = undefined;
  }

  #assertPrepared(): Trainer {
    if (this.#trainer === undefined) throw new Error('No trainer is prepared.');
    return this.#trainer;
  }
}
