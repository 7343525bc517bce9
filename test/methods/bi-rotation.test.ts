/** RBNN's rotations: orthogonal, the best for given signs, and every alternation brings filters nearer to their signs. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { sequential } from '../../src/graph/index.ts';
import { batchNormalization, flatten, quantDense } from '../../src/layers/index.ts';
import { rbnn } from '../../src/methods/quantizers/others.ts';
import { biRotation, nearFactors, polarFactor } from '../../src/numerics/bi-rotation.ts';
import { normal } from '../../src/numerics/random.ts';
import { turnToSigns } from '../../src/regimes/index.ts';
import { Trainer } from '../../src/train/index.ts';
import { quadrants } from '../helpers/data.ts';
import { expectSame, useGpu } from '../helpers/gpu.ts';

const drawn = (count: number, stream: number) =>
  Float64Array.from({ length: count }, (_, i) => normal(8, stream, i));

/** Largest entry of |RᵀR − 1|. */
function awayFromOrthogonal(r: Float64Array, n: number): number {
  let most = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += (r[k * n + i] ?? 0) * (r[k * n + j] ?? 0);
      most = Math.max(most, Math.abs(sum - Number(i === j)));
    }
  }
  return most;
}

const alongside = (a: Float64Array, b: Float64Array) =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

describe('polarFactor', () => {
  test('is orthogonal, and no rotation near it has a larger tr(RᵀM)', () => {
    const n = 7;
    const m = drawn(n * n, 1);
    const r = polarFactor(m, n);
    expect(awayFromOrthogonal(r, n)).toBeLessThan(1e-11);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        for (const angle of [-0.01, 0.01]) {
          const turned = r.slice();
          for (let k = 0; k < n; k++) {
            const [x, y] = [r[k * n + i] ?? 0, r[k * n + j] ?? 0];
            turned[k * n + i] = Math.cos(angle) * x - Math.sin(angle) * y;
            turned[k * n + j] = Math.sin(angle) * x + Math.cos(angle) * y;
          }
          expect(alongside(turned, m)).toBeLessThan(alongside(r, m));
        }
      }
    }
  });

  test('refuses a matrix that has none', () => {
    expect(() => polarFactor([1, 0, 0, 0], 2)).toThrow(OptionError);
  });
});

describe('biRotation', () => {
  test('keeps what rotations keep, and never loses', () => {
    for (const [filters, length] of [
      [1, 64],
      [16, 36],
      [5, 27],
      [3, 13],
    ] as const) {
      const w = drawn(filters * length, 2);
      const { rotated, r1, r2, sums } = biRotation(w, filters, 4);
      const [a, b] = nearFactors(length);
      expect(a * b).toBe(length);
      expect(awayFromOrthogonal(r1, a)).toBeLessThan(1e-10);
      expect(awayFromOrthogonal(r2, b)).toBeLessThan(1e-10);
      for (const [i, sum] of sums.entries()) {
        if (i > 0) expect(sum).toBeGreaterThanOrEqual((sums[i - 1] ?? 0) * (1 - 1e-9));
      }
      expect(sums.at(-1)).toBeGreaterThan(1.02 * (sums[0] ?? 0));
      for (let f = 0; f < filters; f++) {
        const norm = (values: Float64Array) => Math.hypot(...values.subarray(f * length, (f + 1) * length));
        expect(norm(rotated)).toBeCloseTo(norm(w), 9);
      }
    }
  });

  test('puts a filter of two weights on its diagonal, and one of equal magnitudes nowhere else', () => {
    const { rotated } = biRotation([0.9, 0.1], 1, 3);
    expect(Math.abs(rotated[0] ?? 0)).toBeCloseTo(Math.abs(rotated[1] ?? 0), 9);
    const even = [0.5, -0.5, -0.5, 0.5, 0.5, 0.5];
    for (const [i, value] of biRotation(even, 1, 3).rotated.entries()) {
      expect(value).toBeCloseTo(even[i] ?? Number.NaN, 5);
    }
  });
});

describe('turnToSigns', () => {
  const gpu = useGpu();
  const data = quadrants(400, 100);
  const model = sequential(
    [
      flatten(),
      quantDense({ name: 'first', units: 24, kernelQuantizer: rbnn() }),
      batchNormalization(),
      quantDense({ name: 'last', units: 4, inputQuantizer: 'steSign', kernelQuantizer: rbnn() }),
      batchNormalization(),
    ],
    { input: data.image, name: 'turned' },
  );
  const options = { batch: 50, epochs: 3, seed: 2 };

  test('brings every layer nearer to its signs after each epoch but the last, learns, and resumes to the same bits', async () => {
    const seen: [string, number, number][] = [];
    const hook = turnToSigns({ onTurn: (...told) => seen.push(told) });
    using whole = await Trainer.create(gpu(), model, data, options);
    const { epochs } = await whole.fit({ hooks: [hook] });
    expect(seen.map(([name]) => name)).toEqual([
      'first/kernel',
      'last/kernel',
      'first/kernel',
      'last/kernel',
    ]);
    for (const [, before, after] of seen) expect(after).toBeGreaterThan(before);
    // Chance is 0.25.
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.6);

    using first = await Trainer.create(gpu(), model, data, options);
    await first.fit({
      hooks: [turnToSigns(), { onEpoch: ({ epoch }) => (epoch === 2 ? 'stop' : undefined) }],
    });
    using second = await Trainer.create(gpu(), model, data, options);
    await second.restore(await first.checkpoint());
    await second.fit({ hooks: [turnToSigns()] });
    expect(await second.network.hash()).toBe(await whole.network.hash());
  });

  test('with a share of 0 leaves everything as it is', async () => {
    using plain = await Trainer.create(gpu(), model, data, options);
    await plain.fit();
    using turned = await Trainer.create(gpu(), model, data, options);
    await turned.fit({ hooks: [turnToSigns({ share: 0 })] });
    const values = await plain.network.values();
    for (const [name, own] of await turned.network.values()) expectSame(own, values.get(name) ?? []);
    expect(() => turnToSigns({ share: 1.5 })).toThrow(OptionError);
  });
});
