/** A GRU that leaves out what its binary twin says is unchanged, against TensorFlow.js, which leaves nothing out. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { layers } from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { memoizedGru, memoizedShare } from '../src/compare.ts';
import { OptionError, ShapeError } from '../src/errors.ts';
import { normal } from '../src/numerics/random.ts';

const random = (size: number, seed: number, scale = 0.5) =>
  Float64Array.from({ length: size }, (_, i) => scale * normal(seed, 0, i));

const weightsOf = (inputs: number, units: number) => ({
  units,
  kernel: random(inputs * 3 * units, 1),
  recurrentKernel: random(units * 3 * units, 2),
  bias: random(3 * units, 3),
});

describe('memoizedGru', () => {
  test.each([
    [1, 1, 1],
    [5, 3, 7],
    [28, 16, 28],
  ])(
    '%d inputs, %d units, %d steps: with a threshold of 0 it is the GRU of TensorFlow.js',
    async (inputs, units, steps) => {
      await tf.setBackend('cpu');
      const weights = weightsOf(inputs, units);
      const sequence = random(steps * inputs, 4, 1);
      const layer = layers.gru({
        units,
        recurrentActivation: 'sigmoid',
        returnSequences: true,
        recurrentInitializer: 'zeros',
      });
      const x = tf.tensor3d(Float32Array.from(sequence), [1, steps, inputs]);
      layer.apply(x);
      layer.setWeights([
        tf.tensor2d(Float32Array.from(weights.kernel), [inputs, 3 * units]),
        tf.tensor2d(Float32Array.from(weights.recurrentKernel), [units, 3 * units]),
        tf.tensor1d(Float32Array.from(weights.bias)),
      ]);
      const expected = await (layer.apply(x) as tf.Tensor).data();
      const { states, share } = memoizedGru(weights, sequence, 0);
      expect(share).toBe(0);
      for (const [i, value] of states.entries()) expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 5);
    },
  );

  test('a sequence that stays is computed until the states do, and larger thresholds leave out more', () => {
    const weights = weightsOf(6, 4);
    const sequence = Float64Array.from({ length: 200 * 6 }, (_, i) => (i % 6) - 2.5);
    const shares = [0, 0.01, 0.5, 2, 1e9].map((threshold) => memoizedGru(weights, sequence, threshold).share);
    expect(shares[0]).toBe(0);
    // Signs of inputs and states stop changing, though the states still move by less and less.
    expect(shares[1]).toBeGreaterThan(0.9);
    expect([...shares].sort((a, b) => a - b)).toEqual(shares);
    // Each was computed once.
    expect(shares.at(-1)).toBeLessThanOrEqual(199 / 200);
  });

  test('one neuron whose state is not read: the share of the rule, three times', () => {
    const sequence = [1, 1, -1, -1, 1, 1, 1];
    const weights = { units: 1, kernel: [1, 1, 1], recurrentKernel: [0, 0, 0], bias: [0, 0, 0] };
    // The sign of a state is that of the candidates: of z and r the state before, of c the same but for its factor.
    const { states, share } = memoizedGru(weights, sequence, 0.5);
    const before = [0, ...states.slice(0, -1)];
    const twins = sequence.map((x, step) => (x < 0 ? -1 : 1) + ((before[step] ?? 0) < 0 ? -1 : 1));
    expect(share).toBeCloseTo(memoizedShare(twins, 0.5), 12);
  });

  test('sizes that do not go together, and thresholds', () => {
    const weights = weightsOf(2, 2);
    expect(() => memoizedGru(weights, [1, 2, 3], 0)).toThrow(ShapeError);
    expect(() => memoizedGru({ ...weights, bias: [0] }, [1, 2], 0)).toThrow(ShapeError);
    expect(() => memoizedGru({ ...weights, units: 0 }, [1, 2], 0)).toThrow(ShapeError);
    expect(() => memoizedGru(weights, [], 0)).toThrow(ShapeError);
    expect(() => memoizedGru(weights, [1, 2], -1)).toThrow(OptionError);
    expect(() => memoizedGru(weights, [1, 2], Number.NaN)).toThrow(OptionError);
  });
});
