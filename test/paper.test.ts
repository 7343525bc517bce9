/** The paper, re-created: its figures' numbers, its swaps of weights, its claims and verdicts, and the report. */
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ternaryCosine } from '../src/geometry/closed-forms.ts';
import { fewBitCurves, measureRotationGain, randomAngles, rotationExample } from '../src/geometry/figures.ts';
import { refitNormalization, withContinuousWeights } from '../src/geometry/refit.ts';
import { initialValues, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  dense,
  flatten,
  maxPool2d,
  quantConv2d,
  quantDense,
} from '../src/layers/index.ts';
import * as fewBits from '../src/reference/few-bits.ts';
import { normal } from '../src/reference/random.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';

const fill = (count: number, draw: (index: number) => number) =>
  Float32Array.from({ length: count }, (_, i) => draw(i));
const gaussian = (stream: number) => (i: number) => normal(5, stream, i);

describe('a few bits more', () => {
  test.each([
    [0, 37.07],
    [0.1, 34.15],
    [0.2, 31.51],
    [0.3, 29.24],
    [0.5, 26.32],
    [0.612, 25.855],
    [1, 30.78],
  ])('ternary filters with threshold %d turn by %d degrees, closed form and measured', (a, expected) => {
    expect((Math.acos(ternaryCosine(a)) * 180) / Math.PI).toBeCloseTo(expected, 1);
    expect(Math.abs(fewBits.ternaryAngleDegrees(fill(100_000, gaussian(1)), a) - expected)).toBeLessThan(0.3);
  });

  test.each([
    [1, 37.07],
    [2, 20.8],
    [3, 13.46],
    [4, 9.91],
  ])('%d greedy bits turn by %d degrees, integrated and measured', (k, expected) => {
    expect(Math.abs(fewBits.gaussianResidualAngleDegrees(k) - expected)).toBeLessThan(0.01);
    expect(Math.abs(fewBits.residualAngleDegrees(fill(100_000, gaussian(2)), k) - expected)).toBeLessThan(
      0.3,
    );
  });

  test('filters of zeros, signs and nothing left', () => {
    expect(fewBits.ternaryAngleDegrees([0, 0], 0)).toBe(90);
    expect(fewBits.ternaryAngleDegrees([1, -1, 1], 2)).toBe(90);
    expect(fewBits.ternaryAngleDegrees([3, -3, 0, 0], 0.5)).toBeCloseTo(0, 5);
    expect(fewBits.residualAngleDegrees([2, -2, 2], 1)).toBeCloseTo(0, 5);
    expect(fewBits.residualAngleDegrees([0, 0], 2)).toBe(90);
    expect(fewBits.densityOf([-2, -1, 0, 0.99, 1, 5], -1, 1, 2)).toEqual([2, 4]);
  });
});

describe('figures and swaps', () => {
  const gpu = useGpu();

  test('random vectors of 3, 10 and 27 dimensions have the angles of the closed form', async () => {
    const measured = await randomAngles(gpu(), [3, 10, 27], { vectors: 4000 });
    for (const { dimension, meanAngle, sdAngle, expectedAngle, expectedSd, counts } of measured) {
      const slack = (4 * expectedSd) / Math.sqrt(4000);
      expect(Math.abs(meanAngle - expectedAngle)).toBeLessThan(slack + (dimension === 3 ? 0.3 : 0.02));
      expect(Math.abs(sdAngle / expectedSd - 1)).toBeLessThan(dimension === 3 ? 0.2 : 0.06);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4000);
    }
  });

  test('the rotation example: 68.2 and 80.5 degrees without, those of random vectors with', async () => {
    const [at100, at500] = await rotationExample(gpu(), [100, 500], { vectors: 400 });
    expect(Math.abs((at100?.plain.mean ?? 0) - 68.2)).toBeLessThan(0.6);
    expect(Math.abs((at500?.plain.mean ?? 0) - 80.5)).toBeLessThan(0.4);
    expect(Math.abs((at100?.rotated.mean ?? 0) - 36.7)).toBeLessThan(0.5);
    expect(Math.abs((at500?.rotated.mean ?? 0) - 37.03)).toBeLessThan(0.3);
  });

  test('rotation gains angle where weights have few large entries, and none where they are random', async () => {
    const model = sequential(
      [
        quantDense({ name: 'wild', units: 20, kernelQuantizer: 'steSign' }),
        quantDense({ name: 'random', units: 20, kernelQuantizer: 'steSign' }),
      ],
      { input: [256] },
    );
    const values = new Map([
      ['wild/kernel', fill(20 * 256, (i) => Math.exp(0.05 * (i % 256)) * normal(1, 1, i))],
      ['random/kernel', fill(20 * 20, gaussian(3))],
    ]);
    using network = await Network.create(gpu(), model, { values });
    const [wild, random] = await measureRotationGain(network);
    expect(wild?.gain).toBeGreaterThan(15);
    expect(wild?.rotatedAngle).toBeLessThan(39);
    expect(Math.abs(random?.gain ?? 9)).toBeLessThan(3);
    const curves = await fewBitCurves(network);
    expect(curves.measured.map(({ name }) => name)).toEqual(['random', 'wild/kernel', 'random/kernel']);
    expectClose(curves.measured[0]?.ternary.slice(0, 12) ?? [], curves.ternaryExpected.slice(0, 12), 0.01);
    expectClose(curves.measured[0]?.bits ?? [], curves.bitsExpected, 0.02);
  });

  const blocks = () =>
    sequential(
      [
        quantConv2d({ name: 'conv', filters: 6, kernelSize: 3, kernelQuantizer: 'steSign' }),
        maxPool2d({ poolSize: 2 }),
        batchNormalization({ name: 'norm1' }),
        flatten(),
        quantDense({
          name: 'dense',
          units: 5,
          kernelQuantizer: 'steSign',
          inputQuantizer: 'steSign',
          useBias: true,
        }),
        batchNormalization({ name: 'norm2', scale: false }),
      ],
      { input: [8, 8, 2], name: 'blocks' },
    );

  test('a layer with continuous weights multiplies with them, and leaves the others as they were', async () => {
    const model = blocks();
    const values = initialValues(model, 3);
    const half = Float32Array.from(values.get('dense/kernel') ?? [], (w) => (w < 0 ? -0.5 : 0.5));
    values.set('dense/kernel', half);
    for (const name of ['norm2/runningMean', 'norm2/runningVariance']) {
      values.set(name, new Float32Array(5).fill(name.endsWith('Mean') ? 0 : 1 - 1e-4));
    }
    const samples = fill(4 * 128, gaussian(4));
    using binary = await Network.create(gpu(), model, { values });
    using swapped = await Network.create(gpu(), withContinuousWeights(model, 'dense'), { values });
    // Half the signs give half the scores.
    const scores = await binary.predict(samples);
    expectClose(
      await swapped.predict(samples),
      scores.map((score) => score / 2),
    );
    expect(swapped.model.layers.map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
    expect(swapped.binaryParameters.map(({ name }) => name)).toEqual(['conv/kernel']);
    expect(() => withContinuousWeights(model, 'norm1')).toThrow(OptionError);
    expect(() => withContinuousWeights(model, 'nothing')).toThrow(/no layer of this name/);
    const floats = sequential([dense({ name: 'dense', units: 2 })], { input: [4] });
    expect(() => withContinuousWeights(floats, 'dense')).toThrow(OptionError);
  });

  test('refitted statistics normalise every channel, whatever the scale of the weights', async () => {
    const model = blocks();
    const values = initialValues(model, 3);
    for (const [name, array] of values) {
      if (name === 'conv/kernel')
        values.set(
          name,
          array.map((w) => 40 * w),
        );
      if (name === 'norm1/runningMean') values.set(name, new Float32Array(6).fill(7));
    }
    const samples = fill(60 * 128, gaussian(6));
    using network = await Network.create(gpu(), withContinuousWeights(model, 'conv'), { values });
    await refitNormalization(network, samples, { batch: 30 });
    // One batch of all samples normalises by the very statistics that are kept.
    await refitNormalization(network, samples, { batch: 60 });
    const scores = await network.predict(samples);
    const beta = values.get('norm2/beta') ?? [];
    for (let channel = 0; channel < 5; channel++) {
      const column = Array.from({ length: 60 }, (_, row) => scores[row * 5 + channel] ?? 0);
      const mean = column.reduce((sum, value) => sum + value, 0) / 60;
      const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 60;
      expect(Math.abs(mean - (beta[channel] ?? 0))).toBeLessThan(1e-4);
      expect(Math.abs(variance - 1)).toBeLessThan(1e-3);
    }
    const changed = [...(await network.values())].filter(
      ([name, array]) => array.join() !== values.get(name)?.join(),
    );
    expect(changed.map(([name]) => name)).toEqual([
      'norm1/runningMean',
      'norm1/runningVariance',
      'norm2/runningMean',
      'norm2/runningVariance',
    ]);
    await expect(refitNormalization(network, samples.subarray(0, 128))).rejects.toThrow(ShapeError);
    await expect(refitNormalization(network, samples.subarray(1))).rejects.toThrow(ShapeError);
    await expect(refitNormalization(network, samples, { batch: 1 })).rejects.toThrow(OptionError);
  });
});
