/** Hulls, overlaps and twins as predictors: laws that are known, and cases by hand. */
import { describe, expect, test } from 'vitest';
import {
  distanceToHull,
  measurePredictors,
  memoizedShare,
  nearestHull,
  overlapAgainstFlips,
  overlapsByDepth,
  rankForHybrid,
  twinPrediction,
} from '../src/compare.ts';
import { samplesOf } from '../src/data/index.ts';
import { OptionError, ShapeError } from '../src/errors.ts';
import { signsRead } from '../src/geometry/activations.ts';
import { arcsinLaw, measureProportionality } from '../src/geometry/index.ts';
import { Network, sequential } from '../src/graph/index.ts';
import { quantDense, sign } from '../src/layers/index.ts';
import { unpackSigns } from '../src/numerics/pack.ts';
import { normal } from '../src/numerics/random.ts';
import { mlp } from '../src/zoo/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

describe('hulls', () => {
  const square = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ];

  test.each([
    ['beside a side', [2, 0.5], 1],
    ['beyond a corner', [4, 5], 5],
    ['on a side', [0.25, 0], 0],
    ['inside', [0.3, 0.6], 0],
  ])('a point %s of a square', (_, point, distance) => {
    expect(distanceToHull(point, square)).toBeCloseTo(distance, 4);
  });

  test('a simplex of 40 corners is √(1/40) from zero', () => {
    const corners = Array.from({ length: 40 }, (_, i) => Array.from({ length: 40 }, (_, j) => +(i === j)));
    expect(distanceToHull(new Float64Array(40), corners)).toBeCloseTo(Math.sqrt(1 / 40), 6);
  });

  test('the distance is that to the plane that parts the point from the hull', () => {
    const corners = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: 5 }, (_, j) => normal(3, i, j)),
    );
    for (let k = 0; k < 5; k++) {
      const point = Array.from({ length: 5 }, (_, j) => 3 * normal(4, k, j));
      const distance = distanceToHull(point, corners);
      // No mix of corners is nearer; by duality some direction has all corners behind a plane at that distance.
      const nearest = Math.min(...corners.map((c) => Math.hypot(...c.map((x, j) => x - (point[j] ?? 0)))));
      expect(distance).toBeGreaterThan(0);
      expect(distance).toBeLessThanOrEqual(nearest);
      const towards = slopeOf((p) => distanceToHull(p, corners), point);
      expect(Math.hypot(...towards)).toBeCloseTo(1, 3);
      const margin = Math.min(
        ...corners.map((c) => c.reduce((sum, x, j) => sum + ((point[j] ?? 0) - x) * (towards[j] ?? 0), 0)),
      );
      expect(margin).toBeCloseTo(distance, 3);
    }
  });

  test('a point goes to the class whose hull is nearest; hulls without points are refused', () => {
    const shifted = square.map(([x = 0, y = 0]) => [x + 3, y]);
    const { nearest, distances } = nearestHull([2.5, 0.5], [square, shifted]);
    expect(nearest).toBe(1);
    expect(distances[0]).toBeCloseTo(1.5, 4);
    expect(distances[1]).toBeCloseTo(0.5, 4);
    expect(() => nearestHull([0], [])).toThrow(OptionError);
    expect(() => distanceToHull([0], [])).toThrow(OptionError);
    expect(() => distanceToHull([0], [[1, 2]])).toThrow(ShapeError);
  });
});

function slopeOf(of: (point: number[]) => number, at: readonly number[]): number[] {
  return at.map((x, j) => (of(at.with(j, x + 1e-3)) - of(at.with(j, x - 1e-3))) / 2e-3);
}

test('signs of a class lie near to the hull of their class: all predictors of a network at bounded cost', async () => {
  const data = quadrants(200, 60);
  using network = await Network.create(gpu(), mlp({ input: data.image, classes: 4, units: 64 }), { seed: 3 });
  const hash = await network.hash();
  const { overlaps, flips, hulls, twins } = await measurePredictors(network, data);
  expect(await network.hash()).toBe(hash);
  expect(overlaps.map(({ count }) => count > 40 && count <= 60)).toEqual([true, true]);
  expect(flips).toHaveLength(8);
  // The same as of the points themselves, at the first layer that reads signs.
  const [first] = await signsRead(network, samplesOf(data, 'train', { count: 200 }));
  const [asked] = await signsRead(network, samplesOf(data, 'test', { count: 60 }));
  const rowOf = (seen: typeof first, i: number) =>
    unpackSigns((seen?.rows ?? new Uint32Array()).slice(2 * i, 2 * i + 2), 1, 64);
  const { labels } = data.train;
  const classes = [0, 1, 2, 3].map((label) =>
    Array.from(labels.keys())
      .filter((i) => labels[i] === label)
      .slice(0, 30)
      .map((i) => rowOf(first, i)),
  );
  const right = Array.from({ length: 60 }, (_, i) => nearestHull(rowOf(asked, i), classes).nearest).filter(
    (label, i) => label === data.test?.labels[i],
  );
  expect(hulls[0]).toMatchObject({ layer: 'dense2', bits: 64, corners: 30, tested: 60 });
  expect(hulls[0]?.accuracy).toBeCloseTo(right.length / 60, 12);
  expect(hulls[0]?.accuracy).toBeGreaterThan(0.5);

  // r of neurons is what dot products have it to be.
  const measured = await measureProportionality(network, samplesOf(data, 'test', { count: 50 }), {
    permuted: false,
    bins: 0,
  });
  expect(twins.map(({ layer, products }) => [layer, products])).toEqual([
    ['dense2', 50],
    ['dense3', 50],
  ]);
  for (const { layer, r } of twins) {
    expectClose(r, measured.find(({ name }) => name === layer)?.both?.r ?? [], 1e-3, layer);
  }
});

describe('overlaps of a network', () => {
  const wide = (units: number) =>
    quantDense({
      units,
      inputQuantizer: 'steSign',
      kernelQuantizer: 'steSign',
      kernelInitializer: { kind: 'uniform', limit: 1 },
    });
  const SIZE = 1024;
  const model = sequential([wide(SIZE), wide(SIZE), wide(SIZE), wide(10)], { input: [SIZE] });
  const noise = (stream: number, count: number) =>
    Float32Array.from({ length: count * SIZE }, (_, i) => normal(7, stream, i));

  test('of two inputs fall from layer to layer by (2/π) arcsin, where weights are random', async () => {
    using network = await Network.create(gpu(), model, { seed: 5 });
    const pairs = 8;
    const [one, fresh] = [noise(1, pairs), noise(2, pairs)];
    const other = one.map((x, i) => 0.95 * x + Math.sqrt(1 - 0.95 ** 2) * (fresh[i] ?? 0));
    const measured = await overlapsByDepth(network, one, other);
    expect(measured.map(({ bits }) => bits)).toEqual([SIZE, SIZE, SIZE, SIZE]);
    expect(measured[0]?.law).toBeUndefined();
    // Signs of Gaussians of that correlation.
    expect(Math.abs((measured[0]?.overlap ?? 0) - arcsinLaw(0.95))).toBeLessThan(4 / Math.sqrt(pairs * SIZE));
    for (const { overlap, law = Number.NaN } of measured.slice(1)) {
      expect(Math.abs(overlap - law)).toBeLessThan(0.05);
    }
    const opposite = await overlapsByDepth(
      network,
      one,
      one.map((x) => -x),
    );
    expect(opposite[0]?.overlap).toBe(-1);
    for (const { overlap } of await overlapsByDepth(network, one, one)) expect(overlap).toBe(1);
    await expect(overlapsByDepth(network, one, one.subarray(1))).rejects.toThrow(ShapeError);
  });

  test('of outputs fall with the share of flipped signs, and the weights are as they were', async () => {
    const single = sequential([wide(64)], { input: [SIZE] });
    using network = await Network.create(gpu(), single, { seed: 6 });
    const before = await network.hash();
    const found = await overlapAgainstFlips(network, noise(3, 20), [0, 0.1, 0.3, 0.5, 1]);
    // One product is linear: of flipped signs, 1 - 2 share is left, in the direction 1 - 2p of outputs.
    for (const { flipped, overlap } of found)
      expect(Math.abs(overlap - (1 - 2 * flipped))).toBeLessThan(0.06);
    expect(found.map(({ flipped }) => Math.round(10 * flipped))).toEqual([0, 1, 3, 5, 10]);
    expect([found[0]?.overlap, found[0]?.agree, found[4]?.agree]).toEqual([1, 1, 0]);
    expect(await network.hash()).toBe(before);
    await expect(overlapAgainstFlips(network, noise(3, 1), [2])).rejects.toThrow(OptionError);
  });
});

describe('hybrid precision', () => {
  test('ranks by error against cost: signs lose nothing, Gaussians 1 - 2/π, and the smaller layer stays real first', async () => {
    const binary = (units: number) =>
      quantDense({ units, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' });
    const model = sequential([binary(512), binary(64), sign(), binary(16)], { input: [256] });
    using network = await Network.create(gpu(), model, { seed: 2 });
    const samples = Float32Array.from({ length: 40 * 256 }, (_, i) => normal(9, 1, i));
    const ranked = await rankForHybrid(network, samples);
    const [first, second, last] = ranked;
    expect(ranked.map(({ layer, operations }) => [layer, operations])).toEqual([
      ['quantDense_2', 512 * 64],
      ['quantDense_1', 256 * 512],
      ['quantDense_3', 64 * 16],
    ]);
    const total = 512 * 64 + 256 * 512 + 64 * 16;
    expect(Math.abs((second?.error ?? 0) - (1 - 2 / Math.PI))).toBeLessThan(0.02);
    // Sums of 256 signs are Gaussian nearly.
    expect(Math.abs((first?.error ?? 0) - (1 - 2 / Math.PI))).toBeLessThan(0.02);
    expect(first?.score).toBeCloseTo(((first?.error ?? 0) * total) / (512 * 64), 9);
    expect([last?.error, last?.score]).toEqual([0, 0]);
    await expect(rankForHybrid(network, samples.subarray(1))).rejects.toThrow(OptionError);
  });
});

describe('binary twins', () => {
  test('that say all skip every zero, rightly; the share falls as the threshold grows', () => {
    const rows = 400;
    // Neuron 0 is its twin, neuron 1 half noise, neuron 2 noise.
    const twin = Float64Array.from({ length: rows * 3 }, (_, i) => normal(8, 1, i));
    const shares = [0, 0.7, 1];
    const real = twin.map((x, i) => {
      const noise = shares[i % 3] ?? 0;
      return Math.sqrt(1 - noise ** 2) * x + noise * normal(8, 2, i);
    });
    const { r, skippable } = twinPrediction(twin, real, 3, [-1, 0.5, 0.99, 1.1]);
    expect(r[0]).toBeCloseTo(1, 12);
    expect(Math.abs((r[1] ?? 0) - Math.sqrt(0.51))).toBeLessThan(0.1);
    expect(Math.abs(r[2] ?? 1)).toBeLessThan(0.2);
    const zeros = real.filter((x, i) => i % 3 === 0 && x <= 0).length / real.length;
    expect(skippable[2]).toEqual({ threshold: 0.99, skipped: zeros, wrong: 0 });
    expect(skippable[3]).toEqual({ threshold: 1.1, skipped: 0, wrong: 0 });
    const [all, half, most, none] = skippable.map(({ skipped }) => skipped);
    expect([all, half, most, none]).toEqual([all, half, most, none].toSorted((a = 0, b = 0) => b - a));
    expect(half).toBeGreaterThan(most ?? 1);
    expect(skippable[1]?.wrong).toBeGreaterThan(0);
    expect(() => twinPrediction([1, 2], [1, 2, 3], 1)).toThrow(ShapeError);
  });

  test('a memory leaves out what changes little, by hand', () => {
    // Changes against 10: 0.1, then 0.1 + 0.2: computed; against 12: 0, then 0.5: computed.
    expect(memoizedShare([10, 11, 12, 12, 6], 0.25)).toBe(2 / 5);
    expect(memoizedShare([10, 11, 12, 12, 6], 0)).toBe(0);
    expect(memoizedShare([3, 3, 3, 3], 0.01)).toBe(3 / 4);
    // Off a product of 0 any change is too large.
    expect(memoizedShare([0, 1, 1], 1e9)).toBe(1 / 3);
    expect(() => memoizedShare([], 1)).toThrow(OptionError);
  });
});
