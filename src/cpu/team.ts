/**
 * Threads that work on a network's steps together: the calling one, and workers where memory can be shared.
 *
 * A step's units are cut into tiles, which threads claim one by one from a counter, so that a slow thread takes fewer of them.
 * Nobody waits for a worker to start, or to wake up: the calling thread does what the others don't. A worker that finds no tile
 * looks for the next step for some microseconds, and then sleeps until it is woken.
 */
import { DeviceLostError } from '../errors.ts';
import type { Kernels } from './machine.ts';
import { RECORD_BYTES, TILE_FIELD } from './records.ts';
import { startWorker, type WorkerThread } from './worker.ts';
import type { TeamParts, Workers } from './workers.ts';

/** What threads agree on, as 4-byte words at the start of the memory; `worker.ts` has the same. */
const CONTROL = {
  /** Step << 20 | tiles that were claimed of it. */
  ticket: 0,
  /** Counts steps that were begun: what sleeping workers wait for. */
  serial: 1,
  /** Tiles that were done. */
  done: 2,
  /** Workers that sleep. */
  sleeping: 3,
  /** 1: workers end. */
  stop: 4,
} as const;

/** The step of a ticket when there is nothing to do. */
const NOTHING = 4095;
const STEP_SHIFT = 20;
const MOST_TILES = 2 ** STEP_SHIFT - 1;

/** Looks at how far the others are before it lets them run: some microseconds. */
const LOOKS = 4000;

export class Team implements Workers {
  readonly #kernels: Kernels;
  readonly #records: number;
  readonly #scratch: number;
  readonly #memory: WebAssembly.Memory;
  #seen: Int32Array;
  readonly #workers: WorkerThread[];
  /** Why there are no others any more. */
  #failure: unknown;
  #disposed = false;

  constructor({ module, memory, kernels, records, scratch }: TeamParts) {
    this.#kernels = kernels;
    this.#records = records;
    this.#scratch = scratch[0] ?? 0;
    this.#memory = memory;
    this.#seen = new Int32Array(memory.buffer);
    this.#control[CONTROL.ticket] = NOTHING << STEP_SHIFT;
    this.#workers = [];
    try {
      for (const own of scratch.slice(1)) {
        const task = {
          module,
          memory,
          records,
          recordBytes: RECORD_BYTES,
          tileField: TILE_FIELD,
          scratch: own,
        };
        this.#workers.push(startWorker(task, (cause) => this.#lose(cause)));
      }
    } catch (cause) {
      this.#lose(cause);
    }
  }

  /** All of the memory; what is agreed on stands first. Memory that grew is another buffer. */
  get #control(): Int32Array {
    if (this.#seen.buffer !== this.#memory.buffer) this.#seen = new Int32Array(this.#memory.buffer);
    return this.#seen;
  }

  get size(): number {
    return 1 + this.#workers.length;
  }

  /**
   * Does all units of a step.
   * @param step its place among the records
   * @returns a promise where others have to be waited for
   */
  run(step: number, units: number): Promise<void> | undefined {
    const record = this.#records + step * RECORD_BYTES;
    const control = this.#control;
    const [unitsAt, tileAt] = [record / 4 + UNITS_FIELD, record / 4 + TILE_FIELD];
    const tile = Math.max(control[tileAt] ?? 1, Math.ceil(units / MOST_TILES));
    if (this.#workers.length === 0 || units <= tile || step >= NOTHING) {
      this.#kernels.work(record, 0, units, this.#scratch);
      return undefined;
    }
    const tiles = Math.ceil(units / tile);
    control[unitsAt] = units;
    control[tileAt] = tile;
    Atomics.store(control, CONTROL.done, 0);
    Atomics.store(control, CONTROL.ticket, step << STEP_SHIFT);
    Atomics.add(control, CONTROL.serial, 1);
    if (Atomics.load(control, CONTROL.sleeping) > 0) Atomics.notify(control, CONTROL.serial);
    for (;;) {
      // Nobody else changes the step: what is added is a tile.
      const claimed = Atomics.add(control, CONTROL.ticket, 1) & MOST_TILES;
      if (claimed >= tiles) break;
      this.#kernels.work(record, claimed * tile, Math.min(units, (claimed + 1) * tile), this.#scratch);
      Atomics.add(control, CONTROL.done, 1);
    }
    Atomics.store(control, CONTROL.ticket, NOTHING << STEP_SHIFT);
    for (let look = 0; look < LOOKS; look++) {
      if (Atomics.load(control, CONTROL.done) === tiles) return undefined;
    }
    return this.#finished(tiles);
  }

  /** Lets the others run until they are done. @throws DeviceLostError where one of them failed */
  async #finished(tiles: number): Promise<void> {
    while (Atomics.load(this.#control, CONTROL.done) !== tiles && !this.#disposed) {
      if (this.#failure !== undefined) {
        throw new DeviceLostError('A thread of the WebAssembly engine ended in the middle of its work.', {
          remedy: 'make the network anew, with threads: 1 if it happens again',
          cause: this.#failure,
        });
      }
      await turn();
    }
  }

  /** Ends the workers, also those that sleep. */
  dispose(): void {
    this.#disposed = true;
    Atomics.store(this.#control, CONTROL.stop, 1);
    Atomics.add(this.#control, CONTROL.serial, 1);
    Atomics.notify(this.#control, CONTROL.serial);
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }

  /** Goes on alone, and says so once. */
  #lose(cause: unknown): void {
    if (this.#disposed || this.#failure !== undefined) return;
    this.#failure = cause;
    for (const worker of this.#workers.splice(0)) worker.terminate();
    if (isSaid) return;
    isSaid = true;
    console.warn(`webgpu-bnn: a thread could not start, so networks run on one (${String(cause)})`);
  }
}

let isSaid = false;
const UNITS_FIELD = 1;

/** Gives the machine to others, for as short as can be. */
function turn(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
