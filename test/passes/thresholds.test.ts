/** Normalisations that become integer thresholds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../src/errors.ts';
import {
  apply,
  foldBatchNorm,
  foldForInference,
  initialValues,
  input,
  model,
  Network,
  sequential,
} from '../../src/graph/index.ts';
import { add, batchNormalization, quantConv2d, quantDense, sign } from '../../src/layers/index.ts';
import { uniform01 } from '../../src/numerics/random.ts';
import { expectSame, useGpu } from '../helpers/gpu.ts';
import { trainedValues } from '../helpers/trained.ts';

const both = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;

/** Normalisation in the order and the precision of its shader. */
function normalizedInFloat(x: number, g: number, b: number, mean: number, variance: number, epsilon: number) {
  const f = Math.fround;
  const scale = f(f(1 / f(Math.sqrt(f(variance + f(epsilon))))) * g);
  return f(f(f(x - mean) * scale) + b);
}

describe('foldBatchNorm', () => {
  const float = (min: number, max: number) =>
    fc.float({ min: Math.fround(min), max: Math.fround(max), noNaN: true });

  test('agrees with the float path for every integer, whatever the signs', () => {
    const scale = fc.oneof(float(-4, 4), fc.constantFrom(0, -0, 1, -1));
    const shift = fc.oneof(float(-3, 3), fc.constantFrom(0, -0));
    const mean = fc.oneof(float(-70, 70), fc.integer({ min: -70, max: 70 }));
    fc.assert(
      fc.property(scale, shift, mean, float(0.01, 900), (g, b, m, v) => {
        const { direction, threshold: limit, uncertain } = foldBatchNorm([g], [b], [m], [v], 1e-4);
        if (uncertain.length > 0) return;
        for (let x = -80; x <= 80; x++) {
          const plus = (direction[0] ?? 0) * x >= (limit[0] ?? 0);
          expect(plus, `x = ${x}`).toBe(!(normalizedInFloat(x, g, b, m, v, 1e-4) < 0));
        }
      }),
      { seed: 4, numRuns: 3000 },
    );
  });

  test('known thresholds: at least, at most, constant', () => {
    const folded = foldBatchNorm(
      [2, -2, 0, 0, 1],
      [0, 0, -1, 0, -3],
      [2.5, 2.5, 7, 7, 0],
      [4, 4, 1, 1, 1],
      1e-9,
    );
    expect([...folded.direction]).toEqual([1, -1, 0, 0, 1]);
    expect([...folded.threshold].slice(0, 4)).toEqual([3, -2, 1, 0]);
    expect(folded.uncertain).toEqual([4]);
  });

  test('gamma and beta may be absent, lengths must agree, numbers be finite', () => {
    expect([...foldBatchNorm(undefined, undefined, [1.5], [1], 1e-4).threshold]).toEqual([2]);
    expect(() => foldBatchNorm([1, 2], undefined, [0], [1], 1e-4)).toThrow(FormatError);
    expect(() => foldBatchNorm([Number.NaN], undefined, [0], [1], 1e-4)).toThrow(/channel 0/);
    expect(() => foldBatchNorm([1], undefined, [0], [-1], 1e-4)).toThrow(FormatError);
  });
});

describe('normalisations of integer sums', () => {
  const gpu = useGpu();

  test('what others read stays apart: branches, reals, values of a threshold before it', async () => {
    const start = input([5, 6, 20]);
    const shared = apply(quantConv2d({ name: 'shared', filters: 8, kernelSize: 3, ...both }), start);
    const left = apply(sign({ name: 'left' }), apply(batchNormalization({ name: 'na' }), shared));
    const right = apply(batchNormalization({ name: 'nb' }), shared);
    const source = model({ input: start, output: apply(add({ name: 'sum' }), left, right) });
    const values = trainedValues(source, 5);
    const result = foldForInference(source, values);
    expect(result.folded).toEqual(['na']);
    expect(result.kept).toEqual([{ name: 'nb', reason: 'its values are read, not only their signs' }]);
    expect(result.fused).toEqual([]);
    const samples = Float32Array.from({ length: 2 * 600 }, (_, i) => uniform01(3, 9, i) - 0.5);
    using network = await Network.create(gpu(), source, { values });
    using compiled = await Network.create(gpu(), result.model, { values: result.values });
    expectSame(await compiled.predict(samples), await network.predict(samples));
  });

  test('what rounding decides, and what is read as a number, stays', () => {
    const source = sequential(
      [
        sign(),
        quantDense({ name: 'a', units: 1, kernelQuantizer: 'steSign' }),
        batchNormalization({ name: 'edge' }),
        quantDense({ name: 'b', units: 2, kernelQuantizer: 'steSign', inputQuantizer: 'steSign' }),
        batchNormalization({ name: 'reals' }),
        quantDense({ name: 'c', units: 2, kernelQuantizer: 'steSign' }),
      ],
      { input: [8] },
    );
    const values = initialValues(source, 1);
    values.set('edge/beta', new Float32Array([-3]));
    values.set('edge/runningVariance', new Float32Array([1 - 1e-4]));
    expect(foldForInference(source, values).kept).toEqual([
      { name: 'edge', reason: 'rounding decides at the threshold of channel 0' },
      { name: 'reals', reason: 'its values are read, not only their signs' },
    ]);
    values.delete('edge/beta');
    expect(() => foldForInference(source, values)).toThrow(/edge\/beta/);
  });
});
