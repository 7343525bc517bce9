/**
 * `npm run hypervectors`: the classifiers of hypervectors on MNIST with 10,000 bits, their accuracies and times.
 * `TRAIN` and `HELD` say how many images there are of each split, `SEEDS` which seeds, `EPOCHS` how many
 * passes AdaptHD, OnlineHD, QuantHD and LeHDC have; `-t rules`, `-t LeHDC` and `-t density` measure these alone.
 */
import { expect, test } from 'vitest';
import { takeFirst } from '../src/data/index.ts';
import {
  CLASSIFIER_RULES,
  densityEncoder,
  recordEncoder,
  trainClassifier,
  trainLeHdc,
  trainRidge,
  type VectorClassifier,
} from '../src/hypervectors/index.ts';
import { loadDataset } from '../src/node/datasets.ts';
import { requestGpu } from '../src/node/gpu.ts';

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const bits = 10_000;
const classes = 10;
const passes = number('EPOCHS', 20);
const seeds = (process.env.SEEDS ?? '1').split(',').map(Number);

async function timed<T>(body: () => T | Promise<T>): Promise<[T, string]> {
  const start = performance.now();
  const value = await body();
  return [value, `${((performance.now() - start) / 1000).toFixed(1)} s`];
}

/** Encoded images of MNIST, and what says how well a classifier knows those that are held out. */
async function encodedImages(seed: number) {
  const data = takeFirst(await loadDataset('mnist'), number('TRAIN', 60_000), number('HELD', 10_000));
  const encoder = recordEncoder({ features: 784, levels: 256, bits, seed });
  const [train, encodingTime] = await timed(() => encoder.encode(data.train.images));
  const held = encoder.encode(data.test.images);
  console.log(`seed ${seed}: encoded ${data.train.count} images in ${encodingTime}`);
  const right = (found: ArrayLike<number>) =>
    data.test.labels.filter((label, i) => label === found[i]).length / data.test.count;
  const say = (name: string, classifier: VectorClassifier, time: string) => {
    const [sums, signs] = [right(classifier.classify(held)), right(classifier.classifySigns(held))];
    console.log(`| ${name} | ${seed} | ${(100 * sums).toFixed(2)} | ${(100 * signs).toFixed(2)} | ${time} |`);
    // Chance is a tenth.
    expect(Math.min(sums, signs)).toBeGreaterThan(0.5);
  };
  return { train, labels: data.train.labels, say };
}

test.each(seeds)('rules on MNIST with seed %d', async (seed) => {
  const { train, labels, say } = await encodedImages(seed);
  for (const rule of CLASSIFIER_RULES) {
    const most = Math.min(rule.passes, passes);
    const options = { bits, classes, seed, passes: most };
    const [classifier, time] = await timed(() => trainClassifier(rule, train, labels, options));
    say(`${rule.name}, ${most} passes`, classifier, time);
  }
});

test.each(seeds)('LeHDC on MNIST with seed %d', async (seed) => {
  const { train, labels, say } = await encodedImages(seed);
  using gpu = await requestGpu();
  const training = { epochs: passes, seed };
  const [classifier, time] = await timed(() => trainLeHdc(gpu, train, labels, { bits, classes, training }));
  say(`LeHDC, ${passes} epochs`, classifier, time);
});

/** Hidden neurons: a readout takes their cube. */
const NEURONS = 1000;

test.each(seeds)('density encoding of MNIST with seed %d', async (seed) => {
  const data = takeFirst(await loadDataset('mnist'), number('TRAIN', 60_000), number('HELD', 10_000));
  const encoder = densityEncoder({ features: 784, bits: NEURONS, seed });
  const encoded = ({ images }: typeof data.train) =>
    encoder.encode(Float32Array.from(images, (byte) => byte / 255));
  const [readout, time] = await timed(() =>
    trainRidge(encoded(data.train), data.train.labels, { bits: NEURONS, classes }),
  );
  const found = readout.classify(encoded(data.test));
  const right = data.test.labels.filter((label, i) => label === found[i]).length / data.test.count;
  console.log(
    `| intRVFL, ${NEURONS} neurons, encoding included | ${seed} | ${(100 * right).toFixed(2)} | ${time} |`,
  );
  expect(right).toBeGreaterThan(0.5);
});
