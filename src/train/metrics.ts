/**
 * Losses and accuracies come back from the GPU without a stall: after a group of steps the ring of metrics is copied to
 * one of a few staging buffers, which is mapped while the next group runs.
 */
import { BUFFER_USAGE, type Gpu, Tensor } from '../gpu/index.ts';

/** Rows of the metrics ring, one a step; more steps than this are never in flight. */
export const RING = 256;
/** Staging buffers: how many groups of steps may be in flight. */
const IN_FLIGHT = 2;

/** What one step reported. */
export interface StepMetrics {
  readonly step: number;
  /** Mean loss of the batch. */
  readonly loss: number;
  readonly correct: number;
  /** Samples in the batch. */
  readonly count: number;
}

export class MetricsReader {
  /** f32 [RING, 4]: loss, correct, count and step, at row step mod RING. */
  readonly ring = new Tensor('metrics', [RING, 4], 'f32');
  readonly #gpu: Gpu;
  readonly #free: { buffer: GPUBuffer; release: () => void }[] = [];
  readonly #all: { buffer: GPUBuffer; release: () => void }[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Bytes that `allocate` takes. */
  static get bytes(): number {
    return RING * 16 * (1 + IN_FLIGHT);
  }

  allocate(): void {
    this.#gpu.allocate(this.ring);
    for (let i = 0; i < IN_FLIGHT; i++) {
      const staging = this.#gpu.createBuffer(
        'metrics readback',
        this.ring.byteLength,
        BUFFER_USAGE.MAP_READ | BUFFER_USAGE.COPY_DST,
      );
      this.#free.push(staging);
      this.#all.push(staging);
    }
  }

  /** Whether a group can be copied without waiting for an earlier one. */
  get ready(): boolean {
    return this.#free.length > 0;
  }

  /**
   * Encodes the copy of the ring; call before submitting the encoder, and the returned function after it.
   * @returns a function that waits for the metrics of `count` steps from `first` on
   */
  copy(encoder: GPUCommandEncoder, first: number, count: number): () => Promise<StepMetrics[]> {
    const staging = this.#free.pop();
    if (staging === undefined) throw new Error('no staging buffer is free: look at ready first');
    const target = { buffer: staging.buffer, offset: 0 };
    this.#gpu.copy(encoder, this.ring.placement, target, this.ring.byteLength);
    return async () => {
      const rows = new Float32Array(await this.#gpu.map('metrics', staging.buffer, this.ring.byteLength));
      const metrics = Array.from({ length: count }, (_, i) => {
        const row = 4 * ((first + i) % RING);
        return {
          step: first + i,
          loss: rows[row] ?? 0,
          correct: rows[row + 1] ?? 0,
          count: rows[row + 2] ?? 0,
        };
      });
      staging.buffer.unmap();
      this.#free.push(staging);
      return metrics;
    };
  }

  dispose(): void {
    this.ring.dispose();
    for (const { release } of this.#all) release();
  }
}
