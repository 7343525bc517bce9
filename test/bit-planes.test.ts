/** Bytes as the signs of their bits, and a network whose first product is one of signs. */
import { expect, test } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { OptionError } from '../src/errors.ts';
import { foldForInference, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  bitPlanes,
  dense,
  flatten,
  quantDense,
  quantDepthwiseConv2d,
} from '../src/layers/index.ts';
import { Trainer } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

test.each([8, 3, 1])('the highest %i bits of every byte, whose signs sum to it', async (bits) => {
  const model = sequential([bitPlanes({ bits })], { input: [256, 1, 2] });
  expect(model.outputShape).toEqual([256, 1, 2 * bits]);
  using network = await Network.create(gpu(), model, { seed: 1 });
  const bytes = Float32Array.from({ length: 512 }, (_, i) => (i % 2 ? 255 - (i >> 1) : i >> 1));
  const found = await network.predict(bytes.map((byte) => byte / 127.5 - 1));
  for (const [i, byte] of bytes.entries()) {
    const signs = Array.from(
      { length: bits },
      (_, bit) => found[(i >> 1) * 2 * bits + 2 * bit + (i % 2)] ?? 0,
    );
    expect(signs, `byte ${byte}`).toEqual(signs.map((_, bit) => ((byte >> (7 - bit)) & 1 ? 1 : -1)));
    if (bits === 8)
      expect(signs.reduce((sum, sign, bit) => sum + sign * 2 ** (6 - bit), 0)).toBe(byte - 127.5);
  }
});

test('a network of filtered planes learns, and runs in WebAssembly to the same bits', async () => {
  const data = quadrants(600, 200);
  const model = sequential(
    [
      bitPlanes({ name: 'pixels' }),
      quantDepthwiseConv2d({ kernelSize: 3, depthwiseQuantizer: 'steSign' }),
      batchNormalization(),
      flatten(),
      quantDense({ units: 32, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
    ],
    { input: data.image, name: 'planes' },
  );
  using trainer = await Trainer.create(gpu(), model, data, { batch: 50, epochs: 3, learningRate: 0.01 });
  const { epochs } = await trainer.fit();
  // Chance is 0.25.
  expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.6);
  const folded = foldForInference(model, await trainer.network.packedValues());
  const x = Float32Array.from({ length: 3 * 64 }, (_, i) => ((i * 37) % 256) / 127.5 - 1);
  const expected = await trainer.network.predict(x);
  const cpu = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
  expectSame(await cpu.predict(x), expected);
  cpu.dispose();
});

test('it is for inputs: what learns before it is refused', async () => {
  const data = quadrants(100, 50);
  const model = sequential(
    [flatten(), dense({ units: 4 }), bitPlanes(), quantDense({ units: 4, kernelQuantizer: 'steSign' })],
    { input: data.image, name: 'late' },
  );
  await expect(Trainer.create(gpu(), model, data, { batch: 50 })).rejects.toThrow(OptionError);
  expect(() => bitPlanes({ bits: 9 })).toThrow(/bits/);
});
