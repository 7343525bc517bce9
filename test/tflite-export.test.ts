/** Networks of this library written as `.tflite` for Larq Compute Engine, and read again: the same results, one bit a weight. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { signOfNormalized, signOfScaled } from '../src/formats/comparisons.ts';
import { loadModel } from '../src/formats/index.ts';
import { parseTflite } from '../src/formats/tflite/container.ts';
import { exportTflite, importTflite } from '../src/formats/tflite/index.ts';
import { type Gpu, sizeOf } from '../src/gpu/index.ts';
import {
  apply,
  foldForInference,
  initialValues,
  input,
  type Model,
  model,
  Network,
  type ParameterValues,
  packedValue,
  sequential,
  summarize,
} from '../src/graph/index.ts';
import {
  add,
  affine,
  averagePool2d,
  batchNormalization,
  binaryConv2d,
  binaryDense,
  concat,
  conv2d,
  dense,
  divide,
  dropout,
  elementwiseAffine,
  flatten,
  globalAveragePool2d,
  type Layer,
  leakyRelu,
  maximum,
  maxPool2d,
  minimum,
  multiply,
  pad2d,
  prelu,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  quantSeparableConv2d,
  relu,
  reshape,
  sigmoid,
  sign,
  signPool2d,
  slice,
  softmax,
  subtract,
  tanh,
  threshold,
  transpose,
} from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { cnn, mlp } from '../src/zoo/index.ts';
import { walk } from './helpers/flat-walk.ts';
import { expectClose, expectSame, useGpu } from './helpers/gpu.ts';
import { disassemble } from './helpers/tflite.ts';
import { evaluate } from './helpers/tflite-reference.ts';

type Values = Map<string, Float32Array<ArrayBuffer>>;

/** Values as a training might leave them: scales of either sign, means and limits in the range of the sums. */
function trainedValues(network: Model, seed: number): Values {
  const values = initialValues(network, seed);
  let stream = 0;
  for (const { name, inputShapes, parameters } of network.layers) {
    const depth = Math.sqrt(sizeOf(inputShapes[0] ?? [1]) + 1);
    const ranges: Record<string, readonly [number, number]> = {
      gamma: [-1.5, 1.5],
      beta: [-1, 1],
      runningMean: [-0.3 * depth, 0.3 * depth],
      runningVariance: [0.5, depth],
      scale: [-2, 2],
      shift: [-3, 3],
      bias: [-2, 2],
      multiplier: [-2, 2],
      slope: [-1, 1],
      threshold: [-5, 5],
    };
    for (const spec of parameters) {
      const own = stream++;
      const range = ranges[spec.name];
      const data = values.get(`${name}/${spec.name}`);
      if (range === undefined && spec.name !== 'direction') continue;
      const [low, high] = range ?? [-1, 1];
      data?.forEach((_, i) => {
        const drawn = low + (high - low) * uniform01(seed, 900 + own, i);
        const isWhole = spec.name === 'threshold';
        data[i] =
          spec.name === 'direction' ? Math.sign(Math.round(3 * drawn)) : isWhole ? Math.round(drawn) : drawn;
      });
    }
  }
  return values;
}

/** Samples whose sums are exact in f32: eighths. */
function samples(network: Model, count: number, seed: number): Float32Array<ArrayBuffer> {
  const length = count * sizeOf(network.inputShape);
  return Float32Array.from({ length }, (_, i) => Math.round(16 * uniform01(seed, 5, i) - 8) / 8);
}

async function outputs(
  gpu: Gpu,
  source: Model,
  values: Parameters<typeof exportTflite>[1],
  data: Float32Array<ArrayBuffer>,
) {
  using network = await Network.create(gpu, source, { values });
  return await network.predict(data);
}

/**
 * Runs a network, and what is read from the file that it was written to; the file's first sample also by the plain
 * evaluator, which knows nothing of this library's layers.
 */
async function bothWays(gpu: Gpu, source: Model, values: ParameterValues, data: Float32Array<ArrayBuffer>) {
  const bytes = exportTflite(source, values);
  const read = importTflite(bytes);
  const [before, after] = [
    await outputs(gpu, source, values, data),
    await outputs(gpu, read.model, read.values, data),
  ];
  const file = disassemble(bytes);
  const first = evaluate(file, [...data.subarray(0, sizeOf(source.inputShape))])[file.outputs[0] ?? 0];
  const length = sizeOf(source.outputShape);
  expectClose(first?.values ?? [], before.subarray(0, length), 1e-5, 'in the evaluator');
  return { bytes, read, before, after };
}

const BINARY = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
const kindsIn = (bytes: Uint8Array) => parseTflite(bytes).operators.map(({ kind }) => kind);

describe('exportTflite', () => {
  const gpu = useGpu();

  test('a dense network: all binary weights are one bit, and the scores are the same', async () => {
    const network = mlp({ input: [28, 28, 1], classes: 10, units: 70 });
    const values = trainedValues(network, 3);
    const { bytes, before, after, read } = await bothWays(gpu(), network, values, samples(network, 20, 1));
    expectClose(after, before, 1e-6);
    const { total } = summarize(read.model);
    expect(total.binaryParameters).toBe(summarize(network).total.binaryParameters);
    expect(total.operations).toEqual(summarize(network).total.operations);
    expect(bytes.length).toBeLessThan(total.bytes + 8000);
  });

  test('a convolutional network: packed bits and scores are the same', async () => {
    const network = cnn({ input: [28, 28, 1], classes: 10 });
    const values = trainedValues(network, 4);
    const { before, after, read } = await bothWays(gpu(), network, values, samples(network, 4, 2));
    expectClose(after, before, 1e-6);
    const wordsOf = (source: Model, all: Parameters<typeof exportTflite>[1]) =>
      source.layers.flatMap(({ name, parameters }) =>
        parameters
          .filter(({ role }) => role === 'binary')
          .map(({ name: own, shape }) => {
            const value = all.get(`${name}/${own}`);
            return value === undefined ? 0 : packedValue(value, shape, name).words.length;
          }),
      );
    expect(wordsOf(read.model, read.values).reduce((sum, count) => sum + count, 0)).toBe(
      wordsOf(network, values).reduce((sum, count) => sum + count, 0),
    );
  });

  test('what is written is a model that loadModel reads, and classifies alike', async () => {
    const network = mlp({ input: [8, 8, 1], classes: 5, units: 40 });
    const values = trainedValues(network, 9);
    const loaded = await loadModel(exportTflite(network, values));
    expect(loaded.format).toBe('TFLite');
    using classifier = await loaded.createClassifier(gpu(), { pixels: '0:1' });
    const pixels = Uint8Array.from({ length: 6 * 64 }, (_, i) => Math.floor(256 * uniform01(1, 2, i)));
    const { results } = await classifier.classify(pixels, { top: 1 });
    const scores = await outputs(gpu(), network, values, loaded.prepare(pixels, '0:1'));
    const labels = results.map((_, sample) => {
      const own = scores.subarray(5 * sample, 5 * sample + 5);
      return own.indexOf(Math.max(...own));
    });
    expect(results.map(([first]) => first?.label)).toEqual(labels);
  });

  test('bits pass through pooling, and negative scales flip filters', async () => {
    const network = sequential(
      [
        quantConv2d({ filters: 40, kernelSize: 3, ...BINARY, padding: 'same', padValue: 1, name: 'a' }),
        threshold({ name: 'b' }),
        maxPool2d({ poolSize: 2 }),
        quantConv2d({ filters: 33, kernelSize: 2, ...BINARY, name: 'c' }),
        batchNormalization({ name: 'd' }),
        sign(),
      ],
      { input: [6, 6, 35] },
    );
    const { bytes, before, after } = await bothWays(
      gpu(),
      network,
      trainedValues(network, 5),
      samples(network, 5, 3),
    );
    expectSame(after, before);
    expect(kindsIn(bytes)).toEqual([
      'LceQuantize',
      'LceBconv2d',
      'LceBMaxPool2d',
      'LceBconv2d',
      'LceDequantize',
    ]);
  });

  test('exact zero padding writes reals, which Larq can run, and quantizes them', async () => {
    const network = sequential(
      [
        quantConv2d({ filters: 40, kernelSize: 3, ...BINARY, padding: 'same' }),
        batchNormalization(),
        quantConv2d({ filters: 5, kernelSize: 1, ...BINARY, padding: 'same' }),
      ],
      { input: [5, 4, 34] },
    );
    const { bytes, before, after } = await bothWays(
      gpu(),
      network,
      trainedValues(network, 6),
      samples(network, 5, 4),
    );
    expectSame(after, before);
    expect(kindsIn(bytes)).toEqual(['LceQuantize', 'LceBconv2d', 'LceQuantize', 'LceBconv2d']);
  });

  test('branches: residuals of reals, two readers of one sum, channels side by side', async () => {
    const start = input([6, 6, 32]);
    const bits = apply(sign(), start);
    const sum = apply(
      quantConv2d({ filters: 32, kernelSize: 3, ...BINARY, padding: 'same', padValue: 1 }),
      bits,
    );
    const normal = apply(batchNormalization(), sum);
    const joined = apply(add(), normal, start);
    const wide = apply(concat(), joined, sum, bits);
    const pooled = apply(averagePool2d({ poolSize: 2, padding: 'same' }), wide);
    const next = apply(quantConv2d({ filters: 9, kernelSize: 1, ...BINARY }), pooled);
    const flat = apply(globalAveragePool2d(), apply(maxPool2d({ poolSize: 2 }), next));
    const network = model({ input: start, output: apply(dense({ units: 4, useBias: true }), flat) });
    const { before, after } = await bothWays(
      gpu(),
      network,
      trainedValues(network, 7),
      samples(network, 3, 5),
    );
    expectClose(after, before, 1e-5);
  });

  test('every layer of reals', async () => {
    const start = input([9, 8, 6]);
    const first = apply(conv2d({ filters: 6, kernelSize: 3, padding: 'same', useBias: true }), start);
    const framed = apply(
      pad2d({
        padding: [
          [1, 0],
          [0, 2],
        ],
      }),
      apply(relu(), apply(batchNormalization(), first)),
    );
    const depthwise = apply(
      conv2d({ filters: 12, kernelSize: [2, 3], groups: 6, dilations: [2, 1] }),
      framed,
    );
    const frame = [
      [1, 1],
      [0, 0],
    ] as const;
    const next = apply(conv2d({ filters: 6, kernelSize: 1, padding: frame }), depthwise);
    const six = apply(relu({ maximum: 6 }), next);
    const sum = apply(add(), six, apply(relu({ minimum: -1, maximum: 1 }), next));
    const wide = apply(concat(), apply(multiply(), sum, six), sum, next);
    const pooled = apply(maxPool2d({ poolSize: [2, 1], strides: 1, padding: 'same' }), wide);
    const means = apply(averagePool2d({ poolSize: 2, padding: 'same' }), pooled);
    const flat = apply(globalAveragePool2d(), apply(prelu(), apply(affine(), means)));
    const shaped = apply(flatten(), apply(reshape({ shape: [3, 6] }), flat));
    const network = model({ input: start, output: apply(softmax(), apply(dense({ units: 5 }), shaped)) });
    const { before, after } = await bothWays(
      gpu(),
      network,
      trainedValues(network, 10),
      samples(network, 3, 6),
    );
    expectClose(after, before, 1e-5);
  });

  test('a folded network: fused thresholds, residuals, slopes, and pooling of either direction', async () => {
    const start = input([8, 8, 3]);
    const stem = apply(quantConv2d({ filters: 32, kernelSize: 3, kernelQuantizer: 'steSign' }), start);
    const bits = apply(batchNormalization(), stem);
    const pooled = apply(
      maxPool2d({ poolSize: 2 }),
      apply(quantConv2d({ filters: 32, kernelSize: 3, ...BINARY }), bits),
    );
    const normal = apply(batchNormalization(), pooled);
    const side = apply(
      quantConv2d({ filters: 32, kernelSize: 3, ...BINARY, padding: 'same', padValue: 1 }),
      normal,
    );
    const joined = apply(prelu(), apply(add(), apply(batchNormalization(), side), apply(sign(), normal)));
    const head = apply(quantDense({ units: 6, ...BINARY }), apply(flatten(), joined));
    const network = model({ input: start, output: apply(batchNormalization(), head) });
    const folded = foldForInference(network, trainedValues(network, 11));
    const { before, after } = await bothWays(gpu(), folded.model, folded.values, samples(network, 3, 7));
    expectClose(after, before, 1e-5);
  });

  test('layers for inference: clamps, residuals and slopes of binary ones, pooling of either direction', async () => {
    const start = input([6, 6, 40]);
    const shape = { filters: 33, kernelSize: 3, padding: 'same', padValue: 1 } as const;
    const signs = (['relu', 'relu6', 'reluN1To1'] as const).map((activation) =>
      apply(binaryConv2d({ ...shape, activation, output: 'signs' }), start),
    );
    const pooled = apply(signPool2d({ poolSize: 2, strides: 1, padding: 'same' }), apply(concat(), ...signs));
    const narrow = apply(
      binaryConv2d({ ...shape, kernelSize: 1, output: 'real', activation: 'relu6' }),
      pooled,
    );
    const side = apply(
      binaryConv2d({ ...shape, padValue: 0, output: 'real', residual: true, prelu: true }),
      pooled,
      narrow,
    );
    const head = apply(binaryDense({ units: 4, output: 'real' }), apply(flatten(), side));
    const network = model({ input: start, output: head });
    const { before, after } = await bothWays(
      gpu(),
      network,
      trainedValues(network, 12),
      samples(network, 3, 8),
    );
    expectClose(after, before, 1e-5);
  });

  test('the file is as small as the summary says', () => {
    const network = sequential(
      [
        quantConv2d({ filters: 256, kernelSize: 3, ...BINARY }),
        threshold(),
        flatten(),
        quantDense({ units: 10, ...BINARY }),
      ],
      { input: [4, 4, 256] },
    );
    const bytes = exportTflite(network, trainedValues(network, 8));
    expect(bytes.length).toBeGreaterThan((256 * 256 * 9 + 10 * 1024) / 8);
    expect(bytes.length).toBeLessThan(1.05 * summarize(network).total.bytes + 3000);
  });

  test('random networks of binary and real layers give the same signs and integers', async () => {
    const block = fc.record({
      kind: fc.constantFrom('binary', 'real', 'binaryOfReals', 'signsOnly'),
      filters: fc.integer({ min: 1, max: 40 }),
      size: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      strides: fc.constantFrom<readonly [number, number]>([1, 1], [2, 1], [2, 2]),
      padding: fc.constantFrom('same', 'valid'),
      padValue: fc.constantFrom<0 | 1>(0, 1),
      after: fc.constantFrom(
        'nothing',
        'threshold',
        'normalization',
        'pool',
        'poolThreshold',
        'sign',
        'affine',
      ),
      useBias: fc.boolean(),
    });
    const networks = fc.record({
      channels: fc.integer({ min: 1, max: 36 }),
      blocks: fc.array(block, { minLength: 1, maxLength: 3 }),
      head: fc.boolean(),
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(networks, async ({ channels, blocks, head, seed }) => {
        const layers: Layer[] = blocks.flatMap((one) => {
          const shape = {
            filters: one.filters,
            kernelSize: one.size,
            strides: one.strides,
            padding: one.padding,
          };
          const isInteger = one.kind === 'binary';
          const first = {
            binary: () => quantConv2d({ ...shape, ...BINARY, padValue: one.padValue }),
            real: () => conv2d({ ...shape, useBias: one.useBias }),
            binaryOfReals: () => quantConv2d({ ...shape, kernelQuantizer: 'steSign', useBias: one.useBias }),
            signsOnly: () => quantConv2d({ ...shape, inputQuantizer: 'steSign' }),
          }[one.kind]();
          const after = {
            nothing: () => [],
            threshold: () => [threshold()],
            // Sums of reals may be rounded in another order; their signs are read with a margin.
            normalization: () => (isInteger ? [batchNormalization(), sign()] : [batchNormalization()]),
            pool: () => [maxPool2d({ poolSize: 2, strides: 1, padding: 'same' })],
            poolThreshold: () => [maxPool2d({ poolSize: [1, 2], strides: 1, padding: 'same' }), threshold()],
            sign: () => [sign()],
            affine: () => (isInteger ? [affine(), sign()] : [affine()]),
          }[one.after]();
          return [first, ...after];
        });
        const tail = head ? [dropout({ rate: 0.1 }), flatten(), quantDense({ units: 7, ...BINARY })] : [];
        const network = fitting([...layers, ...tail], [9, 8, channels]);
        fc.pre(network !== undefined);
        const { before, after } = await bothWays(
          gpu(),
          network,
          exactValues(network, seed),
          samples(network, 2, seed),
        );
        expectClose(after, before, 1e-5);
      }),
      { seed: 12, numRuns: 12 },
    );
  });

  test('depthwise and separable layers, whatever they binarize: the same scores and the same packed bits', async () => {
    const start = input([9, 8, 6]);
    const signs = { inputQuantizer: 'steSign', depthwiseQuantizer: 'steSign' } as const;
    const first = apply(
      quantDepthwiseConv2d({ kernelSize: [2, 3], depthMultiplier: 2, useBias: true, ...signs }),
      start,
    );
    const second = apply(
      quantDepthwiseConv2d({ kernelSize: 3, strides: 2, padding: 'same', ...signs }),
      first,
    );
    const third = apply(
      quantSeparableConv2d({
        filters: 7,
        kernelSize: 2,
        ...signs,
        pointwiseQuantizer: 'steSign',
        useBias: true,
      }),
      second,
    );
    const fourth = apply(
      quantSeparableConv2d({ filters: 4, kernelSize: 2, dilations: [1, 2], padding: 'same' }),
      third,
    );
    const source = model({ input: start, output: fourth });
    const values = trainedValues(source, 13);
    const { before, after, read, bytes } = await bothWays(gpu(), source, values, samples(source, 2, 9));
    expectClose(after, before, 1e-5);
    const bitsOf = (own: Model, all: ParameterValues) =>
      own.layers.flatMap(({ name, parameters }) =>
        parameters
          .filter(({ role }) => role === 'binary')
          .map((spec) => {
            const value = all.get(`${name}/${spec.name}`);
            return value === undefined ? [] : [...packedValue(value, spec.shape, name).words];
          }),
      );
    expect(bitsOf(read.model, read.values)).toEqual(bitsOf(source, values));
    expect(kindsIn(bytes).filter((kind) => kind === 'DEPTHWISE_CONV_2D')).toHaveLength(4);
  });

  test('pad values of −1, and frames that are neither same nor valid', async () => {
    const frame = [
      [1, 2],
      [0, 1],
    ] as const;
    const layers = [
      quantConv2d({ filters: 33, kernelSize: 3, padding: 'same', padValue: -1, kernelQuantizer: 'steSign' }),
      quantConv2d({ filters: 5, kernelSize: 3, padding: 'same', padValue: -1, ...BINARY }),
      quantConv2d({ filters: 6, kernelSize: 2, padding: frame, padValue: 1, strides: 2, ...BINARY }),
      quantConv2d({ filters: 6, kernelSize: 2, padding: frame, padValue: 0, groups: 3, ...BINARY }),
      quantConv2d({ filters: 3, kernelSize: 3, padding: 'same', padValue: -1, groups: 3, ...BINARY }),
      batchNormalization(),
      quantDepthwiseConv2d({
        ...{
          kernelSize: 3,
          padding: 'same',
          padValue: -1,
          inputQuantizer: 'steSign',
          depthwiseQuantizer: 'steSign',
        },
      }),
      batchNormalization(),
      quantConv2d({ filters: 2, kernelSize: 3, padding: 'same', padValue: -1, inputQuantizer: 'steSign' }),
    ];
    const source = sequential(layers, { input: [6, 5, 2] });
    const values = trainedValues(source, 14);
    const { before, after } = await bothWays(gpu(), source, values, samples(source, 2, 10));
    expectClose(after, before, 1e-5);
    const folded = foldForInference(source, values);
    const again = await bothWays(gpu(), folded.model, folded.values, samples(source, 2, 10));
    expectClose(again.after, before, 1e-5);
  });

  test('curves, slices, differences, extremes, bounds and constants of whole tensors', async () => {
    const start = input([4, 5, 3]);
    const bent = apply(leakyRelu({ alpha: 0.125 }), apply(tanh(), start));
    const part = apply(slice({ begin: [3, 0, 1], size: [2, 5, 2], strides: [-3, 1, 1] }), bent);
    const whole = apply(elementwiseAffine(), part);
    const low = apply(minimum(), whole, part);
    const gap = apply(subtract(), apply(maximum(), whole, part), apply(leakyRelu(), low));
    const ratio = apply(divide(), gap, apply(relu({ minimum: 0.5, maximum: 2 }), part));
    const turned = apply(transpose({ permutation: [1, 2, 0] }), apply(relu({ minimum: -0.25 }), ratio));
    const framed = apply(
      pad2d({
        padding: [
          [1, 0],
          [0, 1],
        ],
        value: 0.5,
      }),
      turned,
    );
    const source = model({
      input: start,
      output: apply(sigmoid(), apply(dense({ units: 1 }), apply(flatten(), framed))),
    });
    const { before, after } = await bothWays(
      gpu(),
      source,
      trainedValues(source, 15),
      samples(source, 3, 11),
    );
    expectClose(after, before, 1e-5);
  });

  test('weights that are rotated before their signs are taken are written as they are used', async () => {
    const source = sequential(
      [quantConv2d({ filters: 3, kernelSize: 3, kernelRotation: { seed: 4 } }), flatten()],
      {
        input: [4, 4, 2],
      },
    );
    const { before, after } = await bothWays(
      gpu(),
      source,
      trainedValues(source, 16),
      samples(source, 2, 12),
    );
    expectClose(after, before, 1e-5);
  });

  test('several inputs and outputs keep their names, folded too', async () => {
    const [image, mask] = [input([4, 4, 3]), input([4, 4, 3])];
    const joined = apply(multiply(), image, mask);
    const sums = apply(quantConv2d({ filters: 33, kernelSize: 2, ...BINARY }), joined);
    const scores = apply(
      quantDense({ units: 3, ...BINARY }),
      apply(flatten(), apply(batchNormalization(), sums)),
    );
    const source = model({
      input: { image, mask },
      output: {
        features: sums,
        scores,
        same: apply(flatten(), sums),
        copy: apply(dropout({ rate: 0.5 }), image),
      },
    });
    const values = trainedValues(source, 17);
    const folded = foldForInference(source, values);
    const given = [samples(source, 2, 13), samples(source, 2, 14)];
    using network = await Network.create(gpu(), source, { values });
    const expected = await network.predict(given);
    for (const [one, own] of [
      [source, values],
      [folded.model, folded.values],
    ] as const) {
      const read = importTflite(exportTflite(one, own));
      expect(read.model.inputs.map(({ name }) => name)).toEqual(['image', 'mask']);
      using again = await Network.create(gpu(), read.model, { values: read.values });
      const results = await again.predict({
        mask: given[1] ?? new Float32Array(),
        image: given[0] ?? new Float32Array(),
      });
      expect(Object.keys(results)).toEqual(['features', 'scores', 'same', 'copy']);
      for (const [name, wanted] of Object.entries(expected))
        expectClose(results[name] ?? [], wanted, 1e-5, name);
    }
  });

  test('the file holds to the schema, walked without this library: tensors, operators, alignment, metadata', () => {
    const source = sequential(
      [
        quantConv2d({ name: 'stem', filters: 40, kernelSize: 3, ...BINARY }),
        flatten(),
        quantDense({ units: 2, ...BINARY, name: 'head' }),
        sigmoid(),
      ],
      { input: [4, 4, 35], name: 'walked' },
    );
    const values = trainedValues(source, 18);
    const metadata = { 'webgpu_bnn.pixels': '{"scale":[1]}', note: 'ζ' };
    const bytes = exportTflite(source, values, { metadata });
    const file = walk(bytes);
    expect(file).toMatchObject({ identifier: 'TFL3', version: 3, description: 'walked', metadata });
    expect(file.operators.map(({ code, custom }) => custom || code)).toEqual([
      // 40 channels don't fill their words: rows are made of other lengths as reals.
      ...[
        'LceQuantize',
        'LceBconv2d',
        'LceQuantize',
        'LceDequantize',
        22,
        'LceQuantize',
        'LceBconv2d',
        22,
        14,
      ],
    ]);
    for (const { inputs, outputs } of file.operators) {
      for (const index of [...inputs, ...outputs]) expect(index).toBeLessThan(file.tensors.length);
    }
    const ends = [...file.inputs, ...file.outputs].map((index) => file.tensors[index]);
    expect(ends).toMatchObject([
      { name: 'input', shape: [1, 4, 4, 35], type: 0 },
      { name: 'output', shape: [1, 2], type: 0 },
    ]);
    const sizes: Record<number, number> = { 0: 4, 2: 4 };
    for (const { data, shape, type, offset, name } of file.tensors) {
      if (data.length === 0) continue;
      expect(offset % 16, name).toBe(0);
      expect(data.length, name).toBe((sizes[type] ?? 0) * shape.reduce((a, b) => a * b, 1));
    }
    for (const name of ['stem', 'head']) {
      const entry = source.layers.find((layer) => layer.name === name);
      const value = values.get(`${name}/kernel`);
      if (entry === undefined || value === undefined) throw new Error(name);
      const { words } = packedValue(value, entry.parameters[0]?.shape ?? [], name);
      const stored = file.tensors.map(({ data }) => [...new Uint32Array(new Uint8Array(data).buffer)]);
      expect(stored, name).toContainEqual([...words]);
    }
    expect([...importTflite(bytes).metadata]).toEqual(Object.entries(metadata));
    expect(() => exportTflite(source, values, { metaData: {} } as never)).toThrow(/did you mean metadata/);
  });

  test('layers without an operator are listed before anything is written', () => {
    const network = sequential(
      [
        { ...dense({ units: 3 }), kind: 'holography' },
        { ...sign({ name: 's' }), kind: 'telepathy' },
      ],
      { input: [4] },
    );
    const write = () => exportTflite(network, initialValues(network, 1));
    expect(write).toThrow(OptionError);
    expect(write).toThrow(/holography[\s\S]*telepathy \(s\)/);
  });
});

/** A chain of layers, if windows are no larger than the images that come to them. */
function fitting(layers: readonly Layer[], shape: readonly number[]): Model | undefined {
  try {
    return sequential(layers, { input: shape });
  } catch (error) {
    if (error instanceof ShapeError) return undefined;
    throw error;
  }
}

/** Real weights in eighths, so that sums of samples in eighths are exact whatever their order. */
function exactValues(network: Model, seed: number): Values {
  const values = trainedValues(network, seed);
  for (const { name, parameters, layer } of network.layers) {
    for (const spec of parameters) {
      const data = values.get(`${name}/${spec.name}`);
      const isSum = layer.kind === 'conv2d' || layer.kind === 'quantConv2d' || layer.kind === 'quantDense';
      if (isSum && spec.role !== 'binary') data?.set(data.map((value) => Math.round(8 * value) / 8));
    }
  }
  return values;
}

describe('signs as comparisons', () => {
  const f = Math.fround;
  /** Numbers whose products don't underflow. */
  const normal = (min: number, max: number) =>
    fc.float({ min: f(min), max: f(max), noNaN: true }).map((value) => (Math.abs(value) < 1e-12 ? 0 : value));
  const near = (limit: number) => {
    const spacing = 2 ** Math.max(-149, Math.floor(Math.log2(Math.abs(limit) || 1e-30)) - 23);
    return [-2, -1, 0, 1, 2].map((step) => f(limit + step * spacing));
  };

  test('x·scale + shift, rounded, on both sides of the limit', () => {
    const float = normal(-100, 100);
    fc.assert(
      fc.property(float, float, (scale, shift) => {
        const { direction, limit } = signOfScaled([scale], [shift]);
        const [side = 0, least = 0] = [direction[0], limit[0]];
        for (const x of [...near(side * least), 0, 1, -1, 1e6, -1e6]) {
          if (Math.abs(x) < 2 ** -100 && x !== 0) continue;
          expect(side * x >= least, `x = ${x}`).toBe(f(f(x * scale) + shift) >= 0);
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  test('a normalisation, rounded, on both sides of the limit', () => {
    fc.assert(
      fc.property(normal(-3, 3), normal(-3, 3), normal(-50, 50), normal(0.01, 400), (g, b, m, v) => {
        const { direction, limit } = signOfNormalized([g], [b], [m], [v], 1e-3);
        const scale = f(f(1 / f(Math.sqrt(f(v + f(1e-3))))) * g);
        const [side = 0, least = 0] = [direction[0], limit[0]];
        for (const x of [...near(side * least), 0, 7, -7, 1e6, -1e6]) {
          if (Math.abs(x) < 2 ** -100 && x !== 0) continue;
          expect(side * x >= least, `x = ${x}`).toBe(f(f(f(x - m) * scale) + b) >= 0);
        }
      }),
      { seed: 2, numRuns: 2000 },
    );
  });
});
