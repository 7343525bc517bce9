/** Larq's layers in TensorFlow.js: what its WebGPU backend gives, in this library's kernels, against its cpu backend. */
import * as tf from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import {
  ApproxSign,
  loadEngine,
  type QuantConvArgs,
  quantConv1d,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  quantSeparableConv2d,
  SteSign,
  SwishSign,
} from '../src/interop/tfjs/index.ts';
import { expectClose, expectSame } from './helpers/gpu.ts';
import { type BackendName, on, useTensorFlow, values } from './helpers/tfjs.ts';

type Layer = InstanceType<typeof layers.Layer>;

interface Case {
  readonly name: string;
  readonly make: () => Layer;
  readonly input: readonly number[];
  /** Whether outputs are sums of products of ±1, and so exact. */
  readonly exact: boolean;
  /** Whether a product of it takes something that isn't signs. */
  readonly reals?: true;
}

const binary = { inputQuantizer: 'ste_sign', kernelQuantizer: 'ste_sign' } as const;
const conv = (more: Partial<QuantConvArgs>): QuantConvArgs => ({
  filters: 8,
  kernelSize: 3,
  useBias: false,
  ...binary,
  ...more,
});

const CASES: readonly Case[] = [
  {
    name: 'dense 3x70 to 12',
    make: () => quantDense({ units: 12, useBias: false, ...binary }),
    input: [3, 70],
    exact: true,
  },
  {
    name: 'dense 5x33 to 3',
    make: () => quantDense({ units: 3, useBias: false, ...binary }),
    input: [5, 33],
    exact: true,
  },
  {
    name: 'dense of three axes with a bias and relu',
    make: () => quantDense({ units: 4, activation: 'relu', biasInitializer: 'ones', ...binary }),
    input: [2, 3, 40],
    exact: true,
  },
  {
    name: 'dense of reals',
    make: () => quantDense({ units: 8, useBias: false, kernelQuantizer: 'ste_sign' }),
    input: [4, 20],
    exact: false,
    reals: true,
  },
  {
    name: 'dense, approx_sign and swish_sign',
    make: () =>
      quantDense({
        units: 8,
        useBias: false,
        inputQuantizer: new ApproxSign(),
        kernelQuantizer: new SwishSign({ beta: 4 }),
      }),
    input: [4, 36],
    exact: true,
  },
  {
    name: 'dense, gradients that are not clipped',
    make: () =>
      quantDense({
        units: 8,
        useBias: false,
        inputQuantizer: new SteSign({ clipValue: null }),
        kernelQuantizer: new SteSign({ clipValue: 0.5 }),
      }),
    input: [4, 36],
    exact: true,
  },
  {
    name: 'dense, magnitude_aware_sign',
    make: () =>
      quantDense({
        units: 6,
        useBias: false,
        inputQuantizer: 'ste_sign',
        kernelQuantizer: 'magnitude_aware_sign',
      }),
    input: [4, 36],
    exact: false,
  },
  {
    name: 'dense, magnitude_aware_sign on the input',
    make: () =>
      quantDense({
        units: 6,
        useBias: false,
        inputQuantizer: 'magnitude_aware_sign',
        kernelQuantizer: 'ste_sign',
      }),
    input: [4, 36],
    exact: false,
    reals: true,
  },
  {
    name: 'dense, ste_tern and ste_heaviside',
    make: () =>
      quantDense({ units: 6, useBias: false, inputQuantizer: 'ste_heaviside', kernelQuantizer: 'ste_tern' }),
    input: [4, 36],
    exact: true,
    reals: true,
  },
  {
    name: 'dense, dorefa_quantizer',
    make: () =>
      quantDense({
        units: 6,
        useBias: false,
        inputQuantizer: 'dorefa_quantizer',
        kernelQuantizer: 'ste_sign',
      }),
    input: [4, 36],
    exact: false,
    reals: true,
  },
  { name: 'conv 3x3 valid', make: () => quantConv2d(conv({})), input: [2, 6, 5, 32], exact: true },
  {
    name: 'conv 3x3 same with zeros',
    make: () => quantConv2d(conv({ padding: 'same' })),
    input: [2, 5, 5, 36],
    exact: true,
  },
  {
    name: 'conv 3x3 same with ones',
    make: () => quantConv2d(conv({ padding: 'same', padValues: 1 })),
    input: [2, 5, 5, 36],
    exact: true,
  },
  {
    name: 'conv 3x3 same with minus ones, stride 2',
    make: () => quantConv2d(conv({ padding: 'same', padValues: -1, strides: 2 })),
    input: [2, 6, 7, 5],
    exact: true,
  },
  {
    name: 'conv 2x3 same with halves',
    make: () => quantConv2d(conv({ kernelSize: [2, 3], padding: 'same', padValues: 0.5 })),
    input: [1, 5, 5, 4],
    exact: true,
    reals: true,
  },
  {
    name: 'conv 3x3 same, dilation 2',
    make: () => quantConv2d(conv({ padding: 'same', padValues: 1, dilationRate: 2 })),
    input: [1, 7, 7, 4],
    exact: true,
  },
  {
    name: 'conv 3x3 in 2 groups',
    make: () => quantConv2d(conv({ groups: 2 })),
    input: [2, 5, 5, 8],
    exact: true,
  },
  {
    name: 'conv 3x3 channels first',
    make: () => quantConv2d(conv({ dataFormat: 'channelsFirst', padding: 'same' })),
    input: [1, 6, 5, 4],
    exact: true,
  },
  {
    name: 'conv 3x3 of reals, same',
    make: () =>
      quantConv2d({
        filters: 8,
        kernelSize: 3,
        padding: 'same',
        useBias: false,
        kernelQuantizer: 'ste_sign',
      }),
    input: [2, 6, 6, 3],
    exact: false,
    reals: true,
  },
  {
    name: 'conv 3x3, magnitude_aware_sign',
    make: () => quantConv2d(conv({ kernelQuantizer: 'magnitude_aware_sign' })),
    input: [2, 5, 5, 8],
    exact: false,
  },
  {
    name: 'conv 1d same with ones',
    make: () => quantConv1d(conv({ padding: 'same', padValues: 1 })),
    input: [2, 9, 33],
    exact: true,
  },
  {
    name: 'conv 1d causal, dilation 2',
    make: () => quantConv1d(conv({ padding: 'causal', dilationRate: 2 })),
    input: [2, 9, 6],
    exact: true,
  },
  {
    name: 'depthwise 3x3 same with ones',
    make: () =>
      quantDepthwiseConv2d({
        kernelSize: 3,
        padding: 'same',
        padValues: 1,
        useBias: false,
        inputQuantizer: 'ste_sign',
        depthwiseQuantizer: 'ste_sign',
      }),
    input: [2, 5, 5, 6],
    exact: true,
  },
  {
    name: 'depthwise 3x3, multiplier 2, stride 2',
    make: () =>
      quantDepthwiseConv2d({
        kernelSize: 3,
        depthMultiplier: 2,
        strides: 2,
        inputQuantizer: 'ste_sign',
        depthwiseQuantizer: 'ste_sign',
      }),
    input: [2, 6, 6, 5],
    exact: true,
  },
  {
    name: 'depthwise 3x3, dilation 2, magnitude_aware_sign',
    make: () =>
      quantDepthwiseConv2d({
        kernelSize: 3,
        depthMultiplier: 2,
        dilationRate: 2,
        inputQuantizer: 'ste_sign',
        depthwiseQuantizer: 'magnitude_aware_sign',
      }),
    input: [1, 7, 7, 3],
    exact: false,
    reals: true,
  },
  {
    name: 'separable 3x3 same',
    make: () =>
      quantSeparableConv2d({
        filters: 7,
        kernelSize: 3,
        padding: 'same',
        inputQuantizer: 'ste_sign',
        depthwiseQuantizer: 'ste_sign',
        pointwiseQuantizer: 'ste_sign',
      }),
    input: [2, 5, 5, 6],
    exact: true,
    reals: true,
  },
];

/**
 * Output, and the gradients with respect to the input and every weight, of a loss that weighs all outputs.
 * @param ours whether products run in this library's kernels; else they are TensorFlow.js' own operations
 */
async function measure(backend: BackendName, { make, input }: Case, ours: boolean) {
  return on(backend, async () => {
    tf.env().set('WEBGPU_BNN_KERNELS', ours);
    const before = tf.memory().numTensors;
    const layer = make();
    layer.build([...input]);
    const weights = layer.weights.map((weight, i) => {
      const { size, shape } = weight.read();
      const value = tf.tensor(values(size, 100 + i, 0.8), shape);
      weight.write(value);
      value.dispose();
      return weight.read() as tf.Variable;
    });
    const x = tf.tidy(() =>
      tf.variable(tf.tensor(values(tf.util.sizeFromShape([...input]), 7, 1.5), [...input])),
    );
    let y = x as tf.Tensor;
    const { kernelNames } = await tf.profile(() => {
      y = layer.apply(x) as tf.Tensor;
      return y;
    });
    const factors = tf.tensor(values(y.size, 11), y.shape);
    const { grads, value } = tf.variableGrads(
      () => tf.sum(tf.mul(layer.apply(x) as tf.Tensor, factors)) as tf.Scalar,
      [x, ...weights],
    );
    const read = (tensor: tf.Tensor) => tensor.data() as Promise<Float32Array>;
    const result = {
      shape: y.shape,
      computed: layer.computeOutputShape([...input]),
      y: await read(y),
      kernelNames,
      dx: await read(grads[x.name] as tf.Tensor),
      dw: await Promise.all(weights.map((weight) => read(grads[weight.name] as tf.Tensor))),
    };
    tf.dispose([x, y, factors, value, grads]);
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(before);
    return result;
  });
}

useTensorFlow();

describe('layers on WebGPU against plain operations on the cpu', () => {
  for (const entry of CASES) {
    test(entry.name, async () => {
      const expected = await measure('cpu', entry, false);
      const actual = await measure('webgpu', entry, true);
      expect(actual.shape).toEqual(expected.shape);
      expect(actual.shape).toEqual(actual.computed);
      if (entry.exact) expectSame(actual.y, expected.y, 'output');
      else expectClose(actual.y, expected.y, 1e-4, 'output');
      expectClose(actual.dx, expected.dx, 1e-4, 'gradient of the input');
      for (const [i, dw] of expected.dw.entries()) {
        expectClose(actual.dw[i] ?? [], dw, 1e-4, `gradient of weight ${i}`);
      }
    });
  }
});

describe("layers on TensorFlow.js' cpu backend in the WebAssembly engine against its own operations", () => {
  const PRODUCTS = ['BatchMatMul', 'Conv2D'];
  for (const entry of CASES) {
    test(entry.name, async () => {
      expect(await loadEngine()).toBe(true);
      const expected = await measure('cpu', entry, false);
      const actual = await measure('cpu', entry, true);
      expect(actual.shape).toEqual(expected.shape);
      // To the bit, scaled ones too: what is added is signs, and what isn't signs stays with TensorFlow.js.
      expectSame(actual.y, expected.y, 'output');
      expectSame(actual.dx, expected.dx, 'gradient of the input');
      for (const [i, dw] of expected.dw.entries()) {
        expectSame(actual.dw[i] ?? [], dw, `gradient of weight ${i}`);
      }
      const multiplies = (names: readonly string[]) => names.filter((name) => PRODUCTS.includes(name)).length;
      expect(multiplies(expected.kernelNames)).toBeGreaterThan(0);
      expect(multiplies(actual.kernelNames) > 0).toBe(entry.reals === true);
    });
  }

  test('weights that are assigned are others, and nothing stays', async () => {
    await on('cpu', async () => {
      tf.env().set('WEBGPU_BNN_KERNELS', true);
      await loadEngine();
      const layer = quantDense({ units: 3, useBias: false, ...binary });
      layer.build([null, 40]);
      const x = tf.tensor(values(80, 1), [2, 40]);
      const kernel = tf.tensor(values(120, 2), [40, 3]);
      const outputs = [kernel, tf.neg(kernel), kernel].map((value) => {
        layer.setWeights([value]);
        return (layer.apply(x) as tf.Tensor).dataSync();
      });
      expectSame(outputs[2] ?? [], outputs[0] ?? [], 'the same weights again');
      expect([...(outputs[1] ?? [])]).not.toEqual([...(outputs[0] ?? [])]);
      const { numTensors } = tf.memory();
      for (let call = 0; call < 20; call++) (layer.apply(x) as tf.Tensor).dispose();
      expect(tf.memory().numTensors).toBe(numTensors);
    });
  });
});

/** A layer of Larq and that of Keras which it is where inputs and weights are signs already. */
interface Twins {
  readonly name: string;
  readonly quantized: () => Layer;
  readonly plain: () => Layer;
  readonly input: readonly number[];
}
const separable = {
  filters: 3,
  kernelSize: 3,
  inputQuantizer: 'ste_sign',
  depthwiseQuantizer: 'ste_sign',
  pointwiseQuantizer: 'ste_sign',
} as const;
const TWINS: readonly Twins[] = [
  {
    name: 'QuantDense',
    quantized: () => quantDense({ units: 3, ...binary }),
    plain: () => layers.dense({ units: 3 }),
    input: [3, 2],
  },
  {
    name: 'QuantConv1D',
    quantized: () => quantConv1d({ filters: 2, kernelSize: 3, ...binary }),
    plain: () => layers.conv1d({ filters: 2, kernelSize: 3 }),
    input: [2, 3, 7],
  },
  {
    name: 'QuantConv2D',
    quantized: () => quantConv2d({ filters: 2, kernelSize: 3, ...binary }),
    plain: () => layers.conv2d({ filters: 2, kernelSize: 3 }),
    input: [2, 3, 7, 6],
  },
  {
    name: 'QuantDepthwiseConv2D',
    quantized: () =>
      quantDepthwiseConv2d({ kernelSize: 3, inputQuantizer: 'ste_sign', depthwiseQuantizer: 'ste_sign' }),
    plain: () => layers.depthwiseConv2d({ kernelSize: 3 }),
    input: [2, 3, 7, 6],
  },
  {
    name: 'QuantSeparableConv2D',
    quantized: () => quantSeparableConv2d(separable),
    plain: () => layers.separableConv2d({ filters: 3, kernelSize: 3 }),
    input: [2, 3, 7, 6],
  },
];

const signs = (x: Float32Array) => x.map((value) => (value < 0 ? -1 : 1));

describe("Larq's layers are Keras' layers of signs", () => {
  for (const backend of ['cpu', 'webgpu'] as const) {
    for (const { name, quantized, plain, input } of TWINS) {
      test(`${name} on ${backend}`, async () => {
        await on(backend, async () => {
          const run = (make: () => Layer, of: (x: Float32Array) => Float32Array) =>
            tf.tidy(() => {
              const layer = make();
              layer.build([...input]);
              layer.setWeights(
                layer.getWeights().map(({ shape, size }, i) => {
                  const weights = values(size, 31 + i, 0.7);
                  return tf.tensor(shape.length === 1 ? weights : of(weights), shape);
                }),
              );
              const x = values(tf.util.sizeFromShape([...input]), 9);
              return layer.apply(tf.tensor(of(x), [...input])) as tf.Tensor;
            });
          const [actual, expected] = [run(quantized, (x) => x), run(plain, signs)];
          expectClose(await actual.data(), await expected.data(), 1e-6);
          tf.dispose([actual, expected]);
          tf.disposeVariables();
        });
      });
    }

    for (const padValues of [1, -1]) {
      test(`padValues ${padValues} is what Keras' layers take for padding, on ${backend}`, async () => {
        await on(backend, async () => {
          const [actual, expected] = tf.tidy(() => {
            const input = values(2 * 5 * 6 * 4, 3);
            const options = { filters: 3, kernelSize: [3, 4], strides: 2, useBias: false } as {
              filters: number;
              kernelSize: [number, number];
              strides: number;
              useBias: boolean;
            };
            const layer = quantConv2d({ ...options, padding: 'same', padValues, ...binary });
            const plain = layers.conv2d(options);
            for (const each of [layer, plain]) each.build([2, 5, 6, 4]);
            const kernel = values(3 * 4 * 4 * 3, 5);
            layer.setWeights([tf.tensor(kernel, [3, 4, 4, 3])]);
            plain.setWeights([tf.tensor(signs(kernel), [3, 4, 4, 3])]);
            // 5 rows, 3 outputs: 2 rows to add, one at either end; 6 columns, 3 outputs: 2 to add.
            const padded = tf.pad(
              tf.tensor(signs(input), [2, 5, 6, 4]),
              [
                [0, 0],
                [1, 1],
                [1, 1],
                [0, 0],
              ],
              padValues,
            );
            return [
              layer.apply(tf.tensor(input, [2, 5, 6, 4])) as tf.Tensor,
              plain.apply(padded) as tf.Tensor,
            ];
          });
          expect(actual.shape).toEqual([2, 3, 3, 3]);
          expectSame(await actual.data(), await expected.data());
          tf.dispose([actual, expected]);
          tf.disposeVariables();
        });
      });
    }
  }
});
