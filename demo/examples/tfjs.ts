/** TensorFlow.js trains binary layers with `model.fit`, on its WebGPU backend, and leaks no tensor. */
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { quantDense } from 'webgpu-bnn/tfjs';
import { log, run } from './page.ts';

const SIDE = 8;
const CLASSES = 4;

/** Noise with one bright quadrant, which is the class. */
function quadrants(count: number, seed: number): { images: tf.Tensor2D; labels: tf.Tensor2D } {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const images = new Float32Array(count * SIDE * SIDE);
  const labels = new Float32Array(count * CLASSES);
  for (let i = 0; i < count; i++) {
    const label = Math.floor(random() * CLASSES);
    labels[i * CLASSES + label] = 1;
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const quadrant = (y < SIDE / 2 ? 0 : 2) + (x < SIDE / 2 ? 0 : 1);
        images[(i * SIDE + y) * SIDE + x] = 2 * random() - 1 + (quadrant === label ? 0.8 : 0);
      }
    }
  }
  return {
    images: tf.tensor2d(images, [count, SIDE * SIDE]),
    labels: tf.tensor2d(labels, [count, CLASSES]),
  };
}

run(async () => {
  await tf.setBackend('webgpu');
  await tf.ready();
  log(`backend: ${tf.getBackend()}`);
  const weights = { kernelQuantizer: 'ste_sign', kernelConstraint: 'weight_clip', useBias: false } as const;
  const binary = { ...weights, inputQuantizer: 'ste_sign' } as const;
  const model = sequential();
  model.add(quantDense({ units: 64, inputShape: [SIDE * SIDE], ...weights }));
  model.add(layers.batchNormalization());
  model.add(quantDense({ units: 64, ...binary }));
  model.add(layers.batchNormalization());
  model.add(quantDense({ units: CLASSES, ...binary }));
  model.add(layers.batchNormalization());
  model.add(layers.activation({ activation: 'softmax' }));
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

  const training = quadrants(400, 1);
  const held = quadrants(100, 2);
  const tensors: number[] = [];
  await model.fit(training.images, training.labels, {
    epochs: 4,
    batchSize: 50,
    callbacks: {
      onEpochEnd: (epoch, logs) => {
        tensors.push(tf.memory().numTensors);
        log(`epoch ${epoch + 1}: loss ${logs?.loss?.toFixed(3)}`);
      },
    },
  });
  log(`tensors after each epoch: ${tensors.join(', ')}`);

  const { kernelNames } = await tf.profile(() => tf.tidy(() => void model.predict(held.images)));
  log(`kernels of this library: ${kernelNames.filter((name) => name.startsWith('Binary')).join(', ')}`);
  const scores = model.predict(held.images) as tf.Tensor2D;
  const [best, truth] = [tf.argMax(scores, 1), tf.argMax(held.labels, 1)];
  const equal = tf.equal(best, truth);
  const right = Array.from(await equal.data()).filter((one) => one > 0).length;
  log(`held out: ${right} of 100 right`);
});
