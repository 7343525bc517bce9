/** TensorFlow.js in Node, with its WebGPU backend on this library's adapter beside its own cpu backend. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { afterAll, beforeAll } from 'vitest';
import type { Gpu } from '../../src/gpu/index.ts';
import { requestGpu } from '../../src/node/gpu.ts';

/** Starts both backends before the tests of a file; tests choose one with `on`. */
export function useTensorFlow(): void {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestGpu();
    // Its backend looks for WebGPU in the navigator before it takes a device.
    Object.defineProperty(globalThis, 'navigator', {
      value: { gpu: {}, userAgent: 'Node' },
      configurable: true,
      writable: true,
    });
    // Every kernel is checked for tensors that it leaves behind.
    tf.env().set('IS_TEST', true);
    const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
    tf.removeBackend('webgpu');
    tf.registerBackend('webgpu', () => new WebGPUBackend(gpu.device, gpu.device.adapterInfo));
    await tf.setBackend('webgpu');
  });
  afterAll(() => {
    tf.removeBackend('webgpu');
    gpu.dispose();
  });
}

export type BackendName = 'cpu' | 'webgpu';

/** Runs `body` on a backend, and says whether tensors were left behind. */
export async function on<T>(name: BackendName, body: () => Promise<T> | T): Promise<T> {
  await tf.setBackend(name);
  return body();
}

/** Reproducible values between −1 and 1, with zeros of both signs among them. */
export function values(count: number, salt: number, scale = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => {
    if ((i + salt) % 17 === 3) return (i & 1) === 0 ? 0 : -0;
    const hash = Math.imul(i * 7919 + salt * 104_729 + 1, 0x9e3779b1) >>> 8;
    return scale * (((hash ^ (hash >>> 9)) % 2001) / 1000 - 1);
  });
}
