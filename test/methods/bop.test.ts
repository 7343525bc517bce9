/** Bop and its second order: what they flip, by the definition. */
import { describe, expect, test } from 'vitest';
import { runOnce } from '../../src/gpu/index.ts';
import { sequential } from '../../src/graph/index.ts';
import { batchNormalization, flatten, quantDense } from '../../src/layers/index.ts';
import { bop } from '../../src/methods/index.ts';
import { bop2ndOrder } from '../../src/methods/optimizers/others.ts';
import { normal } from '../../src/numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../../src/ops/data.ts';
import { joinSlots, slotsShape, updateBinary } from '../../src/ops/optim.ts';
import { Trainer } from '../../src/train/index.ts';
import { quadrants } from '../helpers/data.ts';
import { Scratch, useGpu } from '../helpers/gpu.ts';
import { follow } from '../helpers/steps.ts';

const gpu = useGpu();

test('bop2ndOrder flips the weights whose w m / (√v + 1e-10) exceeds τ, of a hundred thousand', async () => {
  using scratch = new Scratch(gpu());
  const shape = [100, 1000] as const;
  const size = shape[0] * shape[1];
  const [gamma, sigma, threshold] = [0.125, 0.25, 0.2];
  const optimizer = bop2ndOrder({ gamma, sigma, threshold });
  const of = (stream: number, map: (x: number) => number) =>
    Float32Array.from({ length: size }, (_, i) => map(normal(5, stream, i)));
  const [w, g] = [of(1, (x) => (x < 0 ? -1 : 1)), of(2, (x) => x)];
  const [m, v] = [of(3, (x) => x / 4), of(4, (x) => x * x)];
  const latent = scratch.tensor('w', shape, 'f32', w);
  const packed = scratch.tensor('packed', shape, 'bits');
  const row = optimizer.scalarsAt({ step: 0, steps: 9, epochSteps: 9, rate: 1 });
  using _ = await runOnce(gpu(), 'bop2ndOrder', (b) =>
    updateBinary(b, {
      update: optimizer.update,
      grad: scratch.tensor('g', shape, 'f32', g),
      ...{ latent, packed },
      slots: scratch.tensor('slots', slotsShape(size, shape[1], 2), 'f32', joinSlots([m, v], shape[1])),
      table: scratch.tensor('table', [1, row.length], 'f32', new Float32Array(row)),
      flips: scratch.tensor('flips', [shape[0]], 'u32'),
      state: scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({})),
    }),
  );
  const found = await gpu().readFloats(latent);
  let flipped = 0;
  for (let i = 0; i < size; i++) {
    const [wi = 0, gi = 0, mi = 0, vi = 0] = [w[i], g[i], m[i], v[i]];
    const [mean, square] = [mi + gamma * (gi - mi), vi + sigma * (gi * gi - vi)];
    const ratio = (wi * mean) / (Math.sqrt(square) + 1e-10);
    // Where f32 may decide otherwise.
    if (Math.abs(ratio - threshold) < 1e-5) continue;
    expect(found[i], `weight ${i}, ratio ${ratio}`).toBe(ratio > threshold ? -wi : wi);
    flipped += Number(ratio > threshold);
  }
  expect(flipped).toBeGreaterThan(1000);
  expect(flipped).toBeLessThan(size / 2);
});

describe('bop2ndOrder, unbiased', () => {
  test('takes the first gradient at its own size, where the biased one takes little of it', () => {
    const course = { steps: 1 };
    for (const g of [1e-6, -1e-6, 3]) {
      const optimizer = bop2ndOrder({ gamma: 1e-3, sigma: 1e-3, threshold: 0.5, unbiased: 1 });
      // The ratio is the sign of w g then.
      expect(follow(optimizer, 1, () => g, course)[0]?.w).toBe(g > 0 ? -1 : 1);
      expect(follow(bop2ndOrder({ gamma: 1e-3, sigma: 1, threshold: 0.5 }), 1, () => g, course)[0]?.w).toBe(
        1,
      );
    }
  });
});

test('Bop has numbers of its own in each layer, and they change along their schedules', async () => {
  const data = quadrants(600, 200);
  const model = sequential(
    [
      flatten(),
      quantDense({ name: 'first', units: 16, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      quantDense({ name: 'last', units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
    ],
    { input: data.image, name: 'by layer' },
  );
  const gamma = { from: 1e-1, to: 1e-3, decay: 'exponential' } as const;
  using trainer = await Trainer.create(gpu(), model, data, {
    batch: 50,
    epochs: 1,
    optimizer: bop({ gamma, threshold: 1e-7 }),
    overrides: [{ match: 'last/kernel', optimizer: bop({ gamma, threshold: 1e3 }) }],
  });
  const before = await trainer.network.values();
  await trainer.fit();
  const after = await trainer.network.values();
  expect(after.get('first/kernel')).not.toEqual(before.get('first/kernel'));
  expect(after.get('last/kernel')).toEqual(before.get('last/kernel'));
  const at = (step: number) => bop({ gamma }).scalarsAt({ step, steps: 12, epochSteps: 12, rate: 1 })[0];
  expect([at(0), at(11)]).toEqual([0.1, expect.closeTo(1e-3, 12)]);
});
