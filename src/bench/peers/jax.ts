/** jax-js: matrix products of floats. */
import type { Gpu } from '../../gpu/index.ts';
import { elapsed } from '../measure.ts';
import { assertSame } from '../products.ts';
import { SALT, signs } from '../shapes.ts';
import { firstLine, type MissingPeer, offerDevice, optional, type Peer, sampled } from './peer.ts';

/** The parts of jax-js that are used here. What is handed to a function is gone; `ref` keeps it. */
interface Jax {
  init(device: 'webgpu'): Promise<readonly string[]>;
  defaultDevice(device: 'webgpu'): string;
  readonly numpy: {
    array(values: Float32Array): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
  };
}
interface JaxArray {
  readonly ref: JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(): JaxArray;
  blockUntilReady(): Promise<JaxArray>;
  data(): Promise<Float32Array<ArrayBuffer>>;
  dispose(): void;
}

export async function openJax(gpu: Gpu): Promise<Peer | MissingPeer> {
  const name = 'jax-js WebGPU';
  const withdraw = offerDevice(gpu);
  try {
    const jax = await optional<Jax>('@jax-js/jax');
    if (!(await jax.init('webgpu')).includes('webgpu')) return { name, reason: 'its backend did not start' };
    jax.defaultDevice('webgpu');
    const np = jax.numpy;
    return {
      name,
      runsOn: 'the same device',
      kinds: ['matmul'],
      async time({ a, w, name: product }, expected, runs) {
        const left = np.array(signs(a, SALT.a)).reshape(a);
        const right = np.array(signs(w, SALT.w)).reshape(w);
        const compute = () => np.matmul(left.ref, right.ref.transpose());
        try {
          assertSame(product, expected, await compute().data(), name);
          return await sampled(runs, async (repeats) => {
            const outs: JaxArray[] = [];
            const start = performance.now();
            for (let i = 0; i < repeats; i++) outs.push(await gpu.orLost(compute().blockUntilReady()));
            const time = performance.now() - start + (await elapsed(gpu, () => {}));
            for (const out of outs) out.dispose();
            return time;
          });
        } finally {
          left.dispose();
          right.dispose();
        }
      },
      dispose: withdraw,
    };
  } catch (cause) {
    withdraw();
    return { name, reason: firstLine(cause) };
  }
}
