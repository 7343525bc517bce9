/** Layers that are run as others are: alone, in a folded network, in WebAssembly, and as what they are made of. */
import { describe, expect, test } from 'vitest';
import { CpuNetwork } from '../../src/cpu/index.ts';
import { OptionError } from '../../src/errors.ts';
import { sizeOf } from '../../src/gpu/index.ts';
import { foldForInference, inParts, Network, sequential } from '../../src/graph/index.ts';
import {
  affine,
  averagePool1d,
  batchNormalization,
  defineLayer,
  flatten,
  type Layer,
  maxout,
  maxPool1d,
  quantConv1d,
  quantDense,
  rPReLU,
  sign,
} from '../../src/layers/index.ts';
import { uniform01 } from '../../src/numerics/random.ts';
import * as ops from '../../src/ops/index.ts';
import { expectClose, expectSame, useGpu } from '../helpers/gpu.ts';
import { EXAMPLES, IN_PARTS } from '../helpers/layer-examples.ts';
import { trainedValues } from '../helpers/trained.ts';

const gpu = useGpu();
const draw = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => 4 * uniform01(seed, 7, i) - 2);

describe('in parts, a layer gives what it gives as a whole', () => {
  test.each(IN_PARTS)('%s', async (kind) => {
    const [layer, shape = []] = EXAMPLES[kind];
    const source = sequential([layer], { input: shape });
    const values = trainedValues(source, 4);
    const parts = inParts(source, values);
    expect(parts.model.layers.map((own) => own.layer.kind)).not.toContain(kind);
    expect(parts.model.outputShape).toEqual(source.outputShape);
    const samples = draw(3 * sizeOf(shape), 5);
    using whole = await Network.create(gpu(), source, { values });
    using apart = await Network.create(gpu(), parts.model, { values: parts.values });
    expectClose(await apart.predict(samples), await whole.predict(samples), 1e-6, kind);
    expect(inParts(source, values, (own) => own === kind).model).toBe(source);
  });
});

test('a network over time folds to bits from layer to layer, with the same results', async () => {
  const both = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
  const source = sequential(
    [
      quantConv1d({ name: 'first', filters: 40, kernelSize: 5, padding: 'same', kernelQuantizer: 'steSign' }),
      batchNormalization({ name: 'norm1' }),
      quantConv1d({ name: 'second', filters: 33, kernelSize: 3, padding: 'causal', dilations: 2, ...both }),
      maxPool1d({ name: 'pool', poolSize: 2 }),
      batchNormalization({ name: 'norm2' }),
      quantConv1d({ name: 'third', filters: 20, kernelSize: 3, strides: 2, ...both }),
      batchNormalization({ name: 'norm3' }),
      rPReLU({ name: 'bend' }),
      maxout({ name: 'out' }),
      averagePool1d({ name: 'mean', poolSize: 2 }),
      flatten({ name: 'flat' }),
      sign({ name: 'signs' }),
      quantDense({ name: 'scores', units: 4, ...both }),
    ],
    { input: [32, 6] },
  );
  const values = trainedValues(source, 3);
  const folded = foldForInference(source, values);
  expect(folded.folded).toEqual(['norm2']);
  expect(folded.fused).toEqual([{ name: 'second', took: ['pool', 'norm2'] }]);
  const samples = draw(5 * 32 * 6, 2);
  using network = await Network.create(gpu(), source, { values });
  using compiled = await Network.create(gpu(), folded.model, { values: folded.values });
  const expected = await network.predict(samples);
  expectSame(await compiled.predict(samples), expected);
  const cpu = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
  expectSame(await cpu.predict(samples), expected);
  cpu.dispose();
});

test("a guest's layer runs in WebAssembly as its parts, whose values are its own or one number", async () => {
  const doubled = defineLayer({
    kind: 'guest.doubled',
    outputShape: ([shape]) => shape,
    parameters: ([shape]) =>
      affine()
        .parameters([shape])
        .filter(({ name }) => name === 'shift'),
    forward: ({ builder, parameter }, [x]) => ({
      output: ops.addBias(builder, ops.add(builder, x, x), parameter('shift').value),
      backward: () => ({ inputs: [] }),
    }),
    traits: { parts: () => [{ layer: affine(), parameters: { scale: 2 } }] },
  });
  const source = sequential([doubled({ name: 'own' })], { input: [3] });
  const values = new Map([['own/shift', Float32Array.of(1, -1, 0.5)]]);
  using network = await Network.create(gpu(), source, { values });
  const cpu = await CpuNetwork.create(source, values, { threads: 1 });
  for (const engine of [network, cpu]) {
    expectSame(await engine.predict(Float32Array.of(1, 2, 3)), [3, 3, 6.5]);
  }
  cpu.dispose();
});

test('parts that are made of themselves are refused', () => {
  const endless = (): Layer => ({
    ...flatten(),
    kind: 'endless',
    traits: { parts: () => [{ layer: endless() }] },
  });
  const source = sequential([endless()], { input: [3] });
  expect(() => inParts(source, new Map())).toThrow(OptionError);
});
