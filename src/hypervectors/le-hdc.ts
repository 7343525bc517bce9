/** LeHDC: the vectors of classes as the weights of a binary network of one layer, which is trained. */
import type { Gpu } from '../gpu/index.ts';
import { sequential } from '../graph/index.ts';
import { dropout, type Layer, quantDense } from '../layers/index.ts';
import { assertKnownOptions } from '../options.ts';
import { Trainer, type TrainerOptions } from '../train/index.ts';
import { assertSizes, type Words } from '../vectors/memories.ts';
import { assertLabelled, classifierOf, type VectorClassifier } from './classifier.ts';

/** How LeHDC is trained. */
export interface LeHdcOptions {
  /** Length of a vector. */
  readonly bits: number;
  /** How many classes there are. */
  readonly classes: number;
  /** Share of a vector's signs that are left out of a step, at random. Default 0.3. */
  readonly dropout?: number | undefined;
  /**
   * What trainers take. Defaults here: Adam, cross entropy, 20 epochs, batches of 100 or of all vectors where they are fewer,
   * and a rate from 0.01 to 0.001.
   */
  readonly training?: TrainerOptions | undefined;
}

/**
 * Trains the vectors of classes by gradients. The scores are the products of a vector with the signs of latent weights, divided by √bits, so
 * that they are of a size that cross entropy can tell apart. Source: Duan et al. 2022, "LeHDC: Learning-Based Hyperdimensional
 * Computing Classifier", arXiv 2203.09680; without its weight decay.
 * @param vectors words [count, ceil(bits / 32)]
 * @param labels [count], below `classes`
 * @returns its sums are the signs that were trained
 * @throws ShapeError, OptionError; what `Trainer` throws
 */
export async function trainLeHdc(
  gpu: Gpu,
  vectors: Words,
  labels: ArrayLike<number>,
  options: LeHdcOptions,
): Promise<VectorClassifier> {
  const where = 'trainLeHdc';
  assertKnownOptions(options, ['bits', 'classes', 'dropout', 'training'], where);
  const { bits, classes, dropout: rate = 0.3, training = {} } = options;
  assertSizes({ bits, classes }, training.seed ?? 1, where);
  const count = assertLabelled(vectors, labels, options, where);
  const each = Math.ceil(bits / 32);
  // A byte a sign: on the GPU it becomes ±1/√bits.
  const images = new Uint8Array(count * bits);
  for (let row = 0; row < count; row++) {
    for (let k = 0; k < bits; k++) {
      images[row * bits + k] = ((vectors[row * each + (k >> 5)] ?? 0) >>> (k & 31)) & 1;
    }
  }
  const size = 1 / Math.sqrt(bits);
  const layers: readonly Layer[] = [
    ...(rate === 0 ? [] : [dropout({ rate })]),
    quantDense({
      name: 'classes',
      units: classes,
      kernelQuantizer: 'steSign',
      // Near 0, so that a sign can change within the first ten steps of Adam.
      kernelInitializer: { kind: 'uniform', limit: 0.1 },
    }),
  ];
  using trainer = await Trainer.create(
    gpu,
    sequential(layers, { input: [bits], name: 'lehdc' }),
    {
      name: 'hypervectors',
      classes: Array.from({ length: classes }, (_, c) => `${c}`),
      image: [bits],
      train: { images, labels: Uint32Array.from(labels), count },
      normalise: { scale: [-2 * size], shift: [size] },
    },
    {
      loss: 'crossEntropy',
      epochs: 20,
      batch: Math.min(100, count),
      learningRate: { from: 0.01, to: 0.001, decay: 'exponential' },
      ...training,
    },
  );
  await trainer.fit();
  const kernel = (await trainer.network.values()).get('classes/kernel') ?? new Float32Array();
  return classifierOf(
    kernel.map((value) => (value < 0 ? -1 : 1)),
    bits,
  );
}
