/**
 * A network as steps for the engine, before it has memory: values that flow, constants, and what makes one of the other. Layers
 * record themselves into a `Recorder`, in the order in which they run.
 */
import { type Shape, sizeOf, wordsFor } from '../gpu/index.ts';
import { type Kernel, OPERATIONS, type Operation } from './records.ts';

/** Memory of a value of one sample; under a new shape a value keeps it. */
export interface Memory {
  readonly bytes: number;
}

/** What flows: reals (f32), or signs (bits, each pixel's channels from a new word on). */
export interface Value {
  readonly kind: 'real' | 'sign';
  /** Without the samples. */
  readonly shape: Shape;
  readonly memory: Memory;
}

/** Numbers that don't change; kept once, at one bit a sign. */
export interface Constant {
  readonly data: Float32Array | Int32Array | Uint32Array | Uint8Array;
}

/** A kernel's record: numbers, and what becomes an address. */
export interface KernelStep {
  readonly kernel: Kernel;
  readonly name: string;
  /** Of one sample. */
  readonly units: number;
  /** Work of a unit, in the order of nanoseconds: how many of them make a tile follows from it. */
  readonly cost: number;
  readonly fields: Readonly<Record<string, number | Constant | Value | undefined>>;
  readonly reads: readonly Value[];
  readonly writes: Value;
  /** Bytes that every thread needs of its own. */
  readonly scratch: number;
}

/** What is written in TypeScript, since it takes no time worth a kernel. */
export interface HostStep {
  readonly name: string;
  readonly reads: readonly Value[];
  readonly writes: Value;
  /** @param inputs of so many samples each; signs as the words they are */
  run(inputs: readonly Float32Array[], output: Float32Array, samples: number): void;
}

export type Step = KernelStep | HostStep;

export interface Program {
  readonly steps: readonly Step[];
  readonly inputs: readonly Value[];
  /** Reals. */
  readonly outputs: readonly Value[];
}

/** Pixels of a value: rows of its last axis. */
export function pixelsOf({ shape }: Value): number {
  return sizeOf(shape) / channelsOf({ shape });
}

export function channelsOf({ shape }: Pick<Value, 'shape'>): number {
  return shape.at(-1) ?? 1;
}

export class Recorder {
  readonly steps: Step[] = [];
  /** What was made of a value already: its signs, or its reals. */
  readonly #converted = new Map<Value, Value>();
  /** The layer that is recorded. */
  where = '';

  value(kind: Value['kind'], shape: Shape): Value {
    const channels = shape.at(-1) ?? 1;
    const words = kind === 'real' ? channels : wordsFor(channels);
    return { kind, shape, memory: { bytes: (sizeOf(shape) / channels) * words * 4 } };
  }

  /** The same values in the same order under another shape. */
  reshaped(given: Value, shape: Shape): Value {
    const [from, to] = [channelsOf(given), shape.at(-1) ?? 1];
    // Packed rows stay aligned to words only if the channels fill them, or are the same.
    const staysPacked = from === to || (from % 32 === 0 && to % 32 === 0);
    const source = staysPacked ? given : this.reals(given);
    return { ...source, shape };
  }

  step(step: Omit<KernelStep, 'name' | 'scratch'> & { readonly scratch?: number }): Value {
    this.steps.push({ scratch: 0, ...step, name: this.where });
    return step.writes;
  }

  host(reads: readonly Value[], shape: Shape, run: HostStep['run']): Value {
    const writes = this.value('real', shape);
    this.steps.push({ name: this.where, reads, writes, run });
    return writes;
  }

  /** Values one by one. @param first parameters by channel, or a second value */
  pointwise(
    operation: Operation,
    input: Value,
    fields: {
      readonly first?: Constant | Value;
      readonly second?: Constant;
      readonly third?: Constant;
      readonly lowest?: number;
      readonly highest?: number;
    } = {},
  ): Value {
    const output = this.value('real', input.shape);
    const { first } = fields;
    return this.step({
      kernel: 'pointwise',
      units: pixelsOf(input),
      cost: channelsOf(input) / 4,
      fields: {
        ...fields,
        input,
        output,
        channels: channelsOf(input),
        operation: OPERATIONS.indexOf(operation),
      },
      reads: first !== undefined && 'memory' in first ? [input, first] : [input],
      writes: output,
    });
  }

  /** Packed signs of reals: of the values, or of direction·x − threshold. */
  signs(given: Value, limits?: { readonly direction: Constant; readonly threshold: Constant }): Value {
    if (limits === undefined) {
      if (given.kind === 'sign') return given;
      const known = this.#converted.get(given);
      if (known !== undefined) return known;
    }
    const input = this.reals(given);
    const output = this.value('sign', given.shape);
    this.step({
      kernel: 'pack',
      units: pixelsOf(given),
      cost: channelsOf(given) / 3,
      fields: {
        ...{ input, output, channels: channelsOf(given) },
        ...{ first: limits?.direction, second: limits?.threshold },
      },
      reads: [input],
      writes: output,
    });
    if (limits === undefined) this.#converted.set(given, output);
    return output;
  }

  /** Reals; signs become ±1. */
  reals(given: Value): Value {
    if (given.kind === 'real') return given;
    const known = this.#converted.get(given);
    if (known !== undefined) return known;
    const output = this.value('real', given.shape);
    this.step({
      kernel: 'unpack',
      units: pixelsOf(given),
      cost: channelsOf(given),
      fields: { input: given, output, channels: channelsOf(given) },
      reads: [given],
      writes: output,
    });
    this.#converted.set(given, output);
    return output;
  }
}
