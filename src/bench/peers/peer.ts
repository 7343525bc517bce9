/**
 * Other libraries on the same device, in the same run. They are development dependencies, so they may be missing: then
 * the reason is reported.
 */
import type { Gpu } from '../../gpu/index.ts';
import type { ModelName } from '../../zoo/index.ts';
import { SAMPLE, type Timing, timing } from '../measure.ts';
import type { Product } from '../shapes.ts';

export interface Peer {
  readonly name: string;
  readonly runsOn: 'the same device' | 'the processor';
  /** What it is asked to compute here. */
  readonly kinds: readonly Product['kind'][];
  /**
   * Times a product of floats, and compares its result with the one of this library.
   * @throws GpuValidationError where they differ
   */
  time(product: Product, expected: Float32Array<ArrayBuffer>, runs: number): Promise<Timing>;
  /** Trains one of this library's models with float signs, where it can train. */
  readonly train?: (task: TrainingTask, steps: number) => Promise<PeerTraining>;
  /** Trains the same with this library's layers in it, by turns in this library's kernels and in its own operations. */
  readonly trainBothWays?: (task: TrainingTask, steps: number) => Promise<BothWays>;
  dispose(): void | Promise<void>;
}

/** The same network, weights and batch for this library and for a peer. */
export interface TrainingTask {
  readonly model: ModelName;
  readonly batch: number;
  readonly seed: number;
  readonly learningRate: number;
}

export interface PeerTraining {
  /** Of one step, the first apart. */
  readonly step: Timing;
  /** Losses of the steps, from the first. */
  readonly losses: readonly number[];
}

export interface BothWays {
  readonly with: PeerTraining;
  readonly without: PeerTraining;
}

/** Why a peer, or one of its figures, can't be had. */
export interface MissingPeer {
  readonly name: string;
  readonly reason: string;
}

export function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? '';
}

/**
 * A package that may be missing. Its name is a parameter, since a bundler must leave packages alone that a user may not
 * have.
 */
export async function optional<T>(name: string): Promise<T> {
  return (await import(/* @vite-ignore */ name)) as T;
}

/** Samples of work that takes milliseconds: as many repetitions a sample as fill a few. */
export async function sampled(runs: number, sample: (repeats: number) => Promise<number>): Promise<Timing> {
  const once = await sample(1);
  const repeats = Math.min(256, Math.max(1, Math.ceil(SAMPLE / Math.max(once, 0.001))));
  // Where one is long enough, the first was a sample like any other.
  const times = repeats === 1 ? [once] : [];
  while (times.length < runs) times.push((await sample(repeats)) / repeats);
  return timing(times);
}

/**
 * What libraries look for in a browser: `navigator.gpu`, which gives out the device of `gpu`, so that they run on the
 * same one. @returns how to undo it
 */
export function offerDevice(gpu: Gpu): () => void {
  const { device } = gpu;
  const adapter = {
    features: device.features,
    limits: device.limits,
    info: device.adapterInfo,
    requestDevice: async () => device,
  };
  const offered = {
    requestAdapter: async () => adapter,
    getPreferredCanvasFormat: () => 'bgra8unorm',
    wgslLanguageFeatures: globalThis.navigator?.gpu?.wgslLanguageFeatures ?? new Set<string>(),
  };
  // In Node the global itself is replaced for a while; in a page its GPU.
  const [owner, key, value] =
    globalThis.navigator?.gpu === undefined
      ? ([globalThis, 'navigator', { userAgent: 'Node', hardwareConcurrency: 1, gpu: offered }] as const)
      : ([globalThis.navigator, 'gpu', offered] as const);
  const before = Object.getOwnPropertyDescriptor(owner, key);
  Object.defineProperty(owner, key, { value, configurable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(owner, key);
    else Object.defineProperty(owner, key, before);
  };
}

/** Filters [O, ...] with their outputs last, [..., O]. */
export function outputsLast(weights: Float32Array, outputs: number): Float32Array<ArrayBuffer> {
  return transposed(weights, outputs, weights.length / outputs);
}

/** [rows, columns] to [columns, rows]. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column] ?? 0;
  }
  return result;
}
