/**
 * The work that every runtime does, and that ends in hashes: products, convolutions, inference and trainings. It is built into one
 * file, which imports nothing of its host. See test/runtimes.ts.
 */
import { exportOnnx } from '../../src/formats/onnx.ts';
import {
  cnn,
  Gpu,
  loadModel,
  mlp,
  type OptimizerName,
  ops,
  Trainer,
  type TrainingData,
} from '../../src/index.ts';
import { packSigns } from '../../src/numerics/pack.ts';
import { uniform01 } from '../../src/numerics/random.ts';
import { binaryConv2d } from '../../src/reference/conv.ts';
import { binaryMatMul } from '../../src/reference/matmul.ts';
import { EXTENTS, OPERANDS, workload } from '../helpers/workload.ts';

export interface Work {
  /** What computed it. */
  readonly adapter: string;
  /** Integers: the same everywhere, a processor included. */
  readonly exact: Readonly<Record<string, string>>;
  /** Floats and what was trained in them: the same wherever the driver is. */
  readonly floats: Readonly<Record<string, string>>;
}

/** The work on the GPU that the host has by itself. */
export async function onGpu(): Promise<Work> {
  using gpu = await Gpu.request();
  return await work(gpu);
}

/** All of the work. */
export async function work(gpu: Gpu): Promise<Work> {
  const { mlp: perceptron = [], cnn: convolutional = [], ...integers } = await workload(gpu);
  const floats: Record<string, string> = {
    'logits of the mlp': hashOf(Float32Array.from(perceptron)),
    'logits of the cnn': hashOf(Float32Array.from(convolutional)),
  };
  for (const [build, size, optimizer] of TRAININGS) {
    const name = `${build.name} with ${optimizer}`;
    using trainer = await Trainer.create(gpu, build({ ...OPTIONS, ...size }), stripes(), {
      batch: 20,
      epochs: 1,
      optimizer,
    });
    await trainer.fit();
    const values = await trainer.network.values();
    floats[`weights of the ${name}`] = [...values.values()].map(hashOf).join('');
    const loaded = await loadModel(exportOnnx(trainer.network.model, values));
    using classifier = await loaded.createClassifier(gpu);
    const { scores } = await classifier.classify(noise(30 * SIDE * SIDE, 9));
    floats[`scores of the ${name}, by way of ONNX`] = hashOf(scores);
  }
  const exact = Object.entries(integers).map(([name, values]) => [name, hashOf(Int32Array.from(values))]);
  return { adapter: gpu.adapter.name, exact: Object.fromEntries(exact), floats };
}

/** The integers of the work from the definition, without a GPU. */
export function onProcessor(): Work {
  const { x, w, image, filters } = OPERANDS;
  const { rows, columns, depth, imageShape, filterShape } = EXTENTS;
  const packed = packSigns(noise(...x), rows, depth);
  const channels = imageShape[3];
  const pixels = packSigns(noise(...image), image[0] / channels, channels);
  const taps = packSigns(noise(...filters), filters[0] / channels, channels);
  const convolution = (options: { padValue?: 0 | 1 | -1; strides?: number }) =>
    binaryConv2d(
      pixels,
      taps,
      ops.resolveConv2d(imageShape, filterShape, { padding: 'same', ...options }, 'twin'),
    );
  const results = {
    packed: Int32Array.from(packed),
    product: binaryMatMul(packed, packSigns(noise(...w), columns, depth), { m: rows, n: columns, k: depth }),
    exactZeros: convolution({}),
    strided: convolution({ padValue: 1, strides: 2 }),
  };
  const exact = Object.entries(results).map(([name, values]) => [name, hashOf(values)]);
  return { adapter: 'the processor', exact: Object.fromEntries(exact), floats: {} };
}

const SIDE = 28;
const CLASSES = 4;
const OPTIONS = { input: [SIDE, SIDE, 1], classes: CLASSES };
const TRAININGS: readonly (readonly [typeof cnn, object, OptimizerName])[] = [
  [mlp, { units: 64 }, 'adam'],
  [cnn, {}, 'bop'],
];

/** Values from −1 to 1. */
const noise = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => 2 * uniform01(5, stream, i) - 1);

/** Noise with one bright quarter, which is the class. */
function stripes(): TrainingData {
  const split = (count: number, stream: number) => {
    const labels = Uint8Array.from({ length: count }, (_, i) => i % CLASSES);
    const images = Uint8Array.from({ length: count * SIDE * SIDE }, (_, i) => {
      const [sample, row] = [Math.floor(i / SIDE ** 2), Math.floor(i / SIDE) % SIDE];
      const bright = Math.floor(row / (SIDE / CLASSES)) === sample % CLASSES;
      return 120 * uniform01(5, stream, i) + (bright ? 120 : 0);
    });
    return { images, labels, count };
  };
  return {
    name: 'stripes',
    classes: ['first', 'second', 'third', 'fourth'],
    image: [SIDE, SIDE, 1],
    train: split(200, 7),
    test: split(40, 8),
    normalise: { scale: [2 / 255], shift: [-1] },
  };
}

/** Two FNV-1a sums over the bytes: enough to tell results apart, also where there is no `crypto`. */
function hashOf({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x5bd1e995) ^ (b >>> 15);
  }
  return [a, b].map((sum) => (sum >>> 0).toString(16).padStart(8, '0')).join('');
}
