/** Networks of BNN-PYNQ, run bit for bit: the published scores and accuracies. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseIdx } from '../src/data/idx.ts';
import { parseCifar10, takeFirst } from '../src/data/index.ts';
import { FormatError, ShapeError } from '../src/errors.ts';
import { type BnnPynqNetwork, bnnPynqFiles, encodeBnnPynq, readBnnPynq } from '../src/formats/index.ts';
import { sizeOf } from '../src/gpu/index.ts';
import {
  foldForInference,
  initialValues,
  type Model,
  Network,
  type ParameterValue,
  sequential,
  summarize,
} from '../src/graph/index.ts';
import * as layers from '../src/layers/index.ts';
import { batchNormalization, flatten, type Layer, quantDense } from '../src/layers/index.ts';
import { datasetStatus, loadDataset } from '../src/node/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { encodePixels, PIXEL_RANGES } from '../src/run/index.ts';
import { binarynet, cnv, lfc, type ModelOptions, mlp, sfc, tfc } from '../src/zoo/index.ts';
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

/** The folder with its last layer's files cut to so many units, for so many classes. */
function shortened(folds: number, classes: number): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>(folder('mnist-lfcW1A1'));
  for (let element = 0; element < 16; element++) {
    for (const [kind, bytes] of [
      ['weights', 8 * 128],
      ['thres', 8],
    ] as const) {
      const name = `3-${element}-${kind}.bin`;
      files.set(name, (files.get(name) ?? new Uint8Array()).slice(0, folds * bytes));
    }
  }
  const names = Array.from({ length: classes }, (_, index) => `class ${index}`);
  files.set('classes.txt', new TextEncoder().encode(names.join('\n')));
  return files;
}

/** The folder with its files made longer: so many words for each. */
function widened(name: string, times: { weights?: number; thres?: number }): Map<string, Uint8Array> {
  return new Map(
    [...folder(name)].map(([file, bytes]) => {
      const isLast = file.startsWith(name.includes('cnv') ? '8-' : '3-');
      const many = file.endsWith('-weights.bin') ? times.weights : isLast ? 1 : times.thres;
      const longer = new Uint8Array(bytes.length * (file === 'classes.txt' ? 1 : (many ?? 1)));
      longer.set(bytes);
      return [file, longer];
    }),
  );
}

describe('folders of other makers', () => {
  const gpu = useGpu();
  const three = parseIdx(new Uint8Array(readFileSync(join(FIXTURES, '3.image-idx3-ubyte'))), 'three').data;

  async function predict({ model, values, prepare }: BnnPynqNetwork, images: Uint8Array) {
    using runner = await Network.create(gpu(), model, { values, forInference: true });
    return await runner.predict(prepare(images));
  }

  test('a last layer of 48 of 64 units for 47 classes: units that are missing never fire', async () => {
    const scores = await predict(readBnnPynq(shortened(3, 47)), three);
    expect(scores).toHaveLength(47);
    expect(labelsOf(scores, 47)).toEqual([3]);
    // The 37 units past the ten digits are there, and have thresholds of their own.
    const whole = await predict(readBnnPynq(shortened(4, 47)), three);
    expect([...scores]).toEqual([...whole]);
  });

  test('a unit past the classes that would fire is masked', async () => {
    const files = new Map<string, Uint8Array>(folder('mnist-lfcW1A1'));
    // Unit 60 = 3·16 + 12: its threshold is reached by every image.
    const always = (files.get('3-12-thres.bin') ?? new Uint8Array()).slice();
    new DataView(always.buffer).setBigInt64(24, -1n, true);
    files.set('3-12-thres.bin', always);
    expect(labelsOf(await predict(readBnnPynq(files), three), 10)).toEqual([3]);
  });

  test('a last layer with fewer units than classes is refused, as one that lost its end', () => {
    expect(() => readBnnPynq(shortened(2, 47))).toThrow(/32 units, 47 names[\s\S]*47 to 64 units/);
    const files = shortened(4, 10);
    for (let element = 0; element < 16; element++)
      files.set(`3-${element}-weights.bin`, new Uint8Array(2048));
    expect(() => readBnnPynq(files)).toThrow(/3-0-weights\.bin[\s\S]*2048 bytes[\s\S]*4096/);
  });

  test.each([
    ['cifar10-cnvW1A1', { thres: 3 }, /activations of 2 bits \(W1A2\)/],
    ['mnist-lfcW1A1', { thres: 3 }, /activations of 2 bits \(W1A2\)/],
    ['cifar10-cnvW1A1', { thres: 3, weights: 2 }, /weights of 2 bits and activations of 2 bits \(W2A2\)/],
    ['mnist-lfcW1A1', { thres: 3, weights: 2 }, /weights of 2 bits and activations of 2 bits \(W2A2\)/],
  ])('%s with %o says how many bits it has', (name, times, message) => {
    expect(() => readBnnPynq(widened(name, times))).toThrow(message);
    expect(() => readBnnPynq(widened(name, times))).toThrow(/W1A1/);
  });

  test('files are taken as they come: Buffers, buffers, views at odd places', async () => {
    const whole = readBnnPynq(folder('mnist-lfcW1A1'));
    const odd = new Map<string, Uint8Array | ArrayBuffer | DataView>(
      [...folder('mnist-lfcW1A1')].map(([name, bytes], index) => {
        const shifted = new Uint8Array(bytes.length + 3);
        shifted.set(bytes, 3);
        const view = shifted.subarray(3);
        return [
          name,
          [view, Buffer.from(bytes), bytes.slice().buffer, new DataView(shifted.buffer, 3)][index % 4] ??
            view,
        ];
      }),
    );
    expect(readBnnPynq(odd).values).toEqual(whole.values);
  });
});

describe('a folder that was written', () => {
  const gpu = useGpu();

  test.each(['cifar10-cnvW1A1', 'mnist-lfcW1A1'])('%s is read back to the bit', (name) => {
    const read = readBnnPynq(folder(name));
    const files = encodeBnnPynq(read.model, read.values, read);
    const again = readBnnPynq(files);
    expect(again.values).toEqual(read.values);
    expect(again.classes).toEqual(read.classes);
    expect([...files.keys()].sort()).toEqual(bnnPynqFiles(read.topology).sort());
    // Words of units that have no class are left out, and thresholds may say the same in other numbers.
    const others = differing(files, folder(name)).filter((file) => file.endsWith('-weights.bin'));
    const last = name.includes('cnv') ? 8 : 3;
    expect(others.filter((file) => !file.startsWith(`${last}-`) && !file.startsWith('0-'))).toEqual([]);
  });

  test('folded, of fused layers, it is the same folder', () => {
    const read = readBnnPynq(folder('mnist-lfcW1A1'));
    const folded = foldForInference(read.model, read.values);
    expect(folded.fused).toHaveLength(4);
    expect(readBnnPynq(encodeBnnPynq(folded.model, folded.values, read)).values).toEqual(read.values);
  });

  /** Names of files that are not the same in both folders. */
  function differing(
    some: ReadonlyMap<string, Uint8Array>,
    others: ReadonlyMap<string, Uint8Array>,
  ): string[] {
    const names = [...new Set([...some.keys(), ...others.keys()])];
    const none = new Uint8Array();
    return names.filter((name) => Buffer.compare(some.get(name) ?? none, others.get(name) ?? none) !== 0);
  }

  /** A network whose normalisations have been somewhere: γ of both signs and of 0, β, means and variances. */
  function stirred(model: Model, seed: number): Map<string, ParameterValue> {
    const values = initialValues(model, seed);
    for (const { name, parameters, outputShape } of model.layers) {
      for (const { name: own, shape } of parameters) {
        const random = (spread: number) =>
          Float32Array.from(
            { length: shape[0] ?? 1 },
            (_, i) => spread * (2 * uniform01(seed, sum(own), i) - 1),
          );
        const isLast = outputShape.at(-1) === 1;
        if (own === 'gamma')
          values.set(
            `${name}/gamma`,
            random(1).map((g) => (Math.abs(g) < 0.05 ? 0 : g)),
          );
        if (own === 'beta') values.set(`${name}/beta`, random(1));
        if (own === 'runningMean') values.set(`${name}/runningMean`, random(9));
        if (own === 'runningVariance')
          values.set(
            `${name}/runningVariance`,
            random(50).map((v) => v + 60),
          );
        if (own === 'gamma' && isLast) values.set(`${name}/gamma`, new Float32Array([-0.5]));
      }
    }
    return values;
  }
  const sum = (text: string) => [...text].reduce((total, letter) => total + letter.charCodeAt(0), 0);

  test.each<[string, (options: ModelOptions) => Model, ModelOptions, number]>([
    ['tfc', tfc, { input: [28, 28, 1], classes: 10 }, 200],
    ['sfc', sfc, { input: [28, 28, 1], classes: 47 }, 100],
    ['lfc', lfc, { input: [28, 28, 1], classes: 10 }, 50],
    ['cnv', cnv, { input: [32, 32, 3], classes: 43 }, 12],
  ])('%s gives the labels that it gave', async (_, make, options, count) => {
    const model = make(options);
    const values = stirred(model, 3);
    const written = encodeBnnPynq(model, values, { pixels: '-1:1' });
    const read = readBnnPynq(written);
    expect(read.classes).toHaveLength(options.classes);
    expect(differing(encodeBnnPynq(read.model, read.values, read), written)).toEqual([]);
    const images = Uint8Array.from({ length: count * sizeOf(options.input) }, (_, i) =>
      Math.floor(256 * uniform01(5, 5, i)),
    );
    using trained = await Network.create(gpu(), model, { values });
    const before = await trained.predict(encodePixels(images, options.input, PIXEL_RANGES['-1:1']));
    using runner = await Network.create(gpu(), read.model, { values: read.values, forInference: true });
    const after = await runner.predict(read.prepare(images));
    const labels = labelsOf(before, options.classes);
    expect(labelsOf(after, options.classes)).toEqual(labels);
    expect(new Set(labels).size).toBeGreaterThan(2);
  });

  test('a folding that is asked for is read back, and one that does not divide is refused', () => {
    const model = tfc({ input: [28, 28, 1], classes: 10 });
    const values = initialValues(model, 1);
    const folding = [
      { pe: 16, simd: 49 },
      { pe: 8, simd: 8 },
      { pe: 64, simd: 64 },
      { pe: 10, simd: 1 },
    ];
    const files = encodeBnnPynq(model, values, { pixels: '-1:1', folding });
    expect(files.get('0-15-weights.bin')).toHaveLength(8 * 4 * 16);
    expect(readBnnPynq(files).values).toEqual(
      readBnnPynq(encodeBnnPynq(model, values, { pixels: '-1:1' })).values,
    );
    const wrong = [{ pe: 5, simd: 49 }, ...folding.slice(1)];
    expect(() => encodeBnnPynq(model, values, { pixels: '-1:1', folding: wrong })).toThrow(
      /dense1[\s\S]*pe 5/,
    );
  });

  const small = { input: [28, 28, 1], classes: 10 };
  const binary = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
  const dense = (...layers: Layer[]) => sequential([flatten(), ...layers], { input: [28, 28, 1] });
  test.each<[string, Model, RegExp]>([
    ['a model of this library that was not made for it', mlp(small), /norm3[\s\S]*one scale and one shift/],
    [
      'real pixels',
      dense(quantDense({ name: 'd', units: 10, kernelQuantizer: 'steSign' })),
      /where: +d[\s\S]*one bit a pixel/,
    ],
    [
      'a normalisation by class at the end',
      dense(quantDense({ units: 10, ...binary }), batchNormalization({ name: 'norm' })),
      /norm[\s\S]*one scale and one shift[\s\S]*reshape/,
    ],
    [
      'a bias',
      dense(quantDense({ name: 'd', units: 10, ...binary, useBias: true })),
      /where: +d[\s\S]*adds a bias/,
    ],
    [
      'real weights',
      dense(layers.dense({ name: 'real', units: 10 })),
      /where: +real[\s\S]*more than one bit/,
    ],
    [
      'an activation',
      dense(
        quantDense({ units: 8, ...binary }),
        layers.relu({ name: 'r' }),
        quantDense({ units: 4, ...binary }),
      ),
      /where: +r[\s\S]*only normalisations/,
    ],
    ['padding', binarynet({ input: [32, 32, 3], classes: 10 }), /conv1[\s\S]*without padding/],
    ['other images', tfc({ input: [32, 32, 1], classes: 10 }), /32, 32, 1[\s\S]*28, 28, 1/],
    ['too many classes', tfc({ input: [28, 28, 1], classes: 65 }), /65 names[\s\S]*at most 64/],
  ])('%s is refused, with the layer and the reason', (_, model, message) => {
    const values = stirred(model, 1);
    expect(() => encodeBnnPynq(model, values, { pixels: '-1:1' })).toThrow(message);
  });

  test('pixels that the accelerator takes in another way are refused', () => {
    const model = tfc(small);
    const values = initialValues(model, 1);
    expect(() => encodeBnnPynq(model, values, { pixels: '0:1' })).toThrow(/dense1[\s\S]*pixels from −1 to 1/);
    const image = cnv({ input: [32, 32, 3], classes: 10 });
    expect(() => encodeBnnPynq(image, initialValues(image, 1))).toThrow(/pixels: '-1:1'/);
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
