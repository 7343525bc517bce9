/** Networks of BNN-PYNQ, run bit for bit: the published scores and accuracies. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseIdx } from '../src/data/idx.ts';
import { parseCifar10, takeFirst } from '../src/data/index.ts';
import { FormatError, ShapeError } from '../src/errors.ts';
import { readBnnPynq } from '../src/formats/index.ts';
import { foldForInference, Network, summarize } from '../src/graph/index.ts';
import { datasetStatus, loadDataset } from '../src/node/index.ts';
import { useGpu } from './helpers/gpu.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures', 'bnn-pynq');

function folder(name: string): Map<string, Uint8Array<ArrayBuffer>> {
  const path = join(FIXTURES, name);
  return new Map(readdirSync(path).map((file) => [file, new Uint8Array(readFileSync(join(path, file)))]));
}

function labelsOf(scores: Float32Array, classes: number): number[] {
  return Array.from({ length: scores.length / classes }, (_, index) => {
    const row = scores.subarray(index * classes, (index + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
}

const cifar10 = (await datasetStatus()).find(({ name }) => name === 'cifar10');

/** How many images get the right label. */
function countRight(scores: Float32Array, labels: Uint8Array): number {
  return labelsOf(scores, scores.length / labels.length).filter((label, i) => label === labels[i]).length;
}

describe('CNV on CIFAR-10', () => {
  const gpu = useGpu();
  const network = readBnnPynq(folder('cifar10-cnvW1A1'));
  const folded = foldForInference(network.model, network.values);

  test('the model has the weights of its description, a bit each', () => {
    const { total } = summarize(network.model);
    const convolutions = 9 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256);
    expect(network.topology).toBe('CNV');
    expect(network.classes).toHaveLength(10);
    expect(total.binaryParameters).toBe(convolutions + 256 * 512 + 512 * 512 + 512 * 10);
    expect(network.model.outputShape).toEqual([10]);
  });

  test('on the GPU it takes the bytes of the summary, a bit a weight', async () => {
    using runner = await Network.create(gpu(), network.model, { values: network.values, forInference: true });
    const { bytes, binaryParameters } = summarize(network.model).total;
    const rounding = 16 * runner.parameters.size;
    expect(runner.parameterBytes).toBeGreaterThanOrEqual(bytes);
    expect(runner.parameterBytes).toBeLessThan(bytes + rounding);
    // Thresholds are floats, and the 3 channels of the image take a word of 32.
    expect(bytes).toBeLessThan((4 * binaryParameters) / 28);
  });

  test("the published scores of BNN-PYNQ's deer", async () => {
    const bytes = new Uint8Array(readFileSync(join(FIXTURES, 'deer.bin')));
    const { images } = parseCifar10([{ where: 'deer.bin', bytes }]);
    for (const { model, values } of [network, folded]) {
      using runner = await Network.create(gpu(), model, { values, forInference: true });
      const scores = await runner.predict(network.prepare(images));
      expect([...scores]).toEqual([228, 229, 251, 250, 412, 253, 230, 262, 222, 239]);
      expect(network.classes[labelsOf(scores, 10)[0] ?? -1]).toBe('Deer');
    }
  });

  test('folded, bits pass from layer to layer', () => {
    const binary = folded.fused.map(({ name, took }) => [name, ...took].join(' '));
    expect(binary).toEqual([
      'conv0 threshold0',
      'conv1 maxPool2d_1 threshold1',
      'conv2 threshold2',
      'conv3 maxPool2d_2 threshold3',
      'conv4 threshold4',
      'conv5 threshold5',
      'dense6 threshold6',
      'dense7 threshold7',
      'dense8 scores',
    ]);
    const names = folded.model.layers.map(({ name }) => name);
    expect(names.slice(0, 4)).toEqual(['conv0', 'conv1', 'maxPool2d_1', 'conv2']);
  });

  if (cifar10?.here) {
    // All 10,000 take minutes on a software adapter: WEBGPU_BNN_LONG=1 asks for them.
    const [count, right] = process.env.WEBGPU_BNN_LONG === '1' ? [10_000, 7922] : [300, 243];
    test(`CIFAR-10 is here: ${right} of ${count} test images right`, { timeout: 600_000 }, async () => {
      const { test: split } = takeFirst(await loadDataset('cifar10'), undefined, count);
      using runner = await Network.create(gpu(), folded.model, { values: folded.values, forInference: true });
      const scores = await runner.predict(network.prepare(split.images));
      expect([...scores.subarray(0, 10)]).toEqual([241, 240, 250, 413, 245, 258, 247, 251, 231, 242]);
      expect(countRight(scores, split.labels)).toBe(right);
    });
  } else {
    test('CIFAR-10 is not here (webgpu-bnn data cifar10 gets it): only the deer was checked', () => {
      expect(cifar10?.missing).toContain('test_batch.bin');
    });
  }
});

describe('LFC on MNIST', () => {
  const gpu = useGpu();
  const network = readBnnPynq(folder('mnist-lfcW1A1'));

  test("BNN-PYNQ's three is a 3", async () => {
    const { data } = parseIdx(new Uint8Array(readFileSync(join(FIXTURES, '3.image-idx3-ubyte'))), 'three');
    using runner = await Network.create(gpu(), network.model, { values: network.values, forInference: true });
    const scores = await runner.predict(network.prepare(data));
    expect(labelsOf(scores, 10)).toEqual([3]);
    // The highest bit that is set is bit 3.
    expect([...scores].map((score, unit) => Math.abs(score) - unit - 1)).toEqual(new Array(10).fill(0));
  });

  test('98.40 % of the MNIST test set, as published', async () => {
    const { test: split } = await loadDataset('mnist');
    const { model, values } = foldForInference(network.model, network.values);
    using runner = await Network.create(gpu(), model, { values, forInference: true });
    const scores = await runner.predict(network.prepare(split.images));
    expect(countRight(scores, split.labels)).toBe(9840);
  });
});

describe('a folder that is not right', () => {
  const whole = folder('mnist-lfcW1A1');
  const cases: [string, (files: Map<string, Uint8Array>) => void, RegExp][] = [
    ['a weight file is missing', (files) => files.delete('2-31-weights.bin'), /2-31-weights\.bin/],
    ['a threshold file is missing', (files) => files.delete('0-0-thres.bin'), /0-0-thres\.bin/],
    [
      'a weight file is cut off',
      (files) => files.set('1-3-weights.bin', new Uint8Array(4088)),
      /4088[\s\S]*4096/,
    ],
    [
      'a threshold file is too long',
      (files) => files.set('3-0-thres.bin', new Uint8Array(40)),
      /40[\s\S]*32/,
    ],
    ['the classes are missing', (files) => files.delete('classes.txt'), /classes\.txt/],
    ['the classes are empty', (files) => files.set('classes.txt', new Uint8Array(0)), /1 to 64/],
    [
      'it holds something else',
      (files) => files.delete('3-0-weights.bin') && deleteLayer(files, 3),
      /4 of LFC/,
    ],
  ];
  function deleteLayer(files: Map<string, Uint8Array>, layer: number): void {
    for (const name of [...files.keys()]) if (name.startsWith(`${layer}-`)) files.delete(name);
  }

  test.each(cases)('%s', (_, spoil, message) => {
    const files = new Map<string, Uint8Array>(whole);
    spoil(files);
    expect(() => readBnnPynq(files)).toThrow(FormatError);
    expect(() => readBnnPynq(files)).toThrow(message);
  });

  test('CNV may lack the end of its last weights, which is zeros, and no other', () => {
    const files = new Map<string, Uint8Array>(folder('cifar10-cnvW1A1'));
    files.set('8-3-weights.bin', new Uint8Array(8));
    expect(readBnnPynq(files).topology).toBe('CNV');
    files.set('8-3-weights.bin', new Uint8Array(9));
    expect(() => readBnnPynq(files)).toThrow(/whole words/);
    files.set('8-3-weights.bin', new Uint8Array(65_536));
    files.set('7-0-weights.bin', new Uint8Array(8));
    expect(() => readBnnPynq(files)).toThrow(/7-0-weights/);
  });

  test('folders in the names are ignored, and images must be whole', () => {
    const network = readBnnPynq(new Map([...whole].map(([name, bytes]) => [`deep/er/${name}`, bytes])));
    expect(network.model.outputShape).toEqual([10]);
    expect(() => network.prepare(new Uint8Array(783))).toThrow(ShapeError);
    expect([...network.prepare(new Uint8Array(784).fill(128)).subarray(0, 1)]).toEqual([1]);
    expect([...network.prepare(new Uint8Array(784).fill(127)).subarray(0, 1)]).toEqual([-1]);
  });
});
