/**
 * Other libraries on the same device, in the same run. They are development dependencies, so they may be missing: then
 * the reason is reported.
 */
import type { Gpu } from '../gpu/index.ts';
import { elapsed, type Timing, timing } from './measure.ts';
import { assertSame, type Product, SALT, signs } from './products.ts';

/** The parts of TensorFlow.js that are used here. */
interface TensorFlow {
  readonly version_core: string;
  registerBackend(name: string, factory: () => unknown): boolean;
  removeBackend(name: string): void;
  setBackend(name: string): Promise<boolean>;
  tensor(values: Float32Array, shape: readonly number[]): TfTensor;
  conv2d(x: TfTensor, filter: TfTensor, strides: number, padding: 'same'): TfTensor;
  matMul(a: TfTensor, b: TfTensor, transposeA: boolean, transposeB: boolean): TfTensor;
}
interface TfTensor {
  data(): Promise<Float32Array<ArrayBuffer>>;
  dispose(): void;
}
interface TfBackend {
  endComputePassEncoder(): void;
  submitQueue(): void;
}
type TfBackendClass = new (device: GPUDevice, info: GPUAdapterInfo) => TfBackend;

export interface Peer {
  readonly name: string;
  /**
   * Times a product of floats, and compares its result with the one of this library.
   * @throws GpuValidationError where they differ
   */
  time(product: Product, expected: Float32Array<ArrayBuffer>, runs: number): Promise<Timing>;
  dispose(): void;
}

/** Why a peer can't be measured. */
export interface MissingPeer {
  readonly name: string;
  readonly reason: string;
}

/** TensorFlow.js on the device of `gpu`. */
export async function openTensorFlow(gpu: Gpu): Promise<Peer | MissingPeer> {
  const name = 'TensorFlow.js WebGPU';
  try {
    // Names in variables, since a bundler must leave packages alone that a user may not have.
    const [core, webgpu] = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-webgpu'];
    const tf = (await import(/* @vite-ignore */ core)) as TensorFlow;
    const { WebGPUBackend } = (await import(/* @vite-ignore */ webgpu)) as {
      readonly WebGPUBackend: TfBackendClass;
    };
    const backend = withNavigator(() => new WebGPUBackend(gpu.device, gpu.device.adapterInfo));
    const started = tf.registerBackend(BACKEND, () => backend) && (await tf.setBackend(BACKEND));
    if (!started) return { name, reason: 'its backend did not start' };
    return {
      name: `${name} ${tf.version_core}`,
      time: (product, expected, runs) => timeTensorFlow(gpu, tf, backend, product, expected, runs),
      dispose: () => tf.removeBackend(BACKEND),
    };
  } catch (cause) {
    return { name, reason: (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? '' };
  }
}

/** Its kernels are registered for this name. */
const BACKEND = 'webgpu';

/** TensorFlow.js looks for `navigator.gpu`, although it is given a device; Node has none. */
function withNavigator<T>(body: () => T): T {
  if (globalThis.navigator?.gpu !== undefined) return body();
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: {} }, configurable: true });
  try {
    return body();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'navigator');
    else Object.defineProperty(globalThis, 'navigator', before);
  }
}

async function timeTensorFlow(
  gpu: Gpu,
  tf: TensorFlow,
  backend: TfBackend,
  product: Product,
  expected: Float32Array<ArrayBuffer>,
  runs: number,
): Promise<Timing> {
  const conv = product.kind === 'conv';
  const weights = signs(product.w, SALT.w);
  const [outputs = 1, height = 1, width = 1, inputs = 1] = product.w;
  const a = tf.tensor(signs(product.a, SALT.a), product.a);
  const w = conv
    ? tf.tensor(filtersLast(weights, outputs), [height, width, inputs, outputs])
    : tf.tensor(weights, product.w);
  const compute = () => (conv ? tf.conv2d(a, w, 1, 'same') : tf.matMul(a, w, false, true));
  try {
    // The first run compiles and uploads; it isn't counted, and its result is compared.
    const first = compute();
    assertSame(product.name, expected, await first.data(), 'TensorFlow.js');
    first.dispose();
    const once = await sample(1);
    const repeats = Math.min(256, Math.max(1, Math.ceil(5 / Math.max(once, 0.001))));
    const times: number[] = [];
    for (let i = 0; i < runs; i++) times.push((await sample(repeats)) / repeats);
    return timing(times);
  } finally {
    a.dispose();
    w.dispose();
  }

  async function sample(repeats: number): Promise<number> {
    const outs: TfTensor[] = [];
    const time = await elapsed(gpu, () => {
      for (let i = 0; i < repeats; i++) outs.push(compute());
      backend.endComputePassEncoder();
      backend.submitQueue();
    });
    for (const out of outs) out.dispose();
    return time;
  }
}

/** Filters [O, ...] as TensorFlow has them, [..., O]. */
function filtersLast(weights: Float32Array, outputs: number): Float32Array<ArrayBuffer> {
  const length = weights.length / outputs;
  const result = new Float32Array(weights.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < length; i++) result[i * outputs + o] = weights[o * length + i] ?? 0;
  }
  return result;
}
