/**
 * One memory for whoever has steps to run and can't wait for a network to be made: TensorFlow.js, whose operations are
 * synchronous. Everything is written into it anew for every run, weights of signs at one bit each; it grows to what the largest
 * takes, and works in the calling thread.
 */
import { grow, type Kernels, kernelModule, kernelsOn, memoryOf } from './machine.ts';
import { CONTROL_BYTES, isKernel, layOut, placeValues, samplesAtOnce } from './plan.ts';
import type { Program, Value } from './program.ts';
import { RECORD_BYTES } from './records.ts';
import { writeConstants, writeRecords } from './writing.ts';

export { multiplied } from './multiply.ts';
export { type Program, Recorder, type Value } from './program.ts';

/** Pages of 64 KiB that a memory may have. */
const MOST_BYTES = 65_536 * 65_536;

export class Workspace {
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;

  private constructor(memory: WebAssembly.Memory, kernels: Kernels) {
    this.#memory = memory;
    this.#kernels = kernels;
  }

  /** @throws WebAssemblyUnavailableError where there are no vectors of 128 bits, or a page forbids WebAssembly */
  static async create(): Promise<Workspace> {
    const module = await kernelModule(false);
    const memory = memoryOf(CONTROL_BYTES, MOST_BYTES, false);
    return new Workspace(memory, await kernelsOn(module, memory));
  }

  /** Bytes of its memory: those of the largest program that ran. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /**
   * Runs a program of kernels.
   * @param inputs of so many samples, reals or words of signs as its inputs are
   * @returns its outputs, as they are
   * @throws OutOfMemoryError
   */
  run(program: Program, inputs: readonly ArrayBufferView[], samples: number): Uint32Array<ArrayBuffer>[] {
    const layout = layOut(program, 1);
    const one = placeValues(program, 1, layout.values).end;
    const most = Math.min(samples, samplesAtOnce(one - layout.values));
    const plan = placeValues(program, most, layout.values);
    grow(this.#memory, plan.end);
    writeConstants(this.#memory, layout);
    writeRecords(this.#memory, program, layout, plan);
    const { buffer } = this.#memory;
    const placeOf = ({ memory }: Value, count: number) =>
      new Uint8Array(buffer, plan.places.get(memory) ?? 0, memory.bytes * count);
    const results = program.outputs.map(({ memory }) => new Uint32Array((memory.bytes * samples) / 4));
    for (let first = 0; first < samples; first += most) {
      const here = Math.min(most, samples - first);
      program.inputs.forEach((input, i) => {
        const { buffer: own, byteOffset } = inputs[i] ?? new Uint8Array();
        const size = input.memory.bytes;
        placeOf(input, here).set(new Uint8Array(own, byteOffset + first * size, here * size));
      });
      program.steps.forEach((step, index) => {
        const record = layout.records[index] ?? CONTROL_BYTES + index * RECORD_BYTES;
        if (isKernel(step)) this.#kernels.work(record, 0, step.units * here, layout.scratch[0] ?? 0);
      });
      program.outputs.forEach((output, i) => {
        const bytes = new Uint8Array((results[i] as Uint32Array<ArrayBuffer>).buffer);
        bytes.set(placeOf(output, here), first * output.memory.bytes);
      });
    }
    return results;
  }
}
