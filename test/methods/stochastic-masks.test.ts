/** Stochastic masks: a sign is seen as often as its magnitude says, and of magnitude 1 always. */
import { expect, test } from 'vitest';
import { sequential } from '../../src/graph/index.ts';
import { batchNormalization, flatten, quantDense } from '../../src/layers/index.ts';
import { stochasticMasks } from '../../src/methods/optimizers/others.ts';
import { meanOf } from '../../src/numerics/mean.ts';
import { Trainer } from '../../src/train/index.ts';
import { quadrants } from '../helpers/data.ts';
import { useGpu } from '../helpers/gpu.ts';

const gpu = useGpu();

/** What layers see of a latent weight, without a gradient. */
function seen(u: number, chance: number): number {
  const { definition, parameters } = stochasticMasks();
  const slots = { m: 0, v: 0, rest: 0 };
  const step = { w: u, g: 0, slots, scalars: { rate: 0.01 }, stepScale: 1, measured: 0, chance };
  const w = definition.twin(step, parameters as never);
  expect(w + slots.rest).toBeCloseTo(u, 12);
  return w;
}

test('the mean of what is seen is the latent weight; of magnitude 1 it is the sign, always', () => {
  const chances = Array.from({ length: 200 }, (_, i) => i / 200);
  for (const u of [-1, -0.5, -0.03, 0, 0.25, 0.8, 1]) {
    const values = chances.map((chance) => seen(u, chance));
    expect(meanOf(values), `of ${u}`).toBeCloseTo(u, 2);
    if (Math.abs(u) === 1) expect(new Set(values)).toEqual(new Set([u]));
    expect(values.filter((value) => ![-1, 0, 1].includes(value))).toEqual([]);
  }
});

test('a training with masks ends with signs of what is there more often than not', async () => {
  const data = quadrants(400, 100);
  const kernelQuantizer = 'steTern';
  const model = sequential(
    [
      flatten(),
      quantDense({ name: 'first', units: 64, kernelQuantizer }),
      batchNormalization(),
      quantDense({ units: 4, kernelQuantizer, inputQuantizer: 'steSign' }),
      batchNormalization(),
    ],
    { input: data.image },
  );
  const settings = { optimizer: stochasticMasks(), batch: 40, epochs: 4, learningRate: 0.05, seed: 3 };
  using trainer = await Trainer.create(gpu(), model, data, settings);
  const kernel = async () => {
    const { tensors } = await trainer.checkpoint();
    return [tensors.get('first/kernel')?.data ?? [], tensors.get('first/kernel.rest')?.data ?? []] as const;
  };
  await trainer.runSteps(39);
  const [masked, rest] = await kernel();
  expect(new Set(masked)).toEqual(new Set([-1, 0, 1]));
  // Of many weights, as many are seen as their magnitudes say.
  const magnitudes = Array.from(masked, (w, i) => Math.abs(w + (rest[i] ?? 0)));
  expect(meanOf(Array.from(masked, Math.abs))).toBeCloseTo(meanOf(magnitudes), 1);
  expect((await trainer.fit()).epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.7);
  const [last] = await kernel();
  expect(new Set(last)).toEqual(new Set([-1, 0, 1]));
});
