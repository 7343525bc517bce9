/** Every layer in WebAssembly against the GPU, and with parameters of every kind. */
import { describe, expect, test, vi } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { kindsOfLayers } from '../src/cpu/layers/index.ts';
import { DisposedError, FormatError, OptionError, OutOfMemoryError, ShapeError } from '../src/errors.ts';
import { sizeOf } from '../src/gpu/index.ts';
import {
  apply,
  foldForInference,
  initialValues,
  input,
  type Model,
  model,
  Network,
  type ParameterValue,
  sequential,
} from '../src/graph/index.ts';
import * as layers from '../src/layers/index.ts';
import { LAYER_KINDS, type Layer } from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { cnn, mlp } from '../src/zoo/index.ts';
import { expectClose, expectSame, useGpu } from './helpers/gpu.ts';
import { EXAMPLES, IN_PARTS } from './helpers/layer-examples.ts';

const gpu = useGpu();

/** A model of one layer, with an input for each of its own. */
function alone(layer: Layer, shapes: readonly (readonly number[])[]): Model {
  const inputs = shapes.map((shape, i) => [`x${i}`, input(shape)] as const);
  return model({
    input: new Map(inputs),
    output: new Map([['y', apply(layer, ...inputs.map(([, node]) => node))]]),
  });
}

/** Values of parameters as a trained network may have them; variances and quantizers' scales are positive. */
function trainedValues({ layers: entries }: Model, seed: number): Map<string, ParameterValue> {
  return new Map(
    entries.flatMap(({ name, parameters }, index) =>
      parameters.map((spec) => {
        const draw = (i: number) => uniform01(seed + 31 * index, spec.name.length, i);
        const make =
          /Variance|scale|Scale/.test(spec.name) && !/Offset/.test(spec.name)
            ? (i: number) => 0.25 + draw(i)
            : spec.name === 'direction'
              ? (i: number) => (i % 3) - 1
              : (i: number) => 2 * draw(i) - 1;
        return [`${name}/${spec.name}`, Float32Array.from({ length: sizeOf(spec.shape) }, (_, i) => make(i))];
      }),
    ),
  );
}

const reals = (count: number, seed: number, spread = 3) =>
  Float32Array.from({ length: count }, (_, i) => spread * (2 * uniform01(seed, 4, i) - 1));

/** Both engines on the same samples. */
async function both(
  built: Model,
  values: ReadonlyMap<string, ParameterValue>,
  samples: Record<string, Float32Array>,
) {
  const onGpu = await Network.create(gpu(), built, { values, forInference: true });
  const onCpu = await CpuNetwork.create(built, values, { threads: 1 });
  const [expected, actual] = [await onGpu.predict(samples), await onCpu.predict(samples)];
  onGpu.dispose();
  onCpu.dispose();
  return { expected, actual };
}

test('every layer of the library runs in WebAssembly', async () => {
  const whole = LAYER_KINDS.filter((kind) => !IN_PARTS.includes(kind));
  expect(await kindsOfLayers()).toEqual(expect.arrayContaining(whole));
});

describe('every layer gives what it gives on the GPU', () => {
  test.each([...LAYER_KINDS])('%s', async (kind) => {
    const [layer, ...shapes] = EXAMPLES[kind];
    const built = alone(layer, shapes);
    const samples = Object.fromEntries(shapes.map((shape, i) => [`x${i}`, reals(5 * sizeOf(shape), 7 + i)]));
    // Scales of weights follow from latent ones, which only the GPU derives.
    using network = await Network.create(gpu(), built, { values: trainedValues(built, 5) });
    const { expected, actual } = await both(built, await network.packedValues(), samples);
    const { y = new Float32Array() } = expected;
    expect(y.length).toBeGreaterThan(0);
    if (['sign', 'signs'].includes(layer.traits?.output ?? '') || /threshold|Threshold|quantize/.test(kind)) {
      expectSame(actual.y ?? [], y, kind);
    } else expectClose(actual.y ?? [], y, 1e-5, kind);
  });
});

describe('products', () => {
  const cases: Readonly<Record<string, readonly [Layer, readonly number[]]>> = {
    'real input, binary weights': [
      layers.quantConv2d({
        filters: 13,
        kernelSize: 3,
        kernelQuantizer: 'steSign',
        padding: 'same',
        useBias: true,
      }),
      [6, 5, 3],
    ],
    'real input, binary weights in groups': [
      layers.quantConv2d({
        filters: 12,
        kernelSize: [2, 3],
        groups: 3,
        kernelQuantizer: 'steSign',
        padValue: -1,
        padding: 'same',
      }),
      [6, 5, 9],
    ],
    'signs, real weights': [
      layers.quantConv2d({
        filters: 9,
        kernelSize: 3,
        inputQuantizer: 'steSign',
        padding: 'same',
        strides: 2,
      }),
      [7, 5, 33],
    ],
    'single pixels': [layers.conv2d({ filters: 17, kernelSize: 1, useBias: true }), [5, 3, 6]],
    'real depthwise': [
      layers.quantDepthwiseConv2d({ kernelSize: 3, padding: 'same', strides: 2, useBias: true }),
      [7, 6, 37],
    ],
    'binary depthwise of reals': [
      layers.quantDepthwiseConv2d({ kernelSize: [3, 2], depthwiseQuantizer: 'steSign', dilations: 2 }),
      [7, 6, 5],
    ],
    'scales of filters': [
      layers.quantConv2d({
        filters: 6,
        kernelSize: 3,
        inputQuantizer: 'steSign',
        kernelQuantizer: 'magnitudeAwareSign',
        useBias: true,
      }),
      [5, 5, 40],
    ],
    'scales and offsets of filters': [
      layers.quantConv2d({
        filters: 6,
        kernelSize: 3,
        groups: 2,
        inputQuantizer: 'steSign',
        kernelQuantizer: 'adaBin',
        padding: 'same',
        useBias: true,
      }),
      [5, 5, 8],
    ],
    'scales and offsets, fully connected': [
      layers.quantDense({ units: 7, inputQuantizer: 'steSign', kernelQuantizer: 'adaBin' }),
      [50],
    ],
    'scales of groups': [
      layers.quantConv2d({
        filters: 6,
        kernelSize: 3,
        groups: 2,
        inputQuantizer: 'steSign',
        kernelQuantizer: 'magnitudeAwareSign',
        groupScale: 12,
        padding: 'same',
        useBias: true,
      }),
      [5, 6, 8],
    ],
    'scales of groups, fully connected': [
      layers.quantDense({ units: 7, kernelQuantizer: 'magnitudeAwareSign', groupScale: 32 }),
      [96],
    ],
    'rotated weights': [
      layers.quantConv2d({ filters: 5, kernelSize: 3, kernelRotation: { seed: 9 } }),
      [5, 6, 3],
    ],
    'real fully connected': [layers.dense({ units: 19, useBias: true }), [37]],
    'separable of signs': [
      layers.quantSeparableConv2d({
        filters: 7,
        kernelSize: 3,
        inputQuantizer: 'steSign',
        depthwiseQuantizer: 'steSign',
        pointwiseQuantizer: 'steSign',
        padding: 'same',
      }),
      [6, 5, 35],
    ],
  };

  test.each(Object.entries(cases))('%s', async (_, [layer, shape]) => {
    const built = alone(layer, [shape]);
    const latents = trainedValues(built, 8);
    // What is derived of rows comes from a network that has latent weights.
    const network = await Network.create(gpu(), built, { values: latents });
    const values = await network.packedValues();
    network.dispose();
    const { expected, actual } = await both(built, values, { x0: reals(6 * sizeOf(shape), 3) });
    expectClose(actual.y ?? [], expected.y ?? [], 1e-5);
  });

  test.each(['uint8', 'int8'] as const)('%s by binary weights, exactly', async (inputIntegers) => {
    const low = inputIntegers === 'uint8' ? 0 : -128;
    for (const [channels, kernelSize, padding] of [
      [3, 3, 'same'],
      [1, 5, 'valid'],
      [40, [2, 3], 'same'],
      [7, 1, 'valid'],
    ] as const) {
      const options = { filters: 37, kernelSize, padding, inputIntegers, strides: 1 };
      const plain = alone(layers.quantConv2d({ ...options, kernelQuantizer: 'steSign' }), [[6, 7, channels]]);
      const signs = alone(layers.binaryConv2d({ ...options, output: 'signs' }), [[6, 7, channels]]);
      const x0 = Float32Array.from(
        { length: 3 * 42 * channels },
        (_, i) => low + Math.floor(256 * uniform01(2, 3, i)),
      );
      for (const built of [plain, signs]) {
        const { expected, actual } = await both(built, trainedValues(built, 4), { x0 });
        expectSame(actual.y ?? [], expected.y ?? [], `${channels} channels, ${padding}`);
      }
    }
  });

  test.each([true, false])('depthwise of signs, exactly, folded: %s', async (isFolded) => {
    for (const depthMultiplier of [1, 2]) {
      for (const padValue of [0, 1, -1] as const) {
        const built = sequential(
          [
            layers.quantDepthwiseConv2d({
              ...{ name: 'product', kernelSize: 3, depthMultiplier, padding: 'same', padValue },
              ...{ inputQuantizer: 'steSign', depthwiseQuantizer: 'steSign' },
            }),
            layers.batchNormalization({ name: 'norm' }),
            layers.sign(),
          ],
          { input: [6, 5, 135] },
        );
        const values = trainedValues(built, 6);
        const { model: folded, values: own } = isFolded
          ? foldForInference(built, values)
          : { model: built, values };
        const { expected, actual } = await both(folded, own, { input: reals(2 * 30 * 135, 5) });
        expectSame(
          Object.values(actual)[0] ?? [],
          Object.values(expected)[0] ?? [],
          `${depthMultiplier} ${padValue}`,
        );
      }
    }
  });
});

describe('networks', () => {
  test.each([
    ['mlp', mlp({ input: [28, 28, 1], classes: 10, units: 96 })],
    ['cnn', cnn({ input: [28, 28, 1], classes: 10 })],
  ])('%s as it is, folded, and with reals taken in', async (_, built) => {
    const values = initialValues(built, 3);
    const samples = { input: reals(20 * sizeOf(built.inputShape), 2, 1) };
    for (const options of [undefined, {}, { reals: true }]) {
      const whole =
        options === undefined ? { model: built, values } : foldForInference(built, values, options);
      const { expected, actual } = await both(whole.model, whole.values, samples);
      expectClose(Object.values(actual)[0] ?? [], Object.values(expected)[0] ?? [], 1e-5);
    }
  });

  test('samples in any number come out in their order', async () => {
    const built = cnn({ input: [28, 28, 1], classes: 10 });
    const values = initialValues(built, 3);
    const network = await CpuNetwork.create(built, values);
    const size = sizeOf(built.inputShape);
    const samples = reals(37 * size, 2, 1);
    const all = await network.predict(samples);
    const width = all.length / 37;
    for (const [first, count] of [
      [0, 1],
      [3, 2],
      [20, 17],
      [36, 1],
    ] as const) {
      const part = await network.predict(samples.subarray(first * size, (first + count) * size));
      expectSame(part, all.subarray(first * width, (first + count) * width));
    }
    const together = await Promise.all(
      [0, 1, 2].map((i) => network.predict(samples.subarray(i * size, (i + 1) * size))),
    );
    together.forEach((one, i) => {
      expectSame(one, all.subarray(i * width, (i + 1) * width));
    });
    network.dispose();
  });
});

describe('bad input', () => {
  const built = sequential([layers.quantDense({ units: 3, kernelQuantizer: 'steSign' })], { input: [4] });
  const values = initialValues(built, 1);

  test('samples that are not whole, missing values, unknown options', async () => {
    const network = await CpuNetwork.create(built, values);
    await expect(network.predict(new Float32Array(5))).rejects.toThrow(ShapeError);
    await expect(network.predict(new Uint8Array(4) as never)).rejects.toThrow(ShapeError);
    network.dispose();
    await expect(CpuNetwork.create(built, new Map())).rejects.toThrow(FormatError);
    await expect(CpuNetwork.create(built, values, { threads: 0 })).rejects.toThrow(OptionError);
    await expect(CpuNetwork.create(built, values, { thread: 2 } as never)).rejects.toThrow(/threads/);
  });

  test('no vectors, and a page that forbids WebAssembly, are said', async () => {
    const { kernelModule } = await import('../src/cpu/machine.ts');
    const fresh = async () => {
      vi.resetModules();
      return (await import('../src/cpu/machine.ts')).kernelModule(false);
    };
    const validate = vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    await expect(fresh()).rejects.toThrow(/vectors of 128 bits[\s\S]*Chrome 91, Firefox 113, Safari 16\.4/);
    validate.mockRestore();
    const compile = vi.spyOn(WebAssembly, 'compile').mockRejectedValue(new Error('CSP'));
    await expect(fresh()).rejects.toThrow(/wasm-unsafe-eval/);
    compile.mockRestore();
    expect(await kernelModule(false)).toBeInstanceOf(WebAssembly.Module);
  });

  test('memory that is not there', async () => {
    const refuse = vi.spyOn(WebAssembly, 'Memory').mockImplementation(() => {
      throw new RangeError('out of memory');
    });
    await expect(CpuNetwork.create(built, values)).rejects.toThrow(OutOfMemoryError);
    refuse.mockRestore();
  });

  test("a layer of one's own", async () => {
    const own: Layer = { ...layers.relu({ name: 'mine' }), kind: 'mine' };
    const guest = sequential([own], { input: [4] });
    await expect(CpuNetwork.create(guest, new Map())).rejects.toThrow(/does not run this layer[\s\S]*mine/);
  });

  test('a network that was disposed', async () => {
    const network = await CpuNetwork.create(built, values);
    expect(network.disposed).toBe(false);
    network.dispose();
    expect(network.disposed).toBe(true);
    await expect(network.predict(new Float32Array(4))).rejects.toThrow(DisposedError);
    expect(() => network.dispose()).toThrow(DisposedError);
  });
});
