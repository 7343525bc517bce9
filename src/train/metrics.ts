/**
 * Losses and accuracies come back from the GPU without a stall: the rows that a group of steps wrote are copied to one of
 * a few staging buffers in the submit of the group, and are mapped while the next groups run. Every row says of which
 * step it is, so that what an earlier step left there is never taken for a later one's.
 */
import { GpuValidationError } from '../errors.ts';
import { BUFFER_USAGE, type Gpu, Tensor } from '../gpu/index.ts';

/** Rows of the metrics ring, one a step; more steps than this are never in flight. */
export const RING = 1024;
/** Staging buffers: how many groups of steps may be in flight. */
export const IN_FLIGHT = 3;
/** The most steps of one group: all that are in flight, and those that a fault leaves unread, fit into the ring. */
export const MAX_GROUP = 256;

/** What one step reported. */
export interface StepMetrics {
  /** Steps that were done before it: 0 of the first. */
  readonly step: number;
  /** Mean loss of the batch. */
  readonly loss: number;
  /** Samples of the batch that were right. */
  readonly correct: number;
  /** Samples in the batch. */
  readonly count: number;
}

/** Rows on their way to the host. */
export interface MetricsCopy {
  /**
   * Begins to map them; to be called once the encoder was submitted, and once only.
   * @returns the rows of the steps; of a training up to the first whose loss isn't finite, after which none is written
   * @throws GpuValidationError where a row is not of the step that it should be of
   */
  read(): Promise<StepMetrics[]>;
  /** To be called instead where nothing was submitted. */
  cancel(): void;
}

interface Staging {
  readonly buffer: GPUBuffer;
  readonly release: () => void;
}

const ROW_BYTES = 16;

export class MetricsReader {
  /** f32 [RING, 4]: loss, correct, count and step, at row step mod RING. */
  readonly ring = new Tensor('metrics', [RING, 4], 'f32');
  readonly #gpu: Gpu;
  readonly #free: Staging[] = [];
  readonly #all: Staging[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Bytes that `allocate` takes. */
  static get bytes(): number {
    return ROW_BYTES * (RING + IN_FLIGHT * MAX_GROUP);
  }

  allocate(): void {
    this.#gpu.allocate(this.ring);
    for (let i = 0; i < IN_FLIGHT; i++) {
      const { MAP_READ: READ, COPY_DST } = BUFFER_USAGE;
      const staging = this.#gpu.createBuffer('metrics readback', ROW_BYTES * MAX_GROUP, READ | COPY_DST);
      this.#all.push(staging);
      this.#free.push(staging);
    }
  }

  /** Whether a group can be copied without waiting for an earlier one. */
  get ready(): boolean {
    return this.#free.length > 0;
  }

  /**
   * Encodes the copy of the rows of `count` steps from `first` on; `ready` must hold.
   * @param halts whether the steps halt at a loss that isn't finite
   */
  copy(encoder: GPUCommandEncoder, first: number, count: number, halts: boolean): MetricsCopy {
    const staging = this.#free.pop();
    if (staging === undefined) throw new Error('no staging buffer is free: look at ready first');
    const giveBack = () => {
      this.#free.push(staging);
    };
    try {
      const { buffer, offset } = this.ring.placement;
      const start = first % RING;
      const whole = Math.min(count, RING - start);
      // The ring may end within the group.
      const pieces = [
        { from: start, to: 0, rows: whole },
        { from: 0, to: whole, rows: count - whole },
      ];
      for (const { from, to, rows } of pieces.filter((piece) => piece.rows > 0)) {
        const source = { buffer, offset: offset + ROW_BYTES * from };
        this.#gpu.copy(encoder, source, { buffer: staging.buffer, offset: ROW_BYTES * to }, ROW_BYTES * rows);
      }
    } catch (cause) {
      giveBack();
      throw cause;
    }
    return {
      cancel: giveBack,
      read: async () => {
        try {
          const memory = await this.#gpu.map('metrics', staging.buffer, ROW_BYTES * count);
          return metricsOf(new Float32Array(memory), first, count, halts);
        } finally {
          if (staging.buffer.mapState === 'mapped') staging.buffer.unmap();
          giveBack();
        }
      },
    };
  }

  /**
   * The rows of training steps that nobody copied; takes a wait of its own.
   * @returns nothing where they are not in the ring
   */
  async readNow(first: number, count: number): Promise<StepMetrics[] | undefined> {
    const ring = await this.#gpu.readFloats(this.ring);
    const at = (i: number) => 4 * ((first + i) % RING);
    const rows = Float32Array.from({ length: 4 * count }, (_, i) => ring[at(i >> 2) + (i & 3)] ?? 0);
    try {
      return metricsOf(rows, first, count, true);
    } catch {
      return undefined;
    }
  }

  dispose(): void {
    if (this.ring.isPlaced) this.ring.dispose();
    for (const { release } of this.#all) release();
    this.#all.length = 0;
    this.#free.length = 0;
  }
}

function metricsOf(rows: Float32Array, first: number, count: number, halts: boolean): StepMetrics[] {
  const metrics: StepMetrics[] = [];
  for (let i = 0; i < count; i++) {
    const [loss = 0, correct = 0, samples = 0, step = -1] = rows.subarray(4 * i, 4 * i + 4);
    // A row that was never written is of no samples.
    if (step !== Math.fround(first + i) || samples === 0) {
      throw new GpuValidationError('The GPU did not do a step that was submitted.', {
        given: samples === 0 ? 'no numbers' : `numbers of step ${step}`,
        expected: `those of step ${first + i}`,
        where: 'metrics',
        remedy: 'call again: where the training is follows from what the GPU has done',
      });
    }
    metrics.push({ step: first + i, loss, correct, count: samples });
    if (halts && !Number.isFinite(loss)) break;
  }
  return metrics;
}
