/** Networks that are only run: binary weights as packed bits, one bit each, and the same scores. */
import { describe, expect, test } from 'vitest';
import { FormatError, ShapeError } from '../src/errors.ts';
import { Gpu } from '../src/gpu/index.ts';
import {
  initialValues,
  isPacked,
  Network,
  type ParameterValue,
  packedValue,
  sequential,
  summarize,
} from '../src/graph/index.ts';
import {
  batchNormalization,
  flatten,
  type ParameterSpec,
  quantConv2d,
  quantDense,
} from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { expectSame, useGpu } from './helpers/gpu.ts';

const BINARY = { kernelQuantizer: 'steSign', inputQuantizer: 'steSign' } as const;
/** Channels that fill no word, so that rows have tails. */
const small = () =>
  sequential(
    [
      quantConv2d({ name: 'conv', filters: 37, kernelSize: 3, kernelQuantizer: 'steSign' }),
      batchNormalization({ name: 'norm' }),
      quantConv2d({ name: 'deep', filters: 5, kernelSize: 3, padding: 'same', ...BINARY }),
      flatten({ name: 'flat' }),
      quantDense({ name: 'dense', units: 7, useBias: true, ...BINARY }),
    ],
    { input: [6, 5, 3], name: 'small' },
  );
const samples = Float32Array.from({ length: 4 * 90 }, (_, i) => 2 * uniform01(3, 1, i) - 1);

/** Binary parameters packed, the others as they are. */
function packAll(values: ReadonlyMap<string, Float32Array<ArrayBuffer>>): Map<string, ParameterValue> {
  const specs = new Map<string, ParameterSpec>(
    small().layers.flatMap(({ name, parameters }) =>
      parameters.map((spec) => [`${name}/${spec.name}`, spec] as const),
    ),
  );
  return new Map(
    [...values].map(([name, value]) => {
      const spec = specs.get(name);
      return [name, spec?.role === 'binary' ? packedValue(value, spec.shape, name) : value];
    }),
  );
}

describe('a network for inference', () => {
  const gpu = useGpu();
  const latent = initialValues(small(), 5);

  test('holds packed bits and no latent weights: the bytes that the summary says', async () => {
    const before = gpu().memory.bytes;
    using network = await Network.create(gpu(), small(), { values: latent, forInference: true });
    const sizes = [...network.parameters.values()].map(({ value, packed }) => (packed ?? value).byteLength);
    expect(sizes.reduce((sum, bytes) => sum + bytes, 0)).toBe(summarize(small()).total.bytes);
    const allocated = sizes.reduce((sum, bytes) => sum + Gpu.allocatedBytes(bytes), 0);
    expect(network.parameterBytes).toBe(allocated);
    expect(gpu().memory.bytes - before).toBe(allocated);
    using trained = await Network.create(gpu(), small(), { values: latent });
    const latents = trained.binaryParameters.map(({ value }) => Gpu.allocatedBytes(value.byteLength));
    expect(trained.parameterBytes - allocated).toBe(latents.reduce((sum, bytes) => sum + bytes, 0));
  });

  test('gives the same scores, from latent weights and from packed ones', async () => {
    using trained = await Network.create(gpu(), small(), { values: latent });
    const expected = await trained.predict(samples);
    for (const values of [latent, packAll(latent)]) {
      using network = await Network.create(gpu(), small(), { values, forInference: true });
      expectSame(await network.predict(samples), expected);
    }
    using fromSigns = await Network.create(gpu(), small(), { values: packAll(latent) });
    expectSame(await fromSigns.predict(samples), expected);
  });

  test('gives its parameters back, packed or as ±1', async () => {
    using trained = await Network.create(gpu(), small(), { values: latent });
    using network = await Network.create(gpu(), small(), { values: packAll(latent), forInference: true });
    const [fromTrained, packed] = [await trained.packedValues(), await network.packedValues()];
    expect([...packed.keys()]).toEqual([...latent.keys()]);
    for (const [name, value] of packAll(latent)) {
      const bits = (given: ParameterValue | undefined) => (given && isPacked(given) ? given.words : given);
      expectSame(bits(packed.get(name)) ?? [], bits(value) ?? [], name);
      expectSame(bits(fromTrained.get(name)) ?? [], bits(value) ?? [], name);
    }
    const signs = (await network.values()).get('deep/kernel') ?? new Float32Array();
    expectSame(
      signs,
      (latent.get('deep/kernel') ?? new Float32Array()).map((weight) => (weight < 0 ? -1 : 1)),
    );
    expect(await network.hash()).toMatch(/^[0-9a-f]{64}$/);
  });

  test('drawn from a seed it has the signs of the network that is trained from it', async () => {
    using trained = await Network.create(gpu(), small(), { seed: 9 });
    using network = await Network.create(gpu(), small(), { seed: 9, forInference: true });
    expectSame(await network.predict(samples), await trained.predict(samples));
  });

  const kernel = packedValue(latent.get('deep/kernel') ?? new Float32Array(), [5, 3, 3, 37], 'deep/kernel');
  const dirty = kernel.words.slice();
  dirty[1] = (dirty[1] ?? 0) | (2 ** 31);
  test.each<[string, string, ParameterValue, RegExp]>([
    ['another shape', 'deep/kernel', { ...kernel, shape: [5, 9, 37] }, /another size/],
    ['too few words', 'deep/kernel', { ...kernel, words: kernel.words.subarray(2) }, /another size/],
    ['bits after the end of a row', 'deep/kernel', { ...kernel, words: dirty }, /row 0[\s\S]*37 signs/],
    ['signs for a real parameter', 'dense/bias', { words: new Uint32Array(1), shape: [7] }, /not binary/],
    ['too few reals', 'dense/bias', new Float32Array(6), /6 values/],
  ])('refuses %s', async (_, name, value, message) => {
    const values = new Map([...latent, [name, value] as const]);
    for (const forInference of [true, false]) {
      const created = Network.create(gpu(), small(), { values, forInference });
      await expect(created).rejects.toThrow(ShapeError);
      await expect(created).rejects.toThrow(message);
    }
  });

  test('refuses values of another model', async () => {
    const values = new Map([['other/kernel', new Float32Array(4)]]);
    await expect(Network.create(gpu(), small(), { values, forInference: true })).rejects.toThrow(FormatError);
  });
});
