/**
 * The training step of a model in TensorFlow.js on its WebGPU backend, with this import and without: the very same
 * layers, once in this library's kernels and once in its own operations.
 */
import * as tf from '@tensorflow/tfjs-core';
import { OptionError } from '../../errors.ts';
import { initialValues, type Model } from '../../graph/index.ts';
import { KERNELS_FLAG, webgpuBackend } from './backend.ts';
import { toLayersModel } from './models.ts';

/** How much is timed, and on what. */
export interface ComparisonOptions {
  /** Samples of a step. */
  readonly batch: number;
  /** Timed steps of each. */
  readonly steps: number;
  /** Steps of each before those, which compile and fill the pools of buffers. Default: 2. */
  readonly warmUp?: number;
  /** Of the weights, which are the same in both. */
  readonly seed?: number;
  /** Of Adam. Default 0.001. */
  readonly learningRate?: number;
}

/** One of the two. */
export interface ComparedTraining {
  /** Milliseconds of each timed step, from the call to the loss. */
  readonly times: readonly number[];
  /** Of every step, the first ones too. */
  readonly losses: readonly number[];
}

/** A training with this library's layers, and one with TensorFlow.js' own. */
export interface Comparison {
  /** With this library's kernels. */
  readonly with: ComparedTraining;
  /** With TensorFlow.js' own operations. */
  readonly without: ComparedTraining;
}

/**
 * Trains both by turns on one batch, with Adam and the squared hinge loss, on TensorFlow.js' current backend.
 * @param images f32 [batch, ...input]
 * @param targets f32 [batch, classes], ±1
 * @throws OptionError unless the current backend is WebGPU
 */
export async function compareTraining(
  model: Model,
  images: Float32Array,
  targets: Float32Array,
  { batch, steps, warmUp = 2, seed = 1, learningRate = 0.001 }: ComparisonOptions,
): Promise<Comparison> {
  if (webgpuBackend() === undefined) {
    throw new OptionError('The comparison is of kernels on the WebGPU backend.', {
      given: tf.getBackend(),
      remedy: "await tf.setBackend('webgpu')",
    });
  }
  const values = initialValues(model, seed);
  const [x, t] = [
    tf.tensor(images, [batch, ...model.inputShape]),
    tf.tensor(targets, [batch, ...model.outputShape]),
  ];
  const contestants = [true, false].map((kernels) => ({
    kernels,
    network: toLayersModel(model, values),
    optimizer: tf.train.adam(learningRate, 0.9, 0.999, 1e-8),
    times: [] as number[],
    losses: [] as number[],
  }));
  const usual = tf.env().getBool(KERNELS_FLAG);
  try {
    for (let step = 0; step < warmUp + steps; step++) {
      for (const { kernels, network, optimizer, times, losses } of contestants) {
        tf.env().set(KERNELS_FLAG, kernels);
        const start = performance.now();
        const weights = network.trainableWeights.map((weight) => weight.read() as tf.Variable);
        const loss = optimizer.minimize(
          () => {
            const y = network.apply(x, { training: true }) as tf.Tensor;
            return tf.mean(tf.square(tf.relu(tf.sub(1, tf.mul(t, y)))));
          },
          true,
          weights,
        );
        losses.push((await loss?.data())?.[0] ?? Number.NaN);
        if (step >= warmUp) times.push(performance.now() - start);
        loss?.dispose();
      }
    }
  } finally {
    tf.env().set(KERNELS_FLAG, usual);
    tf.dispose([x, t]);
    for (const { network, optimizer } of contestants) {
      network.dispose();
      optimizer.dispose();
    }
  }
  const [mine, theirs] = contestants.map(({ times, losses }) => ({ times, losses }));
  return { with: mine as ComparedTraining, without: theirs as ComparedTraining };
}
