/**
 * `npm run memoization`: a small GRU that reads images row by row, trained in TensorFlow.js, and what fuzzy memoization leaves out of
 * it at what loss of accuracy. `TRAIN`, `HELD`, `UNITS` and `EPOCHS` say how large it is.
 */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { memoizedGru } from '../src/compare.ts';
import { takeFirst } from '../src/data/index.ts';
import { loadDataset } from '../src/node/datasets.ts';

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const units = number('UNITS', 32);
const [rows, columns, classes] = [28, 28, 10];
const glorot = (seed: number) => initializers.glorotUniform({ seed });

test('a GRU on MNIST', async () => {
  await tf.setBackend('cpu');
  const data = takeFirst(await loadDataset('mnist'), number('TRAIN', 5000), number('HELD', 500));
  const valuesOf = (images: ArrayLike<number>) => Float32Array.from(images, (byte) => (byte - 127.5) / 127.5);
  const held = valuesOf(data.test.images);
  const model = sequential({
    layers: [
      layers.gru({
        ...{ units, inputShape: [rows, columns], recurrentActivation: 'sigmoid' },
        ...{ kernelInitializer: glorot(1), recurrentInitializer: glorot(2) },
      }),
      layers.dense({ units: classes, activation: 'softmax', kernelInitializer: glorot(3) }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.003), loss: 'sparseCategoricalCrossentropy' });
  const started = performance.now();
  await model.fit(
    tf.tensor3d(valuesOf(data.train.images), [data.train.count, rows, columns]),
    tf.tensor1d(Float32Array.from(data.train.labels)),
    { epochs: number('EPOCHS', 5), batchSize: 50, shuffle: false, verbose: 0 },
  );
  console.log(`trained in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  const [kernel, recurrentKernel, bias, dense, denseBias] = await Promise.all(
    model.getWeights().map((tensor) => tensor.data()),
  );
  if (!kernel || !recurrentKernel || !bias || !dense || !denseBias) throw new Error('The model has weights.');
  const weights = { units, kernel, recurrentKernel, bias };
  const measured = [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2].map((threshold) => {
    let [share, right] = [0, 0];
    for (let image = 0; image < data.test.count; image++) {
      const sequence = held.subarray(image * rows * columns, (image + 1) * rows * columns);
      const run = memoizedGru(weights, sequence, threshold);
      share += run.share / data.test.count;
      const state = run.states.subarray(-units);
      const scores = Array.from({ length: classes }, (_, label) =>
        state.reduce(
          (sum, value, i) => sum + value * (dense[i * classes + label] ?? 0),
          denseBias[label] ?? 0,
        ),
      );
      if (scores.indexOf(Math.max(...scores)) === data.test.labels[image]) right += 1;
    }
    const accuracy = right / data.test.count;
    console.log(`| ${threshold} | ${(100 * share).toFixed(1)} % | ${(100 * accuracy).toFixed(1)} % |`);
    return { share, accuracy };
  });
  expect(measured[0]?.share).toBe(0);
  expect(measured[0]?.accuracy).toBeGreaterThan(0.5);
});
