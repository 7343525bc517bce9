/** Models of this library in TensorFlow.js, and its training step with this import beside the one without. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { apply, initialValues, input, model, Network, sequential } from '../src/graph/index.ts';
import { compareTraining, toLayersModel } from '../src/interop/tfjs/index.ts';
import {
  add,
  batchNormalization,
  flatten,
  maxPool2d,
  prelu,
  quantConv2d,
  quantDense,
  sign,
} from '../src/layers/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { expectClose } from './helpers/gpu.ts';
import { useTensorFlow, values } from './helpers/tfjs.ts';

useTensorFlow();

const BINARY = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
const small = sequential(
  [
    quantConv2d({ name: 'conv1', filters: 8, kernelSize: 3, padding: 'same', kernelQuantizer: 'steSign' }),
    maxPool2d({ poolSize: 2 }),
    batchNormalization({ name: 'norm1', scale: false }),
    quantConv2d({ name: 'conv2', filters: 8, kernelSize: 3, padding: 'same', padValue: 1, ...BINARY }),
    batchNormalization({ name: 'norm2' }),
    sign(),
    flatten(),
    quantDense({ name: 'dense3', units: 4, inputQuantizer: 'approxSign', kernelQuantizer: 'swishSign' }),
    batchNormalization({ name: 'norm3' }),
  ],
  { input: [8, 8, 2], name: 'small' },
);
/** Multiples of 1/64, whose sums are exact in any order. */
const images = values(5 * 128, 3).map((x) => Math.round(64 * x) / 64);

describe('a model of this library in TensorFlow.js', () => {
  test('gives what it gives here', async () => {
    const parameters = initialValues(small, 7);
    const gpu = await requestGpu();
    const network = await Network.create(gpu, small, { values: parameters });
    const expected = await network.predict(images);
    network.dispose();
    gpu.dispose();
    await tf.setBackend('webgpu');
    const layers = toLayersModel(small, parameters);
    const x = tf.tensor(images, [5, 8, 8, 2]);
    const y = layers.predict(x) as tf.Tensor;
    expectClose(await y.data(), expected, 1e-4);
    tf.dispose([x, y]);
    layers.dispose();
  });

  test('is refused where it has no form there', () => {
    const x = input([4]);
    const branches = model({ input: x, output: apply(add(), x, x), name: 'branches' });
    expect(() => toLayersModel(branches)).toThrow(/without branches/);
    const other = sequential([prelu({ name: 'slopes' })], { input: [4], name: 'other' });
    expect(() => toLayersModel(other)).toThrow(OptionError);
    expect(() => toLayersModel(other)).toThrow(/slopes/);
    tf.disposeVariables();
  });
});

test('a training step is the same with this import and without', async () => {
  await tf.setBackend('webgpu');
  const before = tf.memory().numTensors;
  const targets = Float32Array.from({ length: 20 }, (_, i) => (i % 4 === Math.floor(i / 4) % 4 ? 1 : -1));
  const result = await compareTraining(small, images, targets, { batch: 5, steps: 2 });
  expect([result.with.times.length, result.without.times.length]).toEqual([2, 2]);
  expect(result.with.losses).toHaveLength(4);
  expectClose(result.with.losses.slice(0, 2), result.without.losses.slice(0, 2), 1e-3);
  expect(tf.memory().numTensors).toBe(before);
  // The two were computed in different ways.
  const x = tf.tensor(images, [5, 8, 8, 2]);
  const layers = toLayersModel(small);
  const kernelsOf = async () => {
    const { kernelNames } = await tf.profile(() => tf.tidy(() => layers.apply(x) as tf.Tensor));
    return kernelNames.filter((name) => /^BinaryProduct$|^Conv2D$|^_FusedMatMul$|^BatchMatMul$/.test(name));
  };
  expect(await kernelsOf()).toEqual(['BinaryProduct']);
  tf.env().set('WEBGPU_BNN_KERNELS', false);
  expect((await kernelsOf()).sort()).toEqual(['BatchMatMul', 'Conv2D']);
  tf.env().set('WEBGPU_BNN_KERNELS', true);
  layers.dispose();
  tf.dispose(x);
  tf.disposeVariables();

  await tf.setBackend('cpu');
  await expect(compareTraining(small, images, targets, { batch: 5, steps: 1 })).rejects.toThrow(OptionError);
});
