/** FracBNN's input layer: pixels as thermometers of signs, and a network whose first product is one of signs. */
import { expect, test } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { OptionError } from '../src/errors.ts';
import { foldForInference, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  dense,
  flatten,
  quantConv2d,
  quantDense,
  thermometer,
} from '../src/layers/index.ts';
import { Trainer } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

test('of every pixel, sign i is +1 where the pixel is 8i + 4 at least: round(pixel / 8) of 32', async () => {
  const model = sequential([thermometer()], { input: [256, 1, 2] });
  expect(model.outputShape).toEqual([256, 1, 64]);
  using network = await Network.create(gpu(), model, { seed: 1 });
  const pixels = Float32Array.from({ length: 512 }, (_, i) => (i % 2 ? 255 - (i >> 1) : i >> 1));
  const found = await network.predict(pixels.map((pixel) => pixel / 127.5 - 1));
  for (const [i, pixel] of pixels.entries()) {
    const [row, channel] = [i >> 1, i % 2];
    const signs = Array.from({ length: 32 }, (_, level) => found[row * 64 + 2 * level + channel]);
    const lit = Math.floor(pixel / 8 + 0.5);
    expect(signs, `pixel ${pixel}`).toEqual(signs.map((_, level) => (level < lit ? 1 : -1)));
  }
});

test('a network with it multiplies signs from the first layer on, learns, and runs in WebAssembly to the same bits', async () => {
  const data = quadrants(600, 200);
  const model = sequential(
    [
      thermometer({ name: 'pixels', levels: 8, first: -0.9, step: 0.25 }),
      quantConv2d({ filters: 8, kernelSize: 3, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      flatten(),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
    ],
    { input: data.image, name: 'all signs' },
  );
  expect(model.summary()).toMatch(/pixels/);
  using trainer = await Trainer.create(gpu(), model, data, { batch: 50, epochs: 2, learningRate: 0.01 });
  const { epochs } = await trainer.fit();
  // Chance is 0.25.
  expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.6);
  const folded = foldForInference(model, await trainer.network.packedValues());
  const x = Float32Array.from({ length: 3 * 64 }, (_, i) => Math.sin(7 * i));
  const expected = await trainer.network.predict(x);
  const cpu = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
  expectSame(await cpu.predict(x), expected);
  cpu.dispose();
});

test('it is for inputs: what learns before it is refused', async () => {
  const data = quadrants(100, 50);
  const model = sequential(
    [
      flatten(),
      dense({ units: 4 }),
      thermometer({ levels: 4 }),
      quantDense({ units: 4, kernelQuantizer: 'steSign' }),
    ],
    { input: data.image, name: 'late' },
  );
  await expect(Trainer.create(gpu(), model, data, { batch: 50 })).rejects.toThrow(OptionError);
  expect(() => thermometer({ levels: 0 })).toThrow(/levels/);
});
