/** TensorFlow.js with its WebGPU backend: products of floats, and training steps with float signs. */
import type { Gpu } from '../../gpu/index.ts';
import { elapsed, type Timing } from '../measure.ts';
import { assertSame } from '../products.ts';
import { type Product, SALT, signs } from '../shapes.ts';
import {
  firstLine,
  type MissingPeer,
  offerDevice,
  optional,
  outputsLast,
  type Peer,
  sampled,
} from './peer.ts';
import type { TensorFlow, TfTensor } from './tensorflow-parts.ts';
import { trainBothWays, trainTensorFlow } from './tensorflow-training.ts';

interface TfBackend {
  endComputePassEncoder(): void;
  /** Null where its own batches of dispatches have all been submitted. */
  readonly commandEncoder: object | null;
  submitQueue(): void;
}
type TfBackendClass = new (device: GPUDevice, info: GPUAdapterInfo) => TfBackend;

/** Its kernels are registered for this name. */
const BACKEND = 'webgpu';

/** TensorFlow.js on the device of `gpu`. */
export async function openTensorFlow(gpu: Gpu): Promise<Peer | MissingPeer> {
  const name = 'TensorFlow.js WebGPU';
  const withdraw = offerDevice(gpu);
  try {
    const tf = await optional<TensorFlow>('@tensorflow/tfjs-core');
    const { WebGPUBackend } = await optional<{ readonly WebGPUBackend: TfBackendClass }>(
      '@tensorflow/tfjs-backend-webgpu',
    );
    // Where it finds WebGPU, its package registers a backend with a device of its own.
    if (tf.findBackendFactory(BACKEND) != null) tf.removeBackend(BACKEND);
    const backend = new WebGPUBackend(gpu.device, gpu.device.adapterInfo);
    const started = tf.registerBackend(BACKEND, () => backend) && (await tf.setBackend(BACKEND));
    if (!started) return { name, reason: 'its backend did not start' };
    return {
      name: `${name} ${tf.version_core}`,
      runsOn: 'the same device',
      kinds: ['conv', 'matmul'],
      time: (product, expected, runs) => timeTensorFlow(gpu, tf, backend, product, expected, runs),
      train: async (task, steps) => {
        // Importing its layers is what registers its gradients.
        await optional('@tensorflow/tfjs-layers');
        return trainTensorFlow(gpu, tf, task, steps);
      },
      trainBothWays,
      dispose: () => tf.removeBackend(BACKEND),
    };
  } catch (cause) {
    return { name, reason: firstLine(cause) };
  } finally {
    withdraw();
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
    ? tf.tensor(outputsLast(weights, outputs), [height, width, inputs, outputs])
    : tf.tensor(weights, product.w);
  const compute = () => (conv ? tf.conv2d(a, w, 1, 'same') : tf.matMul(a, w, false, true));
  try {
    // The first run compiles and uploads; it isn't counted, and its result is compared.
    const first = compute();
    assertSame(product.name, expected, await first.data(), 'TensorFlow.js');
    first.dispose();
    return await sampled(runs, async (repeats) => {
      const outs: TfTensor[] = [];
      const time = await elapsed(gpu, () => {
        for (let i = 0; i < repeats; i++) outs.push(compute());
        backend.endComputePassEncoder();
        if (backend.commandEncoder !== null) backend.submitQueue();
      });
      for (const out of outs) out.dispose();
      return time;
    });
  } finally {
    a.dispose();
    w.dispose();
  }
}
