/** One software or hardware adapter for all tests of a file, and comparisons that say where they failed. */
import { afterAll, beforeAll, expect } from 'vitest';
import { type DType, Gpu, type HostData, type Shape, type Tensor } from '../../src/gpu/index.ts';
import { requestGpu } from '../../src/node/gpu.ts';

/**
 * Acquires a GPU before the tests of the file and disposes it after them.
 * @returns a function that gives it inside a test
 */
export function useGpu(): () => Gpu {
  let gpu: Gpu | undefined;
  beforeAll(async () => {
    gpu = await requestGpu();
  });
  afterAll(() => {
    gpu?.dispose();
  });
  return () => {
    if (gpu === undefined) throw new Error('no GPU yet: call this inside a test');
    return gpu;
  };
}

/** A software adapter that says to have lower limits than it has. */
export async function requestNarrowGpu(
  lower: Readonly<Partial<Record<keyof GPUSupportedLimits, number>>>,
): Promise<Gpu> {
  const gpu = await requestGpu({ adapter: 'software' });
  const limits = new Proxy(gpu.limits, {
    get: (target, name) => Reflect.get(lower, name) ?? Reflect.get(target, name, target),
  });
  return Object.defineProperty(gpu, 'limits', { value: limits });
}

/** Tensors that are freed together. */
export class Scratch {
  readonly #gpu: Gpu;
  readonly #tensors: Tensor[] = [];
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }
  tensor(label: string, shape: Shape, dtype: DType, data?: HostData): Tensor {
    const tensor = this.#gpu.tensor(label, shape, dtype, data);
    this.#tensors.push(tensor);
    return tensor;
  }
  [Symbol.dispose](): void {
    for (const tensor of this.#tensors) tensor.dispose();
  }
}

/** Exact equality of two arrays, reporting the first difference. */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what = ''): void {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (actual[i] !== expected[i]) {
      expect.fail(`${what}: first difference at ${i}: got ${actual[i]}, expected ${expected[i]}`);
    }
  }
}

/**
 * Agreement of two arrays relative to the scale of the expected one: |a − e| ≤ tolerance · max(|e|, rms(e), floor).
 * @param floor what counts as nothing, where sums may cancel
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance = 1e-4,
  what = '',
  floor = 1e-26,
): void {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  let squares = 0;
  for (let i = 0; i < expected.length; i++) squares += (expected[i] ?? 0) ** 2;
  const scale = Math.sqrt(squares / Math.max(1, expected.length));
  for (let i = 0; i < expected.length; i++) {
    const e = expected[i] ?? Number.NaN;
    const a = actual[i] ?? Number.NaN;
    if (!(Math.abs(a - e) <= tolerance * Math.max(Math.abs(e), scale, floor))) {
      expect.fail(`${what}: at ${i}: got ${a}, expected ${e} (rms ${scale})`);
    }
  }
}

/** A GPU on a device that says other things of itself than it is: any of its properties. It is not destroyed with it. */
export function described(device: GPUDevice, properties: Readonly<Record<string, unknown>>): Gpu {
  return Gpu.fromDevice(
    new Proxy(device, {
      get: (target, name) => {
        if (typeof name === 'string' && name in properties) return properties[name];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    }),
  );
}
