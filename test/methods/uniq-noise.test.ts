/** UNIQ's noise: what layers see of a latent weight is as far from it as a bin is wide, in the distribution's quantiles. */
import { describe, expect, test } from 'vitest';
import { sequential } from '../../src/graph/index.ts';
import { batchNormalization, flatten, quantDense } from '../../src/layers/index.ts';
import { quantizedRow } from '../../src/methods/index.ts';
import { uniqNoise } from '../../src/methods/optimizers/others.ts';
import { uniq } from '../../src/methods/quantizers/others.ts';
import { meanOf } from '../../src/numerics/mean.ts';
import { Trainer } from '../../src/train/index.ts';
import { quadrants } from '../helpers/data.ts';
import { useGpu } from '../helpers/gpu.ts';

/** What layers see of a latent weight, without a gradient. */
function seen(
  u: number,
  { sd = 0.2, chance = 0.5, bits = 2 }: { sd?: number; chance?: number; bits?: number },
) {
  const { definition, parameters } = uniqNoise({ bits });
  const slots = { m: 0, v: 0, rest: 0 };
  const scalars = { rate: 0.01 };
  const w = definition.twin(
    { w: u, g: 0, slots, scalars, stepScale: 1, measured: sd * sd, chance },
    parameters as never,
  );
  expect(w + slots.rest).toBeCloseTo(u, 12);
  return w;
}

/** Φ by Simpson's rule. */
function share(z: number): number {
  const steps = 2000;
  const density = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  const at = (i: number) => density((z * i) / steps) * (i === 0 || i === steps ? 1 : i % 2 ? 4 : 2);
  return 0.5 + (z / steps / 3) * Array.from({ length: steps + 1 }, (_, i) => at(i)).reduce((a, b) => a + b);
}

describe('uniqNoise', () => {
  test.each([1, 2])('is uniform in the quantiles, a bin of %i bits wide', (bits) => {
    const sd = 0.2;
    for (const u of [-0.05, 0, 0.03]) {
      const chances = Array.from({ length: 64 }, (_, i) => (i + 0.5) / 64);
      const moved = chances.map((chance) => share(seen(u, { sd, chance, bits }) / sd) - share(u / sd));
      for (const [i, chance] of chances.entries())
        expect(moved[i]).toBeCloseTo((chance - 0.5) * 2 ** -bits, 5);
      expect(Math.abs(meanOf(moved))).toBeLessThan(1e-5);
    }
  });

  test('of none is the weight itself, and weights far out are brought back', () => {
    for (const u of [-0.4, -0.1, 1e-6, 0, 0.3]) expect(seen(u, {})).toBeCloseTo(u, 5);
    // Φ⁻¹ of 255/256 is 2.660.
    expect(seen(0.9, {})).toBeCloseTo(0.2 * 2.66, 3);
    expect(seen(-0.9, {})).toBeCloseTo(-0.2 * 2.66, 3);
    expect(seen(0.9, { sd: 0.5 })).toBeCloseTo(0.9, 5);
    // The first step knows of no deviation, and has no noise.
    expect(seen(0.3, { sd: 0, chance: 0.1 })).toBe(0.3);
  });
});

describe('a training with noise', () => {
  const gpu = useGpu();

  function training(seed: number) {
    const data = quadrants(400, 100);
    const inputQuantizer = 'steSign';
    const model = sequential(
      [
        flatten(),
        quantDense({ name: 'first', units: 64, kernelQuantizer: uniq() }),
        batchNormalization(),
        quantDense({ name: 'second', units: 64, kernelQuantizer: uniq(), inputQuantizer }),
        batchNormalization(),
        quantDense({ name: 'last', units: 4, kernelQuantizer: uniq(), inputQuantizer }),
        batchNormalization(),
      ],
      { input: data.image },
    );
    return Trainer.create(gpu(), model, data, {
      ...{ optimizer: uniqNoise(), batch: 40, epochs: 3, learningRate: 0.02, seed },
    });
  }

  /** What the weights of the first two layers, 64 of 64 both, lack of their latents. */
  async function restsAfter(trainer: Trainer, steps: number): Promise<number[][]> {
    await trainer.runSteps(steps);
    const { tensors } = await trainer.checkpoint();
    return ['first', 'second'].map((layer) => [...(tensors.get(`${layer}/kernel.rest`)?.data ?? [])]);
  }

  const cosine = (a: readonly number[], b: readonly number[]) => {
    const dot = (x: readonly number[], y: readonly number[]) =>
      x.reduce((sum, v, i) => sum + v * (y[i] ?? 0), 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };

  test('draws anew for each weight, layer, step and seed, and ends with latent weights, of which four values are made', async () => {
    using trainer = await training(3);
    using other = await training(4);
    const [none = []] = await restsAfter(trainer, 1);
    expect(new Set(none)).toEqual(new Set([0]));
    const [first = [], second = []] = await restsAfter(trainer, 1);
    expect(new Set(first).size).toBeGreaterThan(4000);
    const drawn = [second, ...(await restsAfter(trainer, 1)), ...(await restsAfter(other, 2))];
    for (const [i, rests] of drawn.entries())
      expect(Math.abs(cosine(first, rests)), `${i}`).toBeLessThan(0.1);
    expect((await trainer.fit()).epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.8);
    const latent = (await trainer.checkpoint()).tensors.get('second/kernel')?.data ?? [];
    expect(new Set(latent).size).toBeGreaterThan(4000);
    const { row } = uniq();
    if (row === undefined) throw new Error('no rule');
    const { values } = quantizedRow(row, latent.slice(0, 64));
    expect(new Set(values.map((value) => value.toFixed(6))).size).toBe(4);
  });
});

describe('parameters of one shape', () => {
  const gpu = useGpu();

  /** Pipelines that a training of so many layers makes. */
  async function pipelinesOf(
    layers: number,
    optimizer: 'adam' | ReturnType<typeof uniqNoise>,
  ): Promise<number> {
    const data = quadrants(40, 20);
    const inner = Array.from({ length: layers }, () => [
      quantDense({ units: 64, kernelQuantizer: 'steSign', inputQuantizer: 'steSign' }),
      batchNormalization(),
    ]);
    const model = sequential([flatten(), ...inner.flat(), quantDense({ units: 4 })], { input: data.image });
    const before = gpu().counters.pipelines;
    const trainer = await Trainer.create(gpu(), model, data, { optimizer, batch: 20 });
    trainer.dispose();
    return gpu().counters.pipelines - before;
  }

  test('share their updates, unless the optimizer draws', async () => {
    await pipelinesOf(3, 'adam');
    expect(await pipelinesOf(4, 'adam')).toBe(0);
    await pipelinesOf(3, uniqNoise());
    expect(await pipelinesOf(4, uniqNoise())).toBe(1);
  });
});
