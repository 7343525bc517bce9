/** A quantizer of one's own: checked against its twin, and trained beside the straight-through sign. */
import {
  batchNormalization,
  fetchMnist,
  flatten,
  Gpu,
  quantDense,
  sequential,
  Trainer,
  takeFirst,
} from 'webgpu-bnn';
import { checkMethod, defineQuantizer } from 'webgpu-bnn/methods';
import { log, run } from './page.ts';

/** A sign whose gradient falls off smoothly: (1 - x²)³ inside of [-1, 1]. */
const cubic = defineQuantizer({
  name: 'cubic',
  formula: '(1 - x²)³ where |x| <= 1, else 0',
  source: 'this page',
  wgsl: 'fn gradient(x: f32) -> f32 { let y = max(0.0, 1.0 - x * x); return y * y * y; }',
  gradient: (x) => Math.max(0, 1 - x * x) ** 3,
});

run(async () => {
  using gpu = await Gpu.request();
  const { compared } = await checkMethod(gpu, cubic());
  log(`the GPU's function and its twin agree on ${compared} values`);
  const mnist = takeFirst(await fetchMnist(new URL('../mnist', location.href).href), 3000, 1000);
  for (const [name, inputQuantizer] of [['steSign', 'steSign'] as const, ['cubic', cubic()] as const]) {
    const model = sequential(
      [
        flatten(),
        quantDense({ units: 128, kernelQuantizer: 'steSign' }),
        batchNormalization(),
        quantDense({ units: 128, inputQuantizer, kernelQuantizer: 'steSign' }),
        batchNormalization(),
        quantDense({ units: 10, inputQuantizer, kernelQuantizer: 'steSign' }),
        batchNormalization(),
      ],
      { input: mnist.image },
    );
    using trainer = await Trainer.create(gpu, model, mnist, { epochs: 2, batch: 50, seed: 1 });
    await trainer.fit();
    const { accuracy } = await trainer.evaluate();
    log(`${name}: ${(100 * accuracy).toFixed(1)} % of 1000 digits after two epochs`);
  }
});
