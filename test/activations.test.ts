/** The worth of binary activations: laws that are known, and the GPU's counts against the twin. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { measureActivations } from '../src/geometry/activations.ts';
import { hammingDistances } from '../src/geometry/distances.ts';
import { Network, sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, quantConv2d, quantDense } from '../src/layers/index.ts';
import { intrinsicDimension, momentDimension } from '../src/numerics/dimension.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { channelBalance, hammingHistogram } from '../src/reference/dimension.ts';
import { useGpu } from './helpers/gpu.ts';

/** C(n, r)/2^n for all r: distances of independent fair bits, as if all pairs had been seen. */
function binomial(n: number): number[] {
  const counts = [1];
  for (let r = 1; r <= n; r++) counts.push(((counts[r - 1] ?? 0) * (n - r + 1)) / r);
  return counts;
}

describe('intrinsic dimension', () => {
  test('independent bits are worth their number, at every distance', () => {
    for (const n of [8, 64, 200]) {
      const { d0, d1 } = intrinsicDimension(binomial(n));
      expect(Math.abs(d0 / n - 1), `d0 of ${n}`).toBeLessThan(0.01);
      expect(Math.abs(d1), `d1 of ${n}`).toBeLessThan(0.02);
      expect(momentDimension(binomial(n))).toBeCloseTo(n, 6);
    }
  });

  test('64 bits, sampled: d0 near 64 and d1 near 0', () => {
    const rows = 600;
    const signs = Float32Array.from({ length: rows * 64 }, (_, i) => (uniform01(3, 1, i) < 0.5 ? -1 : 1));
    const counts = hammingHistogram(signs, rows, 64);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe((rows * (rows - 1)) / 2);
    expect(momentDimension(counts)).toBeGreaterThan(60);
    expect(momentDimension(counts)).toBeLessThan(68);
    const { d0, d1 } = intrinsicDimension(counts);
    expect(Math.abs(d0 + d1 * 32 - 64)).toBeLessThan(4);
  });

  test('bits that come twice are worth half', () => {
    const rows = 500;
    const signs = new Float32Array(rows * 64);
    for (let i = 0; i < signs.length; i++) signs[i] = uniform01(4, 1, i >> 1) < 0.5 ? -1 : 1;
    expect(Math.abs(momentDimension(hammingHistogram(signs, rows, 64)) - 32)).toBeLessThan(2);
  });

  test.each([
    ['1.50', 13.235, 0.8023],
    ['2.00', 60.592, 1.1429],
    ['2.27', 100.015, 1.5116],
    ['3.00', 530.097, 0.8305],
    ['4.00', 731.052, 0.3788],
  ])('Ising spins at T = %s, as published', (temperature, d0, d1) => {
    const file = `L30_T${temperature}_Ns5000D_counts.txt`;
    const text = readFileSync(join(import.meta.dirname, 'fixtures', 'ising-hamming', file), 'utf8');
    const counts = new Array<number>(901).fill(0);
    for (const line of text.trim().split('\n')) {
      const [distance = 0, count = 0] = line.split(',').map(Number);
      counts[distance] = count;
    }
    const fitted = intrinsicDimension(counts);
    expect(Math.abs(fitted.d0 / d0 - 1)).toBeLessThan(0.001);
    expect(Math.abs(fitted.d1 - d1)).toBeLessThan(0.001);
  });

  test('activations that are all the same have none', () => {
    expect(intrinsicDimension([6, 0, 0])).toEqual({ d0: Number.NaN, d1: Number.NaN });
  });
});

test('a channel that never changes its sign is dead', () => {
  const { positiveShare, entropy, dead } = channelBalance([1, 1, -1, 1, -1, -1, 1, 1, -1, 1, -1, -1], 3);
  expect(positiveShare).toEqual([1, 0.5, 0]);
  expect([entropy, dead]).toEqual([1 / 3, 2]);
});

describe('activations of a network', () => {
  const gpu = useGpu();

  test.each([
    [5, 1],
    [130, 33],
    [1500, 100],
    [70, 5000],
  ])('%i rows of %i signs have the distances of the twin', async (rows, length) => {
    const signs = Float32Array.from({ length: rows * length }, (_, i) => (uniform01(5, 3, i) < 0.4 ? -1 : 1));
    using packed = gpu().tensor('signs', [rows, length], 'bits', packSigns(signs, rows, length));
    expect(await hammingDistances(gpu(), packed)).toEqual(hammingHistogram(signs, rows, length));
  });

  test('30,000 samples: 450 million pairs are all counted', async () => {
    const rows = 30_000;
    const words = Uint32Array.from({ length: rows }, (_, i) => Math.floor(2 ** 16 * uniform01(6, 3, i)));
    using packed = gpu().tensor('signs', [rows, 16], 'bits', words);
    const distances = await hammingDistances(gpu(), packed);
    expect(distances.reduce((sum, count) => sum + count, 0)).toBe((rows * (rows - 1)) / 2);
    // Of pairs, by the number of samples with each bit.
    const ones = Array.from({ length: 16 }, (_, bit) => words.filter((word) => (word >> bit) & 1).length);
    const differing = ones.reduce((sum, k) => sum + k * (rows - k), 0);
    expect(distances.reduce((sum, count, r) => sum + count * r, 0)).toBe(differing);
    const { d0, d1 } = intrinsicDimension(distances);
    expect(Math.abs(d0 + d1 * 8 - 16)).toBeLessThan(0.5);
  });
  const model = sequential(
    [
      quantConv2d({ filters: 5, kernelSize: 3, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      quantConv2d({ filters: 40, kernelSize: 2, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
      flatten(),
      quantDense({ units: 3, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
    ],
    { input: [6, 6, 1] },
  );

  test('are counted over all pairs of samples and all channels', async () => {
    using network = await Network.create(gpu(), model, { seed: 4 });
    const count = 33;
    const samples = Float32Array.from({ length: count * 36 }, (_, i) => 2 * uniform01(9, 2, i) - 1);
    const measured = await measureActivations(network, samples);
    expect(measured.map(({ layer, bits }) => [layer, bits])).toEqual([
      ['quantConv2d_2', 4 * 4 * 5],
      ['quantDense_1', 3 * 3 * 40],
    ]);
    for (const layer of measured) {
      expect(layer.distances).toHaveLength(layer.bits + 1);
      expect(layer.distances.reduce((sum, n) => sum + n, 0)).toBe((count * (count - 1)) / 2);
      expect(layer.momentDimension).toBeGreaterThan(0);
      expect(layer.positiveShare.every((share) => share >= 0 && share <= 1)).toBe(true);
    }
    // Where every bit is a channel, k samples with +1 make k (count - k) pairs that differ in it.
    const [, dense] = measured;
    const differing = dense?.positiveShare.reduce((sum, p) => sum + count * p * (count - count * p), 0);
    expect(dense?.distances.reduce((sum, n, r) => sum + n * r, 0)).toBeCloseTo(differing ?? 0, 6);
    const twice = await measureActivations(network, samples);
    expect(twice).toEqual(measured);
  });

  test('need a batch of samples', async () => {
    using network = await Network.create(gpu(), model);
    await expect(measureActivations(network, new Float32Array(36))).rejects.toThrow(OptionError);
    await expect(measureActivations(network, new Float32Array(37))).rejects.toThrow(OptionError);
  });
});
