/** Layers that do nothing when a network is only run. */
import { expect, test } from 'vitest';
import { foldForInference, type Model, Network, sequential } from '../../src/graph/index.ts';
import { batchNormalization, dropout, quantDense } from '../../src/layers/index.ts';
import { uniform01 } from '../../src/numerics/random.ts';
import { expectSame, useGpu } from '../helpers/gpu.ts';
import { trainedValues } from '../helpers/trained.ts';

const gpu = useGpu();
const both = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
const drop = (name: string) => dropout({ name, rate: 0.5 });
const product = (name: string, units: number) => quantDense({ name, units, ...both });

async function expectSameOutputs(source: Model, kinds: readonly string[]): Promise<void> {
  const values = trainedValues(source, 4);
  const result = foldForInference(source, values);
  expect(result.model.layers.map(({ layer }) => layer.kind)).toEqual(kinds);
  const samples = Float32Array.from({ length: 5 * 40 }, (_, i) => uniform01(4, 9, i) - 0.5);
  using network = await Network.create(gpu(), source, { values });
  using compiled = await Network.create(gpu(), result.model, { values: result.values });
  expectSame(await compiled.predict(samples), await network.predict(samples));
}

test('a normalisation folds though dropout stood behind it, and before it', async () => {
  const norm = batchNormalization({ name: 'norm' });
  const layers = [
    drop('in'),
    product('a', 33),
    drop('sums'),
    norm,
    drop('out'),
    product('b', 7),
    drop('end'),
  ];
  await expectSameOutputs(sequential(layers, { input: [40] }), ['binaryDense', 'quantDense']);
});

test('an output comes from a layer, though it is idle', async () => {
  await expectSameOutputs(sequential([drop('only')], { input: [40] }), ['dropout']);
});
