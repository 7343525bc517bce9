/** A network in WebAssembly: the same bits as on a GPU, on the processor. */
import { Owner } from '../dispose.ts';
import { DisposedError } from '../errors.ts';
import type { Reals } from '../gpu/index.ts';
import {
  type Model,
  type NamedSamples,
  type ParameterValues,
  resultsFor,
  wholeSamples,
} from '../graph/index.ts';
import { assertKnownOptions } from '../options.ts';
import { programOf } from './layers/index.ts';
import { areLoopsMeasured, measureLoops } from './loops.ts';
import { grow, kernelModule, kernelsOn, memoryOf } from './machine.ts';
import {
  CONTROL_BYTES,
  isKernel,
  type Layout,
  layOut,
  placeValues,
  samplesAtOnce,
  type ValuePlan,
} from './plan.ts';
import type { Program, Value } from './program.ts';
import { RECORD_BYTES } from './records.ts';
import { threadsFor, workersFor } from './threads.ts';
import type { Workers } from './workers.ts';
import { writeConstants, writeRecords } from './writing.ts';

export interface CpuOptions {
  /**
   * Threads that work on a network, the calling one among them. Default: as many as there are processors, four at most, where
   * memory can be shared (Node, pages that are isolated across origins); else one.
   */
  readonly threads?: number | undefined;
}

/** Milliseconds that a page may wait for its turn. */
const PATIENCE = 40;

export class CpuNetwork extends Owner {
  readonly model: Model;
  readonly #program: Program;
  readonly #layout: Layout;
  readonly #memory: WebAssembly.Memory;
  readonly #team: Workers;
  #plan: ValuePlan;
  #capacity: number;
  readonly #most: number;
  #calls = 0;
  #isTuned = false;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(
    model: Model,
    made: {
      readonly program: Program;
      readonly layout: Layout;
      readonly memory: WebAssembly.Memory;
      readonly team: Workers;
      readonly plan: ValuePlan;
      readonly most: number;
    },
  ) {
    super();
    this.model = model;
    this.#program = made.program;
    this.#layout = made.layout;
    this.#memory = made.memory;
    this.#team = made.team;
    this.#plan = made.plan;
    this.#most = made.most;
    this.#capacity = 1;
  }

  /**
   * Lays a model out in memory, binary weights at one bit each.
   * @param values of all parameters
   * @throws LayerNotRunError naming a layer that has no kernel here; OptionError; FormatError where a value is missing; OutOfMemoryError;
   *   WebAssemblyUnavailableError where the browser has no vectors
   */
  static async create(model: Model, values: ParameterValues, options: CpuOptions = {}): Promise<CpuNetwork> {
    assertKnownOptions(options, ['threads'], 'CpuNetwork.create');
    const threads = threadsFor(options.threads);
    const shared = threads > 1;
    // Compiled beside what lays the model out.
    const compiling = kernelModule(shared);
    const program = await programOf(model, values);
    const module = await compiling;
    const layout = layOut(program, threads);
    const one = placeValues(program, 1, layout.values);
    const most = samplesAtOnce(one.end - layout.values);
    const memory = memoryOf(one.end, placeValues(program, most, layout.values).end, shared);
    const kernels = await kernelsOn(module, memory);
    const { scratch } = layout;
    const team = await workersFor({ module, memory, kernels, records: CONTROL_BYTES, scratch });
    const network = new CpuNetwork(model, { program, layout, memory, team, plan: one, most });
    writeConstants(memory, layout);
    network.#writeRecords();
    return network;
  }

  /** Threads that work on it; one where others couldn't start. */
  get threads(): number {
    return this.#team.size;
  }

  /** Bytes of its memory: weights, tables, and values of the samples that ran at once. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /**
   * Runs the network on samples.
   * @param samples as for `Network.predict`
   * @throws ShapeError unless whole samples are given; DisposedError; OutOfMemoryError
   */
  predict(samples: Reals): Promise<Float32Array<ArrayBuffer>>;
  predict(samples: NamedSamples): Promise<Record<string, Float32Array<ArrayBuffer>>>;
  predict(
    samples: Reals | NamedSamples,
  ): Promise<Float32Array<ArrayBuffer> | Record<string, Float32Array<ArrayBuffer>>> {
    // One after another, since all work in the same memory.
    const result = this.#last.then(() => this.#predict(samples));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #predict(samples: Reals | NamedSamples) {
    this.#assertUsable();
    const { given, count, sizes } = wholeSamples(this.model, samples);
    await this.#chooseLoops();
    const { inputs, outputs } = this.#program;
    const results = outputs.map(({ memory }) => new Float32Array((count * memory.bytes) / 4));
    let resumed = performance.now();
    for (let first = 0; first < count; first += this.#most) {
      const here = Math.min(this.#most, count - first);
      this.#makeRoom(here);
      inputs.forEach((input, i) => {
        const size = sizes[i] ?? 1;
        const own = given[i]?.subarray(first * size, (first + here) * size);
        if (own !== undefined) this.#floats(input, here).set(own);
      });
      await this.#run(here);
      outputs.forEach((output, i) => {
        results[i]?.set(this.#floats(output, here), (first * output.memory.bytes) / 4);
      });
      // A page is drawn, and is asked to stop, between chunks of many samples.
      if (performance.now() - resumed > PATIENCE && first + here < count) {
        await new Promise((resolve) => setTimeout(resolve));
        this.#assertUsable();
        resumed = performance.now();
      }
    }
    return resultsFor(samples, this.model, results);
  }

  /**
   * Runs the steps of one layer again, on what the memory holds: for measurements. @internal
   * @param samples no more than ran before
   */
  async again(layer: string, samples = 1): Promise<void> {
    this.#assertUsable();
    await this.#run(samples, layer);
  }

  /** Frees its memory and ends its threads. @throws DisposedError the second time */
  dispose(): void {
    this.#assertUsable();
    this.#disposed = true;
    this.#team.dispose();
  }

  override get disposed(): boolean {
    return this.#disposed;
  }

  #assertUsable(): void {
    if (this.#disposed) throw new DisposedError('This network was disposed.', { where: this.model.name });
  }

  /** The values of so many samples, as the words they are. */
  #floats({ memory }: Value, samples: number): Float32Array {
    const at = this.#plan.places.get(memory) ?? 0;
    return new Float32Array(this.#memory.buffer, at, (memory.bytes * samples) / 4);
  }

  #makeRoom(samples: number): void {
    if (samples <= this.#capacity) return;
    const plan = placeValues(this.#program, samples, this.#layout.values);
    grow(this.#memory, plan.end);
    this.#plan = plan;
    this.#capacity = samples;
    this.#writeRecords();
  }

  async #run(samples: number, layer?: string): Promise<void> {
    for (const [index, step] of this.#program.steps.entries()) {
      if (layer !== undefined && step.name !== layer) continue;
      const record = this.#layout.records[index];
      if (record !== undefined && isKernel(step)) {
        const waiting = this.#team.run((record - CONTROL_BYTES) / RECORD_BYTES, step.units * samples);
        if (waiting !== undefined) {
          await waiting;
          this.#assertUsable();
        }
      } else if (!isKernel(step)) {
        const inputs = step.reads.map((value) => this.#floats(value, samples));
        step.run(inputs, this.#floats(step.writes, samples), samples);
      }
    }
  }

  #writeRecords(): void {
    writeRecords(this.#memory, this.#program, this.#layout, this.#plan);
  }

  /** Measures the loops when the kernels had time to be optimised, and takes the fastest from then on. */
  async #chooseLoops(): Promise<void> {
    this.#calls += 1;
    if (this.#calls > 1 && !areLoopsMeasured()) await measureLoops();
    if (this.#isTuned || !areLoopsMeasured()) return;
    this.#isTuned = true;
    this.#writeRecords();
  }
}
