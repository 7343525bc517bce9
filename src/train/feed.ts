/**
 * Streams on their way to the GPU. The GPU holds a window of some batches. While it works on them the host reads the next
 * ones, in the order of the epoch, so that a step waits for a read only where reading is slower than training.
 */
import { isStreamed, type SampleBatch, type Source, type StreamedSource, streamed } from '../data/index.ts';
import { BnnError, DataUnavailableError } from '../errors.ts';
import { type Gpu, sizeOf, Tensor } from '../gpu/index.ts';
import { permute } from '../numerics/random.ts';
import { assertSamples, type CheckedData, type Layout } from './data.ts';

/** Bytes of a window, unless one batch is larger. */
const WINDOW_BYTES = 2 ** 23;
const MOST_SLOTS = 64;

/** How the batches of a stream lie in GPU memory. */
export interface Window {
  readonly samples: number;
  /** Batches. */
  readonly slots: number;
  /** Places of a batch: a multiple of four, so that every slot of bytes begins at a word. */
  readonly slot: number;
}

/**
 * @param bytes of a sample
 * @param most bytes that a kernel can bind
 */
export function windowOf(samples: number, batch: number, bytes: number, most: number): Window {
  const slot = 4 * Math.ceil(batch / 4);
  const slots = Math.floor(Math.min(WINDOW_BYTES, most) / (slot * bytes));
  return { samples, slot, slots: Math.max(1, Math.min(MOST_SLOTS, slots, Math.ceil(samples / batch))) };
}

/** What the GPU holds of a source. */
export interface Held {
  readonly images: Tensor;
  readonly labels: Tensor;
  readonly weights: Tensor | undefined;
  /** Absent where it holds all samples. */
  readonly window: Window | undefined;
  /** How many trainings use images and labels: the last one frees them. */
  readonly users: { count: number };
  /** Whether they were another training's first. */
  readonly borrowed: boolean;
}

/** What a feed needs to know of its source. */
export interface FeedOptions extends Layout {
  readonly source: StreamedSource;
  readonly held: Held & { readonly window: Window };
  readonly classWeights: readonly number[] | undefined;
  /** For errors. */
  readonly where: string;
  /** Batches in all: beyond them nothing is read ahead. */
  readonly batches: number;
  /** Numbers of the samples of a batch, in the order of its rows. */
  readonly samplesOf: (batch: number) => Uint32Array;
  /** Where in the window a batch lies. */
  readonly slotOf: (batch: number) => number;
}

/** Memory of a batch on the host. */
type Room = SampleBatch;

/** A batch that is being read, or was. */
interface Reading {
  readonly batch: number;
  readonly room: Room;
  readonly done: Promise<void>;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #free: Room[];
  #readings: Reading[] = [];
  /** Rooms of the batches that were handed over last. */
  #taken: Room[] = [];
  /** Ends when the last read that was begun has ended. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: FeedOptions) {
    this.#options = options;
    // Twice the window: one half on its way to the GPU, one half being read.
    this.#free = Array.from({ length: 2 * options.held.window.slots }, () => roomFor(options.held));
  }

  /** The most batches that can be handed over at once. */
  get most(): number {
    return this.#options.held.window.slots;
  }

  /**
   * Waits until batches were read, and begins with those that follow them.
   * @returns what writes them to the GPU: to be called in the submit that uses them
   * @throws DataUnavailableError where the source fails; OptionError for samples that can't be
   */
  async take(first: number, count: number): Promise<(gpu: Gpu) => void> {
    if (this.#readings[0] !== undefined && this.#readings[0].batch !== first) await this.#reset();
    // What was written was copied.
    this.#free.push(...this.#taken.splice(0));
    this.#extend(first, first + count);
    const mine = this.#readings.slice(0, count);
    try {
      for (const { done } of mine) await done;
    } catch (cause) {
      await this.#reset();
      throw cause;
    }
    this.#readings.splice(0, count);
    this.#taken = mine.map(({ room }) => room);
    this.#extend(first + count, Math.min(first + count + this.most, this.#options.batches));
    return (gpu) => {
      for (const { batch, room } of mine) this.#write(gpu, batch, room);
    };
  }

  /** Begins to read up to a batch, as far as there is room. */
  #extend(first: number, end: number): void {
    const from = this.#readings.at(-1)?.batch ?? first - 1;
    for (let batch = from + 1; batch < end; batch++) {
      const room = this.#free.pop();
      if (room === undefined) return;
      const done = this.#last.then(() => this.#read(batch, room));
      this.#last = done.catch(() => undefined);
      this.#readings.push({ batch, room, done });
    }
  }

  async #reset(): Promise<void> {
    await this.#last;
    this.#free.push(...this.#readings.map(({ room }) => room));
    this.#readings = [];
  }

  async #read(batch: number, room: Room): Promise<void> {
    const { source, image, width, classWeights, where, samplesOf } = this.#options;
    const samples = samplesOf(batch);
    const rows = samples.length;
    const into: SampleBatch = {
      images: room.images.subarray(0, rows * sizeOf(image)),
      labels: room.labels.subarray(0, rows * width),
      weights: room.weights.subarray(0, rows).fill(1),
    };
    try {
      await source.read(samples, into);
    } catch (cause) {
      if (cause instanceof BnnError) throw cause;
      throw new DataUnavailableError('A source failed to read its samples.', {
        given: cause instanceof Error ? cause.message : String(cause),
        where: `${where}: ${rows} samples from ${samples[0]} on`,
        remedy: 'mend the source; the training goes on from the step before with fit()',
        cause,
      });
    }
    assertSamples(into, this.#options, where, samples);
    if (classWeights === undefined) return;
    for (let row = 0; row < rows; row++) {
      into.weights[row] = (into.weights[row] ?? 1) * (classWeights[into.labels[row] ?? 0] ?? 1);
    }
  }

  #write(gpu: Gpu, batch: number, room: Room): void {
    const { held, slotOf } = this.#options;
    const at = slotOf(batch);
    const write = (tensor: Tensor | undefined, data: SampleBatch[keyof SampleBatch]) => {
      if (tensor !== undefined) gpu.write(slotView(tensor, at, held.window.slot), data);
    };
    write(held.images, room.images);
    write(held.labels, room.labels);
    write(held.weights, room.weights);
  }
}

/** Feeds of what is streamed. A source in memory that no kernel can bind as a whole is. */
export function feedsOf(
  parts: { readonly train: Held; readonly test: Held | undefined; readonly validation: Held | undefined },
  {
    seed,
    batch,
    epochs,
    classWeights,
  }: {
    readonly seed: number;
    readonly batch: number;
    readonly epochs: number;
    readonly classWeights: readonly number[] | undefined;
  },
  { image, targets, classes, width, train, test, validation, name }: CheckedData,
  batches: number,
): Readonly<Record<'train' | 'test' | 'validation', Feed | undefined>> {
  const feed = (
    held: Held | undefined,
    source: Source | undefined,
    own: Pick<FeedOptions, 'where' | 'batches' | 'samplesOf' | 'slotOf' | 'classWeights'>,
  ) => {
    const window = held?.window;
    if (held === undefined || window === undefined || source === undefined) return undefined;
    const stream = isStreamed(source) ? source : streamed(source);
    return new Feed({
      source: stream,
      held: { ...held, window },
      image,
      targets,
      classes: classes.length,
      width,
      ...own,
    });
  };
  const rows = (first: number, count: number, at: (place: number) => number) =>
    Uint32Array.from({ length: count }, (_, row) => at(first + row));
  const slots = parts.train.window?.slots ?? 1;
  const inOrder = (split: 'test' | 'validation', source: Source | undefined) => {
    const count = source?.count ?? 0;
    return feed(parts[split], source, {
      where: `${name}, ${split}`,
      classWeights: undefined,
      batches: Math.ceil(count / batch),
      samplesOf: (number) => rows(number * batch, Math.min(batch, count - number * batch), (place) => place),
      slotOf: (number) => number % (parts[split]?.window?.slots ?? 1),
    });
  };
  return {
    train: feed(parts.train, train, {
      where: `${name}, train`,
      classWeights,
      batches: epochs * batches,
      samplesOf: (number) =>
        rows((number % batches) * batch, batch, (place) =>
          permute(seed, Math.floor(number / batches), place, train.count),
        ),
      // The GPU counts the batches of an epoch.
      slotOf: (number) => (number % batches) % slots,
    }),
    test: inOrder('test', test),
    validation: inOrder('validation', validation),
  };
}

/** The part of a window's tensor that holds one batch. */
function slotView({ label, shape, dtype, placement, byteLength }: Tensor, at: number, slot: number): Tensor {
  const [places = slot, ...rest] = shape;
  const offset = placement.offset + (byteLength / places) * slot * at;
  return Tensor.view(label, [slot, ...rest], dtype, placement.buffer, offset);
}

function roomFor({ images, labels, window }: Held & { readonly window: Window }): Room {
  const size = ({ size }: Tensor) => size / window.slots;
  const array = (tensor: Tensor) => {
    if (tensor.dtype === 'u8') return new Uint8Array(size(tensor));
    return tensor.dtype === 'u32' ? new Uint32Array(size(tensor)) : new Float32Array(size(tensor));
  };
  return {
    images: array(images) as Uint8Array | Float32Array,
    labels: array(labels),
    weights: new Float32Array(window.slot),
  };
}
