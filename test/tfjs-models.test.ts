/** Whole models in TensorFlow.js: those that Larq serialized, and those made here; and how they share its device. */
import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { DisposedError, GpuValidationError, OptionError } from '../src/errors.ts';
import { Gpu } from '../src/gpu/index.ts';
import { type WebGpuBackend, webgpuBackend } from '../src/interop/tfjs/backend.ts';
import { quantConv2d, quantDense, SteSign } from '../src/interop/tfjs/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { expectClose, expectSame } from './helpers/gpu.ts';
import { type BackendName, on, useTensorFlow, values } from './helpers/tfjs.ts';

useTensorFlow();

const STE_SIGN = {
  class_name: 'SteSign',
  config: { name: 'ste_sign', trainable: true, dtype: 'float32', clip_value: 1.0 },
};
const WEIGHT_CLIP = { class_name: 'weight_clip', config: { clip_value: 1 } };
const GLOROT = { class_name: 'GlorotUniform', config: { seed: null } };
const ZEROS = { class_name: 'Zeros', config: {} };

/** What Keras writes of every convolution. */
const CONVOLUTION = {
  trainable: true,
  dtype: 'float32',
  kernel_size: [3, 3],
  strides: [1, 1],
  padding: 'same',
  data_format: 'channels_last',
  dilation_rate: [1, 1],
  activation: 'linear',
  use_bias: false,
  bias_initializer: ZEROS,
  bias_regularizer: null,
  activity_regularizer: null,
  bias_constraint: null,
};
const KERNEL = { kernel_initializer: GLOROT, kernel_regularizer: null, kernel_constraint: WEIGHT_CLIP };
const batchNormalization = (name: string) => ({
  class_name: 'BatchNormalization',
  config: {
    name,
    trainable: true,
    dtype: 'float32',
    axis: [3],
    momentum: 0.999,
    epsilon: 0.001,
    center: true,
    scale: true,
    beta_initializer: ZEROS,
    gamma_initializer: { class_name: 'Ones', config: {} },
    moving_mean_initializer: ZEROS,
    moving_variance_initializer: { class_name: 'Ones', config: {} },
    beta_regularizer: null,
    gamma_regularizer: null,
    beta_constraint: null,
    gamma_constraint: null,
  },
});

/** A model as `larq` saves it and TensorFlow's converter hands it on: every layer that there is, in Keras' words. */
const LARQ_MODEL = {
  keras_version: '2.12.0',
  backend: 'tensorflow',
  model_config: {
    class_name: 'Sequential',
    config: {
      name: 'sequential',
      layers: [
        {
          class_name: 'InputLayer',
          config: {
            batch_input_shape: [null, 8, 8, 3],
            dtype: 'float32',
            sparse: false,
            ragged: false,
            name: 'image',
          },
        },
        {
          class_name: 'QuantConv2D',
          config: {
            ...CONVOLUTION,
            ...KERNEL,
            name: 'quant_conv2d',
            batch_input_shape: [null, 8, 8, 3],
            filters: 8,
            groups: 1,
            input_quantizer: null,
            kernel_quantizer: STE_SIGN,
            pad_values: 0.0,
          },
        },
        batchNormalization('batch_normalization'),
        {
          class_name: 'QuantDepthwiseConv2D',
          config: {
            ...CONVOLUTION,
            name: 'quant_depthwise_conv2d',
            groups: 1,
            depth_multiplier: 1,
            depthwise_initializer: GLOROT,
            depthwise_regularizer: null,
            depthwise_constraint: WEIGHT_CLIP,
            input_quantizer: STE_SIGN,
            depthwise_quantizer: { class_name: 'SwishSign', config: { name: 'swish_sign', beta: 5.0 } },
            pad_values: 1.0,
          },
        },
        {
          class_name: 'QuantSeparableConv2D',
          config: {
            ...CONVOLUTION,
            name: 'quant_separable_conv2d',
            padding: 'valid',
            filters: 12,
            groups: 1,
            depth_multiplier: 1,
            depthwise_initializer: GLOROT,
            pointwise_initializer: GLOROT,
            depthwise_regularizer: null,
            pointwise_regularizer: null,
            depthwise_constraint: WEIGHT_CLIP,
            pointwise_constraint: WEIGHT_CLIP,
            input_quantizer: STE_SIGN,
            depthwise_quantizer: STE_SIGN,
            pointwise_quantizer: STE_SIGN,
            pad_values: 0.0,
          },
        },
        batchNormalization('batch_normalization_1'),
        {
          // As TensorFlow 2.13 and newer write it.
          class_name: 'QuantConv2D',
          config: {
            ...CONVOLUTION,
            ...KERNEL,
            name: 'quant_conv2d_1',
            filters: 16,
            groups: 1,
            strides: [2, 2],
            input_quantizer: {
              module: 'larq.quantizers',
              class_name: 'ApproxSign',
              config: { name: 'approx_sign', trainable: true, dtype: 'float32' },
              registered_name: 'ApproxSign',
            },
            kernel_quantizer: {
              class_name: 'MagnitudeAwareSign',
              config: { name: 'magnitude_aware_sign', clip_value: 1.0 },
            },
            pad_values: -1.0,
          },
        },
        {
          class_name: 'Reshape',
          config: { name: 'reshape', trainable: true, dtype: 'float32', target_shape: [9, 16] },
        },
        {
          class_name: 'QuantConv1D',
          config: {
            ...CONVOLUTION,
            ...KERNEL,
            name: 'quant_conv1d',
            filters: 8,
            groups: 1,
            kernel_size: [3],
            strides: [1],
            dilation_rate: [1],
            padding: 'causal',
            input_quantizer: STE_SIGN,
            kernel_quantizer: STE_SIGN,
            pad_values: 0.0,
          },
        },
        {
          class_name: 'Flatten',
          config: { name: 'flatten', trainable: true, dtype: 'float32', data_format: 'channels_last' },
        },
        {
          class_name: 'Activation',
          config: { name: 'activation', trainable: true, dtype: 'float32', activation: 'ste_sign' },
        },
        {
          class_name: 'QuantDense',
          config: {
            name: 'quant_dense',
            trainable: true,
            dtype: 'float32',
            units: 4,
            activation: 'softmax',
            use_bias: true,
            ...KERNEL,
            bias_initializer: ZEROS,
            bias_regularizer: null,
            activity_regularizer: null,
            bias_constraint: null,
            input_quantizer: STE_SIGN,
            kernel_quantizer: STE_SIGN,
          },
        },
      ],
    },
  },
};

const WEIGHTS: readonly [name: string, shape: number[]][] = [
  ['quant_conv2d/kernel', [3, 3, 3, 8]],
  ['batch_normalization/gamma', [8]],
  ['batch_normalization/beta', [8]],
  ['batch_normalization/moving_mean', [8]],
  ['batch_normalization/moving_variance', [8]],
  ['quant_depthwise_conv2d/depthwise_kernel', [3, 3, 8, 1]],
  ['quant_separable_conv2d/depthwise_kernel', [3, 3, 8, 1]],
  ['quant_separable_conv2d/pointwise_kernel', [1, 1, 8, 12]],
  ['batch_normalization_1/gamma', [12]],
  ['batch_normalization_1/beta', [12]],
  ['batch_normalization_1/moving_mean', [12]],
  ['batch_normalization_1/moving_variance', [12]],
  ['quant_conv2d_1/kernel', [3, 3, 12, 16]],
  ['quant_conv1d/kernel', [3, 16, 8]],
  ['quant_dense/kernel', [72, 4]],
  ['quant_dense/bias', [4]],
];

function larqModel(topology: object = LARQ_MODEL): Promise<LayersModel> {
  const data = WEIGHTS.map(([name, shape], i) => {
    const weights = values(tf.util.sizeFromShape(shape), i, 0.9);
    return name.endsWith('variance') ? weights.map((w) => 1 + Math.abs(w)) : weights;
  });
  const weightData = new Uint8Array(data.reduce((bytes, weights) => bytes + weights.byteLength, 0));
  let offset = 0;
  for (const weights of data) {
    weightData.set(new Uint8Array(weights.buffer), offset);
    offset += weights.byteLength;
  }
  const weightSpecs = WEIGHTS.map(([name, shape]) => ({ name, shape, dtype: 'float32' as const }));
  return loadLayersModel(
    tf.io.fromMemory({ modelTopology: topology, weightSpecs, weightData: weightData.buffer }),
  );
}

/** The topology with one layer's configuration changed. */
function withLayer(index: number, change: (layer: Record<string, unknown>) => object): object {
  const topology = structuredClone(LARQ_MODEL) as typeof LARQ_MODEL;
  const list = topology.model_config.config.layers as object[];
  list[index] = change(list[index] as Record<string, unknown>);
  return topology;
}

/** Multiples of 1/256, whose sums are exact in any order: signs of sums then don't hang on the last bit. */
const images = (count: number) =>
  tf.tensor(
    values(count * 192, 21).map((x) => Math.round(256 * x) / 256),
    [count, 8, 8, 3],
  );
const labels = (count: number) =>
  tf.tidy(() =>
    tf.oneHot(
      tf.tensor1d(
        Array.from({ length: count }, (_, i) => i % 4),
        'int32',
      ),
      4,
    ),
  );

async function predictions(model: LayersModel): Promise<Float32Array> {
  const x = images(4);
  const y = model.predict(x) as tf.Tensor;
  const result = await y.data<'float32'>();
  tf.dispose([x, y]);
  return result;
}

describe("a model in Larq's serialization", () => {
  test('loads, and predicts the same on both backends', async () => {
    const run = (backend: BackendName) =>
      on(backend, async () => {
        const model = await larqModel();
        expect(model.layers.map((layer) => layer.getClassName())).toContain('QuantSeparableConv2D');
        const result = await predictions(model);
        model.dispose();
        return result;
      });
    const [expected, actual] = [await run('cpu'), await run('webgpu')];
    expectClose(actual, expected, 1e-4);
    expect(new Set(expected).size).toBeGreaterThan(8);
  });

  test('trains on WebGPU as it does on the cpu, and every weight moves', async () => {
    const run = (backend: BackendName) =>
      on(backend, async () => {
        const model = await larqModel();
        model.compile({
          loss: 'categoricalCrossentropy',
          optimizer: tf.train.sgd(0.05),
          metrics: ['accuracy'],
        });
        const [x, y] = [images(8), labels(8)];
        const history = await model.fit(x, y, { epochs: 2, batchSize: 8, shuffle: false, verbose: 0 });
        const trained = await Promise.all(model.getWeights(true).map((weight) => weight.data<'float32'>()));
        tf.dispose([x, y]);
        model.dispose();
        return { losses: history.history.loss as number[], trained };
      });
    const [expected, actual] = [await run('cpu'), await run('webgpu')];
    expectClose(actual.losses, expected.losses, 1e-3, 'losses');
    const starts = WEIGHTS.filter(([name]) => !name.includes('moving'));
    expect(actual.trained).toHaveLength(starts.length);
    for (const [i, weights] of actual.trained.entries()) {
      const [name = '', shape = []] = starts[i] ?? [];
      const start = values(
        tf.util.sizeFromShape(shape),
        WEIGHTS.findIndex((weight) => weight[0] === name),
        0.9,
      );
      expect([...weights], name).not.toEqual([...start]);
      expect(
        weights.every((w) => Number.isFinite(w) && (!name.includes('kernel') || Math.abs(w) <= 1)),
        name,
      ).toBe(true);
    }
  });

  test('is saved in the same words, and loaded again', async () => {
    await tf.setBackend('webgpu');
    const model = await larqModel();
    const expected = await predictions(model);
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    if (saved === undefined) throw new Error('nothing was saved');
    const topology = saved.modelTopology as {
      config: { layers: { class_name: string; config: Record<string, unknown> }[] };
    };
    const config = topology.config.layers.find(({ config: { name } }) => name === 'quant_conv2d_1')?.config;
    expect(config).toMatchObject({
      pad_values: -1,
      groups: 1,
      input_quantizer: { class_name: 'ApproxSign', config: {} },
      kernel_quantizer: { class_name: 'MagnitudeAwareSign', config: { clip_value: 1 } },
      kernel_constraint: { class_name: 'WeightClip', config: { clip_value: 1 } },
    });
    model.dispose();
    const again = await loadLayersModel(tf.io.fromMemory(saved));
    expectSame(await predictions(again), expected);
    again.dispose();
  });

  test('a layer that is not supported says which and why', async () => {
    const topology = withLayer(1, (layer) => ({ ...layer, class_name: 'QuantConv2DTranspose' }));
    await expect(larqModel(topology)).rejects.toThrow(OptionError);
    await expect(larqModel(topology)).rejects.toThrow(
      /quant_conv2d[\s\S]*QuantConv2DTranspose: there is no binary kernel[\s\S]*QuantDense, QuantConv1D/,
    );
  });

  test('a quantizer that is unknown lists the known ones', async () => {
    const topology = withLayer(1, ({ class_name, config }) => ({
      class_name,
      config: { ...(config as object), kernel_quantizer: { class_name: 'MySign', config: {} } },
    }));
    await expect(larqModel(topology)).rejects.toThrow(
      /quant_conv2d: kernelQuantizer[\s\S]*MySign[\s\S]*ste_sign/,
    );
  });
});

/** Parts of the backend that tests look into. */
interface Backend extends WebGpuBackend {
  readonly bufferManager: { numBytesAllocated: number };
}
const backendNow = () => webgpuBackend() as Backend;

describe('on the device of TensorFlow.js', () => {
  test('the binary work runs in kernels of this library, forward and backward', async () => {
    await tf.setBackend('webgpu');
    const layer = quantConv2d({
      filters: 4,
      kernelSize: 3,
      inputQuantizer: 'ste_sign',
      kernelQuantizer: 'ste_sign',
    });
    const x = tf.variable(tf.tidy(() => images(1)));
    layer.build(x.shape);
    const profile = await tf.profile(() =>
      tf.tidy(() => {
        tf.variableGrads(() => tf.sum(layer.apply(x) as tf.Tensor));
        return tf.scalar(0);
      }),
    );
    const names = profile.kernelNames;
    expect(names.filter((name) => name.startsWith('BinaryProduct')).sort()).toEqual([
      'BinaryProduct',
      'BinaryProductGradInput',
      'BinaryProductGradKernel',
    ]);
    expect(names.filter((name) => /conv|matmul/i.test(name))).toEqual([]);
    tf.disposeVariables();
  });

  test('nothing is copied, and no memory is taken beside that of TensorFlow.js', async () => {
    await tf.setBackend('webgpu');
    const { device } = backendNow();
    const made: string[] = [];
    const createBuffer = device.createBuffer.bind(device);
    const layer = quantDense({
      units: 8,
      inputQuantizer: 'ste_sign',
      kernelQuantizer: 'ste_sign',
      useBias: false,
    });
    const x = tf.tidy(() => tf.add(tf.tensor(values(4 * 64, 1), [4, 64]), 0));
    const warm = layer.apply(x) as tf.Tensor;
    await warm.data();
    warm.dispose();
    const copies: unknown[] = [];
    const encoders = GPUCommandEncoder.prototype;
    const copy = encoders.copyBufferToBuffer;
    device.createBuffer = (descriptor) => {
      made.push(descriptor.label ?? '');
      return createBuffer(descriptor);
    };
    encoders.copyBufferToBuffer = (...all: unknown[]) => {
      copies.push(all);
      throw new Error('a copy');
    };
    const y = layer.apply(x) as tf.Tensor;
    encoders.copyBufferToBuffer = copy;
    expect(copies).toEqual([]);
    // The buffers of the first run were taken again.
    expect(made).toEqual([]);
    device.createBuffer = createBuffer;
    tf.dispose([x, y]);
    tf.disposeVariables();
  });

  test('a tensor over a buffer of the caller is read where it is', async () => {
    await tf.setBackend('webgpu');
    const { device } = backendNow();
    const host = values(2 * 32, 4);
    const buffer = device.createBuffer({
      size: host.byteLength,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, host);
    const layer = quantDense({
      units: 4,
      inputQuantizer: 'ste_sign',
      kernelQuantizer: 'ste_sign',
      useBias: false,
    });
    const outside = tf.tensor({ buffer, zeroCopy: true }, [2, 32], 'float32');
    const inside = tf.tensor(host, [2, 32]);
    const [a, b] = [layer.apply(outside) as tf.Tensor, layer.apply(inside) as tf.Tensor];
    expectSame(await a.data(), await b.data());
    tf.dispose([a, b, outside, inside]);
    buffer.destroy();
    tf.disposeVariables();
  });

  test('runs in order with its deferred submits, however many dispatches it gathers', async () => {
    const flag = 'WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE';
    const usual = tf.env().getNumber(flag);
    const layer = quantDense({
      units: 32,
      inputQuantizer: 'ste_sign',
      kernelQuantizer: 'ste_sign',
      useBias: false,
    });
    const kernel = values(32 * 32, 8);
    const chain = async () => {
      let h = tf.tensor(values(3 * 32, 2), [3, 32]);
      for (let i = 0; i < 6; i++) {
        // What is disposed here is still waiting to be read; what comes after wants buffers of the same size.
        const shifted = tf.sub(tf.mul(h, 0.25), 0.125);
        const next = layer.apply(shifted) as tf.Tensor2D;
        tf.dispose([h, shifted]);
        h = next;
      }
      const result = await h.data<'float32'>();
      h.dispose();
      return result;
    };
    await tf.setBackend('cpu');
    layer.build([3, 32]);
    tf.tidy(() => layer.setWeights([tf.tensor(kernel, [32, 32])]));
    const expected = await chain();
    await tf.setBackend('webgpu');
    for (const size of [1, 2, 3, 15, 1000]) {
      tf.env().set(flag, size);
      expectSame(await chain(), expected, `${size} dispatches a submit`);
    }
    tf.env().set(flag, usual);
    tf.disposeVariables();
  });

  test('memory is flat over 1,000 steps of training', async () => {
    await tf.setBackend('webgpu');
    const model = sequential();
    const binary = {
      inputQuantizer: new SteSign(),
      kernelQuantizer: 'ste_sign',
      kernelConstraint: 'weight_clip',
    } as const;
    model.add(quantConv2d({ filters: 4, kernelSize: 2, inputShape: [3, 3, 2], useBias: false, ...binary }));
    model.add(layers.flatten());
    model.add(quantDense({ units: 3, useBias: false, ...binary }));
    const optimizer = tf.train.sgd(0.01);
    const x = tf.tensor(values(18, 1), [1, 3, 3, 2]);
    const state = () => {
      const { numTensors, numBytes, numDataBuffers } = tf.memory();
      return {
        numTensors,
        numBytes,
        numDataBuffers,
        allocated: backendNow().bufferManager.numBytesAllocated,
      };
    };
    let early: ReturnType<typeof state> | undefined;
    for (let step = 1; step <= 1000; step++) {
      optimizer.minimize(() => tf.sum(model.apply(x) as tf.Tensor));
      // A page would wait for a frame now and then.
      if (step % 50 === 0) await backendNow().device.queue.onSubmittedWorkDone();
      if (step === 50) early = state();
    }
    expect(state()).toEqual(early);
    x.dispose();
    model.dispose();
    tf.disposeVariables();
  });

  test('a tidy frees what a layer made, and a disposed input is refused', async () => {
    for (const backend of ['cpu', 'webgpu'] as const) {
      await tf.setBackend(backend);
      const layer = quantDense({ units: 2, inputQuantizer: 'ste_sign', kernelQuantizer: 'ste_sign' });
      layer.build([1, 8]);
      const before = tf.memory().numTensors;
      tf.tidy(() => {
        layer.apply(tf.ones([1, 8]));
      });
      expect(tf.memory().numTensors).toBe(before);
      const gone = tf.ones([1, 8]);
      gone.dispose();
      expect(() => layer.apply(gone)).toThrow(DisposedError);
      tf.disposeVariables();
    }
  });

  test('a buffer of another device is reported by the call itself, or by the next', async () => {
    await tf.setBackend('webgpu');
    const stranger = await requestGpu();
    const buffer = stranger.device.createBuffer({
      size: 256,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
    });
    const layer = quantDense({
      units: 4,
      inputQuantizer: 'ste_sign',
      kernelQuantizer: 'ste_sign',
      useBias: false,
    });
    const foreign = tf.tensor({ buffer, zeroCopy: true }, [2, 32], 'float32');
    const good = tf.ones([2, 32]);
    const failureOf = (x: tf.Tensor): unknown => {
      try {
        tf.dispose(layer.apply(x) as tf.Tensor);
        return undefined;
      } catch (cause) {
        return cause;
      }
    };
    const early = failureOf(foreign);
    await backendNow().device.queue.onSubmittedWorkDone();
    await expect.poll(() => early ?? failureOf(good)).toBeInstanceOf(GpuValidationError);
    tf.dispose([foreign, good]);
    stranger.dispose();
    tf.disposeVariables();
  });

  test('a layer refuses what it cannot do', () => {
    expect(() => quantConv2d({ filters: 3, kernelSize: 3, groups: 2 })).toThrow(/divide into the groups/);
    expect(() => quantConv2d({ filters: 2, kernelSize: 3, padValues: 'one' as never })).toThrow(OptionError);
    const layer = quantConv2d({ filters: 2, kernelSize: 3, groups: 2, name: 'grouped' });
    expect(() => layer.build([1, 4, 4, 3])).toThrow(/grouped/);
  });

  test('a device that this library was handed is never destroyed by it', () => {
    const { device } = backendNow();
    const gpu = Gpu.fromDevice(device);
    gpu.dispose();
    const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE });
    expect(buffer.size).toBe(16);
    buffer.destroy();
  });
});
