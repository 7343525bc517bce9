/**
 * The gradient that a quantizer of this library lets pass, as an operation of TensorFlow.js: the quantizer's own WGSL on its WebGPU
 * backend, the float64 twin beside it where values lie on the processor or are read from the GPU.
 */
import * as tf from '@tensorflow/tfjs-core';
import { Routine, Tensor } from '../../gpu/index.ts';
import type { Quantizer } from '../../methods/index.ts';
import { binarizeGrad } from '../../ops/quantize.ts';
import { routineFor, runRoutine, WEBGPU, type WebGpuBackend, webgpuBackend } from './backend.ts';

const KERNEL = 'PseudoGradient';

/**
 * @param dy f32, the gradient of what the quantizer made of `x`
 * @param x of the same shape
 * @returns f32 of that shape: dy times the quantizer's gradient at x
 */
export function pseudoGradient(dy: tf.Tensor, x: tf.Tensor, quantizer: Quantizer): tf.Tensor {
  if (quantizer.window === Number.POSITIVE_INFINITY || x.size === 0) return tf.clone(dy);
  if (webgpuBackend() !== undefined) {
    const reals = tf.cast(x, 'float32');
    return tf.engine().runKernel(KERNEL, { dy, x: reals }, { quantizer } as unknown as tf.NamedAttrMap);
  }
  const passed = dy.dataSync();
  const product = Float32Array.from(x.dataSync(), (at, i) => quantizer.gradient(at) * (passed[i] ?? 0));
  return tf.tensor(product, x.shape, 'float32');
}

/** Numbers of definitions: names of guests' quantizers may be those of others. */
const ids = new WeakMap<object, number>();
let known = 0;

/** Tells quantizers apart in names of routines: by what they were defined as, and by their numbers. */
export function idOf(quantizer: Quantizer): string {
  const { definition } = quantizer;
  const id = ids.get(definition) ?? ++known;
  ids.set(definition, id);
  return `${id} ${JSON.stringify(quantizer)}`;
}

/** Tells TensorFlow.js of the operation. Once is enough. */
export function registerPseudoGradient(): void {
  tf.registerKernel({
    kernelName: KERNEL,
    backendName: WEBGPU,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const { dy, x } = inputs as Record<'dy' | 'x', tf.TensorInfo>;
      const { quantizer } = attrs as unknown as { quantizer: Quantizer };
      const owner = backend as WebGpuBackend;
      const out = owner.makeTensorInfo([...x.shape], 'float32');
      const routine = routineFor(owner, `${KERNEL} ${x.shape.join('x')} ${idOf(quantizer)}`, (gpu) => {
        const operands = { dy: new Tensor('dy', x.shape, 'f32'), x: new Tensor('x', x.shape, 'f32') };
        return new Routine(gpu, KERNEL, (b) => ({
          ...operands,
          out: binarizeGrad(b, operands.dy, { quantizer, x: operands.x }),
        }));
      });
      runRoutine(owner, routine, { dy, x, out });
      return out;
    },
  });
}
