/** Products that end in a multiplier and a bias. */
import { describe, expect, test } from 'vitest';
import { foldForInference, initialValues, Network, sequential } from '../../src/graph/index.ts';
import { affine as affineLayer, batchNormalization, quantDense } from '../../src/layers/index.ts';
import { uniform01 } from '../../src/numerics/random.ts';
import { expectClose, useGpu } from '../helpers/gpu.ts';
import { trainedValues } from '../helpers/trained.ts';

const both = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;

describe('a product and what scales its sums', () => {
  const gpu = useGpu();

  test('with reals, normalisations that are read become multiplier and bias: the same up to rounding', async () => {
    const source = sequential(
      [
        quantDense({ name: 'a', units: 40, ...both }),
        batchNormalization({ name: 'na' }),
        quantDense({ name: 'b', units: 10, ...both }),
        batchNormalization({ name: 'nb', scale: false }),
      ],
      { input: [70] },
    );
    const values = trainedValues(source, 6);
    expect(foldForInference(source, values, { fuse: false }).fused).toEqual([]);
    const result = foldForInference(source, values, { reals: true });
    expect(result.fused).toEqual([
      { name: 'a', took: ['na'] },
      { name: 'b', took: ['nb'] },
    ]);
    expect(result.kept).toEqual([]);
    expect(result.model.layers.map(({ layer }) => layer.kind)).toEqual(['binaryDense', 'binaryDense']);
    const samples = Float32Array.from({ length: 32 * 70 }, (_, i) => uniform01(4, 9, i) - 0.5);
    using network = await Network.create(gpu(), source, { values });
    using compiled = await Network.create(gpu(), result.model, { values: result.values });
    expectClose(await compiled.predict(samples), await network.predict(samples), 1e-5);
  });

  test('an affine whose scales are powers of two is taken in exactly, and no other', () => {
    const source = sequential(
      [quantDense({ name: 'a', units: 2, ...both }), affineLayer({ name: 'scores' })],
      { input: [40] },
    );
    const values = new Map([...initialValues(source, 1), ['scores/scale', new Float32Array([0.5, -4])]]);
    expect(foldForInference(source, values).fused).toEqual([{ name: 'a', took: ['scores'] }]);
    values.set('scores/scale', new Float32Array([0.5, 0.3]));
    expect(foldForInference(source, values).fused).toEqual([]);
  });
});
