/** Products that end in thresholds. */
import { expect, test } from 'vitest';
import { apply, fuseLayers, initialValues, input, model, Network } from '../../src/graph/index.ts';
import { maxPool2d, quantConv2d, threshold } from '../../src/layers/index.ts';
import { uniform01 } from '../../src/numerics/random.ts';
import { expectSame, useGpu } from '../helpers/gpu.ts';

const both = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;

const gpu = useGpu();

/** A product, windows and a threshold; with a second reader of the sums, or none. */
function pooledSums(isShared: boolean) {
  const start = input([8, 9, 5]);
  const sums = apply(quantConv2d({ name: 'sums', filters: 33, kernelSize: 3, ...both }), start);
  const bits = apply(threshold({ name: 'bits' }), apply(maxPool2d({ name: 'pool', poolSize: 2 }), sums));
  return model({ input: start, output: isShared ? { bits, sums } : bits });
}

test.each([
  ['of both directions: the windows pool signs by their side', [1, -1, 0], 'signPool2d'],
  ['of one direction: the windows give the largest sign', [1, 0], 'maxPool2d'],
] as const)('thresholds %s', async (_, directions, pool) => {
  const source = pooledSums(false);
  const values = new Map([
    ...initialValues(source, 3),
    ['bits/direction', Float32Array.from({ length: 33 }, (_, c) => directions[c % directions.length] ?? 0)],
    ['bits/threshold', Float32Array.from({ length: 33 }, (_, c) => (c % 5) - 2)],
  ]);
  const result = fuseLayers(source, values);
  expect(result.fused).toEqual([{ name: 'sums', took: ['pool', 'bits'] }]);
  expect(result.model.layers.map(({ layer }) => layer.kind)).toEqual(['binaryConv2d', pool]);
  const samples = Float32Array.from({ length: 3 * 360 }, (_, i) => uniform01(3, 9, i) - 0.5);
  using network = await Network.create(gpu(), source, { values });
  using compiled = await Network.create(gpu(), result.model, { values: result.values });
  const expected = await network.predict(samples);
  expectSame(await compiled.predict(samples), expected);
  expect(new Set(expected)).toEqual(new Set([-1, 1]));
});

test('sums that somebody else reads stay', () => {
  const source = pooledSums(true);
  expect(fuseLayers(source, initialValues(source, 3)).fused).toEqual([]);
});
