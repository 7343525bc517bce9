/** ONNX files that this library writes: read again, evaluated in float64, and run by ONNX Runtime. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import * as ort from 'onnxruntime-web';
import { describe, expect, test } from 'vitest';
import { parseCifar10 } from '../src/data/index.ts';
import { FormatError, OptionError } from '../src/errors.ts';
import { readBnnPynq } from '../src/formats/index.ts';
import { exportOnnx, importOnnx } from '../src/formats/onnx.ts';
import { sizeOf } from '../src/gpu/index.ts';
import {
  apply,
  foldForInference,
  fuseLayers,
  input,
  type Model,
  model,
  Network,
  type ParameterValues,
  packedValue,
  sequential,
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
  LAYER_KINDS,
  type Layer,
  leakyRelu,
  maximum,
  maxPool2d,
  minimum,
  multiply,
  multiThreshold,
  pad2d,
  prelu,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  quantize,
  quantSeparableConv2d,
  relu,
  requantize,
  reshape,
  rotate,
  selu,
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
import { normal, uniform01 } from '../src/numerics/random.ts';
import { cnn, mlp } from '../src/zoo/index.ts';
import { expectClose, useGpu } from './helpers/gpu.ts';
import { EXAMPLES, IN_PARTS } from './helpers/layer-examples.ts';
import { channelsLast, evaluateOnnx } from './helpers/onnx-evaluator.ts';

const BINARY = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;

/** Parameters that make sense by their names: steps and variances positive, directions signs, thresholds halves. */
function valuesOf(source: Model, seed: number): Map<string, Float32Array<ArrayBuffer>> {
  const make: Readonly<Record<string, (x: number) => number>> = {
    direction: (x) => Math.sign(Math.round(1.2 * x)),
    threshold: (x) => Math.round(6 * x) / 2,
    thresholds: (x) => Math.round(6 * x) / 2,
    runningVariance: (x) => 0.5 + Math.abs(x),
    multiplier: (x) => (Math.round(4 * x) + 0.5) / 4,
    zeroPoint: (x) => Math.round(x),
  };
  return new Map(
    source.layers.flatMap(({ name, layer, parameters }, index) =>
      parameters.map((spec, place) => {
        const steps = spec.name === 'scale' && /quantize/.test(layer.kind);
        const always = layer.kind === 'signPool2d' ? (x: number) => (x < 0 ? -1 : 1) : undefined;
        const shaped = steps ? () => 0.25 : (always ?? make[spec.name] ?? ((x: number) => x));
        const data = Float32Array.from({ length: sizeOf(spec.shape) }, (_, i) =>
          shaped(normal(seed, 40 + 8 * index + place, i)),
        );
        return [`${name}/${spec.name}`, data] as const;
      }),
    ),
  );
}

/** Samples in quarters, off the thresholds; whole numbers for layers that take integers. */
function samplesOf(source: Model, count: number, seed: number): Float32Array<ArrayBuffer> {
  const isWhole = source.layers.some(({ layer }) => layer.config.inputIntegers !== undefined);
  const [step, shift] = isWhole ? [1, 0] : [0.25, 0.125];
  return Float32Array.from(
    { length: count * sizeOf(source.inputShape) },
    (_, i) => (Math.round(16 * uniform01(seed, 7, i)) - 8) * step + shift,
  );
}

/** The packed bits of all binary parameters, in the model's order, as text: to compare arrays this large takes long. */
function wordsOf({ layers }: Model, values: ParameterValues): string[] {
  return layers.flatMap(({ name, parameters }) =>
    parameters
      .filter(({ role }) => role === 'binary')
      .map((spec) => {
        const full = `${name}/${spec.name}`;
        return packedValue(values.get(full) ?? new Float32Array(), spec.shape, full).words.join();
      }),
  );
}

/** One sample [..., channels] as [1, channels, ...]. */
function channelsFirst(x: Float32Array, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const channels = shape.at(-1) ?? 1;
  const pixels = x.length / channels;
  return Float32Array.from(
    { length: x.length },
    (_, i) => x[(i % pixels) * channels + Math.floor(i / pixels)] ?? 0,
  );
}

describe('written and read again', () => {
  const gpu = useGpu();

  async function scoresOf(source: Model, values: ParameterValues, x: Float32Array<ArrayBuffer>) {
    using network = await Network.create(gpu(), source, { values, forInference: true });
    return await network.predict(x);
  }

  /** A model's scores, those of the file read again, and those of the file in float64. */
  async function roundTrip(source: Model, seed: number, tolerance: number, values = valuesOf(source, seed)) {
    const file = exportOnnx(source, values);
    const count = 3;
    const x = samplesOf(source, count, seed);
    const before = await scoresOf(source, values, x);
    const again = importOnnx(file);
    expect(again.model.inputShape).toEqual(source.inputShape);
    const after = await scoresOf(again.model, again.values, x);
    if (tolerance === 0) expect(after.map((value) => value + 0)).toEqual(before.map((value) => value + 0));
    else expectClose(after, before, tolerance, 'read again');
    const size = sizeOf(source.inputShape);
    const outputs = before.length / count;
    for (let sample = 0; sample < count; sample++) {
      const nchw = channelsFirst(x.subarray(sample * size, (sample + 1) * size), source.inputShape);
      const expected = channelsLast(evaluateOnnx(file, nchw));
      const got = before.subarray(sample * outputs, (sample + 1) * outputs);
      expectClose(got, expected, Math.max(tolerance, 1e-6), 'float64');
    }
    return { file, values, again };
  }

  const IMAGE = [5, 6, 3];
  const frame = [
    [1, 0],
    [0, 2],
  ] as const;
  /** Layers on an image, or on 7 features; 0: all scores the same to the bit. */
  const cases: readonly (readonly [
    name: string,
    layers: readonly Layer[],
    tolerance: number,
    shape?: number[],
  ])[] = [
    ['quantDense', [quantDense({ units: 5, ...BINARY })], 0, [7]],
    [
      'quantDense with a bias on reals',
      [quantDense({ units: 5, useBias: true, kernelQuantizer: 'steSign' })],
      1e-5,
      [7],
    ],
    ['dense', [dense({ units: 4, useBias: true })], 1e-5, [7]],
    [
      'conv2d in groups',
      [conv2d({ filters: 6, kernelSize: [2, 3], groups: 3, dilations: [2, 1], padding: 'same' })],
      1e-5,
    ],
    [
      'quantConv2d that pads with zeros',
      [quantConv2d({ filters: 4, kernelSize: 3, padding: 'same', ...BINARY })],
      0,
    ],
    [
      'quantConv2d that pads with ones, with strides',
      [quantConv2d({ filters: 4, kernelSize: 3, strides: [2, 1], padding: 'same', padValue: 1, ...BINARY })],
      0,
    ],
    [
      'quantConv2d that pads with minus ones where it likes',
      [quantConv2d({ filters: 4, kernelSize: 2, padding: frame, padValue: -1, ...BINARY })],
      0,
    ],
    [
      'quantConv2d with real weights',
      [quantConv2d({ filters: 4, kernelSize: 2, inputQuantizer: 'steSign' })],
      1e-5,
    ],
    ['batchNormalization', [batchNormalization()], 1e-5],
    [
      'batchNormalization without scale and shift',
      [batchNormalization({ scale: false, center: false })],
      1e-5,
    ],
    ['sign', [sign()], 0],
    ['threshold, both ways and constant', [threshold()], 0, [9]],
    ['threshold of an image', [threshold(), maxPool2d({ poolSize: 2 })], 0],
    ['affine', [affine()], 1e-5],
    ['relu', [relu()], 0],
    ['relu with bounds', [relu({ minimum: -0.5, maximum: 1 })], 0],
    ['prelu', [prelu()], 1e-5],
    ['elementwiseAffine', [elementwiseAffine()], 1e-5],
    ['sigmoid, tanh', [sigmoid(), tanh()], 1e-5],
    ['leakyRelu, selu', [leakyRelu({ alpha: 0.2 }), selu()], 1e-5],
    ['slice', [slice({ begin: [1, 5, 0], size: [2, 3, 2], strides: [2, -2, 2] })], 0],
    ['softmax of scores', [softmax()], 1e-5, [7]],
    ['softmax of pixels', [softmax()], 1e-5],
    ['quantize to values', [quantize({ bits: 3, rounding: 'floor' })], 1e-6],
    [
      'quantize to integers',
      [quantize({ bits: 4, signed: false, rounding: 'halfAwayFromZero', output: 'integers' })],
      0,
    ],
    ['multiThreshold', [multiThreshold({ levels: 3 })], 0],
    ['requantize', [requantize({ minimum: -3, maximum: 4, zeroPoint: -1 })], 0],
    ['pad2d', [pad2d({ padding: frame, value: 1.5 })], 0],
    ['maxPool2d with same padding', [maxPool2d({ poolSize: 3, strides: 2, padding: 'same' })], 0],
    ['averagePool2d with same padding', [averagePool2d({ poolSize: 3, strides: 2, padding: 'same' })], 1e-5],
    ['globalAveragePool2d', [globalAveragePool2d()], 1e-5],
    ['signPool2d', [signPool2d({ poolSize: 2 })], 0],
    ['flatten keeps the order', [flatten(), dense({ units: 3 })], 1e-5],
    ['reshape', [reshape({ shape: [10, 9] }), relu(), reshape({ shape: [3, 2, 5, 3] })], 0],
    ['rotate vectors', [rotate({ seed: 7 })], 1e-5, [11]],
    ['rotate pixels', [rotate({ seed: 8, rounds: 2 })], 1e-5],
    ['transpose', [transpose({ permutation: [2, 0, 1] })], 0],
    ['dropout', [dropout({ rate: 0.5 }), relu()], 0],
    [
      'binaryConv2d to reals',
      [
        binaryConv2d({
          filters: 4,
          kernelSize: 3,
          padding: 'same',
          activation: 'relu',
          output: 'real',
          prelu: true,
        }),
      ],
      1e-5,
    ],
    [
      'binaryConv2d to signs',
      [binaryConv2d({ filters: 4, kernelSize: 3, padding: 'same', padValue: 1, output: 'signs' })],
      0,
    ],
    [
      'binaryConv2d of integers',
      [binaryConv2d({ filters: 4, kernelSize: 3, padding: 'same', inputIntegers: 'int8', output: 'real' })],
      1e-5,
    ],
    [
      'weights that are signs after a rotation',
      [
        quantConv2d({ filters: 4, kernelSize: 2, kernelRotation: { seed: 5 } }),
        flatten(),
        quantDense({ units: 3, kernelRotation: {} }),
      ],
      1e-4,
    ],
    [
      'quantDepthwiseConv2d',
      [
        quantDepthwiseConv2d({
          kernelSize: 2,
          depthMultiplier: 2,
          inputQuantizer: 'steSign',
          depthwiseQuantizer: 'steSign',
          padding: 'same',
        }),
      ],
      0,
    ],
    [
      'quantSeparableConv2d',
      [
        quantSeparableConv2d({
          filters: 4,
          kernelSize: 3,
          inputQuantizer: 'steSign',
          depthwiseQuantizer: 'steSign',
          pointwiseQuantizer: 'steSign',
          padding: 'same',
          useBias: true,
        }),
      ],
      1e-5,
    ],
    ['binaryDense', [binaryDense({ units: 4, activation: 'reluN1To1', output: 'real' })], 1e-5, [7]],
    ['binaryDense to signs', [binaryDense({ units: 40, output: 'signs' })], 0, [7]],
    ...IN_PARTS.map((kind) => {
      const [layer, shape = []] = EXAMPLES[kind];
      // What has steps and channels is read as an image of one row.
      const isLine = shape.length === 2;
      const taken = isLine ? [reshape({ shape }), layer] : [layer];
      return [kind, taken, 1e-5, isLine ? [1, ...shape] : [...shape]] as [string, Layer[], number, number[]];
    }),
  ];

  for (const [name, layers, tolerance, shape = IMAGE] of cases) {
    test(name, async () => {
      await roundTrip(sequential(layers, { input: shape }), 3, tolerance);
    });
  }

  test('branches: add, subtract, multiply, divide, minimum, maximum, concat, a residual', async () => {
    const start = input(IMAGE);
    const a = apply(conv2d({ filters: 3, kernelSize: 1 }), start);
    const positive = apply(relu({ minimum: 1 }), start);
    const ratio = apply(divide(), apply(multiply(), apply(add(), a, start), a), positive);
    const less = apply(maximum(), apply(subtract(), ratio, start), apply(minimum(), ratio, start));
    const joined = apply(concat(), less, start);
    const residual = binaryConv2d({ filters: 6, kernelSize: 1, output: 'real', residual: true });
    await roundTrip(model({ input: start, output: apply(residual, joined, joined) }), 5, 1e-4);
  });

  test('scales of groups, which follow from the weights', async () => {
    const grouped = { kernelQuantizer: 'magnitudeAwareSign', groupScale: 12, useBias: true } as const;
    const source = sequential(
      [
        quantConv2d({ filters: 4, kernelSize: [2, 3], inputQuantizer: 'steSign', ...grouped }),
        flatten(),
        quantDense({ units: 4, ...grouped }),
      ],
      { input: [4, 5, 2] },
    );
    using network = await Network.create(gpu(), source, { values: valuesOf(source, 3) });
    await roundTrip(source, 3, 1e-5, await network.values());
  });

  test('every kind of layer is written', () => {
    const written = new Set(cases.flatMap(([, layers]) => layers.map(({ kind }) => kind)));
    const others = ['add', 'concat', 'divide', 'maximum', 'minimum', 'multiply', 'subtract'];
    expect([...written, ...others].sort()).toEqual([...LAYER_KINDS].sort());
  });

  const size = fc.integer({ min: 1, max: 3 });
  /** Small binary networks: convolutions with pools and normalisations, then dense ones. */
  const networks = fc.record({
    input: fc.tuple(fc.integer({ min: 5, max: 8 }), fc.integer({ min: 5, max: 8 }), size),
    blocks: fc.array(
      fc.record({
        filters: fc.integer({ min: 1, max: 6 }),
        kernel: size,
        padding: fc.constantFrom('same', 'valid'),
        padValue: fc.constantFrom(-1, 0, 1),
        pool: fc.boolean(),
      }),
      { minLength: 1, maxLength: 2 },
    ),
    units: fc.integer({ min: 2, max: 6 }),
    realInput: fc.boolean(),
  });

  function randomModel(drawn: typeof networks extends fc.Arbitrary<infer T> ? T : never): Model {
    const layers: Layer[] = [];
    drawn.blocks.forEach(({ filters, kernel, padding, padValue, pool }, index) => {
      const options = {
        ...{ filters, kernelSize: kernel, padding: padding as 'same' | 'valid' },
        padValue: (index === 0 && drawn.realInput ? 0 : padValue) as -1 | 0 | 1,
      };
      const quantizers = index === 0 && drawn.realInput ? { kernelQuantizer: 'steSign' as const } : BINARY;
      layers.push(quantConv2d({ ...options, ...quantizers }));
      if (pool && index === 0) layers.push(maxPool2d({ poolSize: 2 }));
      layers.push(batchNormalization());
    });
    layers.push(flatten(), quantDense({ units: drawn.units, ...BINARY }), batchNormalization());
    return sequential(layers, { input: drawn.input });
  }

  const drawn = fc.sample(networks, { seed: 11, numRuns: 6 }).filter(({ input: [height, width], blocks }) => {
    let side = Math.min(height, width);
    return blocks.every(({ kernel, padding, pool }, index) => {
      if (padding === 'valid') side -= kernel - 1;
      if (pool && index === 0) side = Math.floor(side / 2);
      return side >= 1;
    });
  });

  test(`${drawn.length} random networks, and what ONNX Runtime makes of them in its own operators`, async () => {
    expect(drawn.length).toBeGreaterThan(3);
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
    for (const [index, settings] of drawn.entries()) {
      const source = randomModel(settings);
      const { values, again } = await roundTrip(source, 20 + index, 1e-4);
      expect(wordsOf(again.model, again.values)).toEqual(wordsOf(source, values));
      const session = await ort.InferenceSession.create(
        exportOnnx(source, values, { operators: 'standard' }),
        {
          executionProviders: ['wasm'],
        },
      );
      const x = samplesOf(source, 2, 20 + index);
      const batch = x.length / 2;
      const nchw = Float32Array.from([
        ...channelsFirst(x.subarray(0, batch), source.inputShape),
        ...channelsFirst(x.subarray(batch), source.inputShape),
      ]);
      const [height = 1, width = 1, channels = 1] = source.inputShape;
      const result = await session.run({
        input: new ort.Tensor('float32', nchw, [2, channels, height, width]),
      });
      const scores = Float32Array.from(result.output?.data as Float32Array);
      expectClose(scores, await scoresOf(source, values, x), 1e-4, 'ONNX Runtime');
      await session.release();
    }
  });

  /** A residual block of binary convolutions with PReLU, and scores. */
  function residual(): Model {
    const start = input([6, 6, 3]);
    const stem = apply(conv2d({ filters: 8, kernelSize: 3, padding: 'same' }), start);
    const branch = apply(
      quantConv2d({ filters: 8, kernelSize: 3, padding: 'same', padValue: 1, ...BINARY }),
      stem,
    );
    const sum = apply(add(), apply(prelu(), apply(batchNormalization(), branch)), stem);
    const scores = apply(dense({ units: 5, useBias: true }), apply(globalAveragePool2d(), sum));
    return model({ input: start, output: scores });
  }
  const NETWORKS: readonly (readonly [name: string, source: Model])[] = [
    ['mlp', mlp({ input: [6, 6, 1], classes: 5, units: 32 })],
    ['cnn', cnn({ input: [20, 20, 1], classes: 5 })],
    [
      'depthwise',
      sequential(
        [
          quantConv2d({ filters: 8, kernelSize: 3, kernelQuantizer: 'steSign' }),
          batchNormalization(),
          quantDepthwiseConv2d({
            kernelSize: 3,
            padding: 'same',
            inputQuantizer: 'steSign',
            depthwiseQuantizer: 'steSign',
          }),
          batchNormalization(),
          quantSeparableConv2d({
            filters: 6,
            kernelSize: 3,
            inputQuantizer: 'steSign',
            depthwiseQuantizer: 'steSign',
            pointwiseQuantizer: 'steSign',
          }),
          globalAveragePool2d(),
        ],
        { input: [8, 8, 2] },
      ),
    ],
    ['a residual network with PReLU', residual()],
    [
      'one output and a sigmoid',
      sequential(
        [
          flatten(),
          quantDense({ units: 16, kernelQuantizer: 'steSign' }),
          batchNormalization(),
          quantDense({ units: 1, ...BINARY }),
          batchNormalization(),
          sigmoid(),
        ],
        {
          input: [4, 4, 2],
        },
      ),
    ],
  ];

  test.each(NETWORKS)('%s goes out and comes back, and ONNX Runtime gives its scores', async (_, source) => {
    const { values, again } = await roundTrip(source, 60, 1e-4);
    expect(wordsOf(again.model, again.values)).toEqual(wordsOf(source, values));
    const standard = exportOnnx(source, values, { operators: 'standard' });
    const x = samplesOf(source, 1, 60);
    const scores = await scoresOf(source, values, x);
    const back = importOnnx(standard);
    expectClose(await scoresOf(back.model, back.values, x), scores, 1e-4, 'standard operators');
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
    const session = await ort.InferenceSession.create(standard, { executionProviders: ['wasm'] });
    const [height = 1, width = 1, channels = 1] = source.inputShape;
    const result = await session.run({
      input: new ort.Tensor('float32', channelsFirst(x, source.inputShape), [1, channels, height, width]),
    });
    expectClose(Float32Array.from(result.output?.data as Float32Array), scores, 1e-4, 'ONNX Runtime');
    await session.release();
  });

  test("BNN-PYNQ's CNV, folded or not, as ONNX and back: the published scores and the same bits", async () => {
    const fixtures = join(import.meta.dirname, 'fixtures', 'bnn-pynq');
    const files = readdirSync(join(fixtures, 'cifar10-cnvW1A1')).map(
      (name) => [name, new Uint8Array(readFileSync(join(fixtures, 'cifar10-cnvW1A1', name)))] as const,
    );
    const network = readBnnPynq(new Map(files));
    const bytes = new Uint8Array(readFileSync(join(fixtures, 'deer.bin')));
    const { images } = parseCifar10([{ where: 'deer.bin', bytes }]);
    const again = importOnnx(exportOnnx(network.model, network.values));
    const scores = await scoresOf(again.model, again.values, network.prepare(images));
    expect([...scores]).toEqual([228, 229, 251, 250, 412, 253, 230, 262, 222, 239]);
    expect(wordsOf(again.model, again.values)).toEqual(wordsOf(network.model, network.values));
    const thresholds = foldForInference(network.model, network.values);
    const folded = fuseLayers(thresholds.model, thresholds.values);
    const refolded = importOnnx(exportOnnx(folded.model, folded.values));
    expect(wordsOf(refolded.model, refolded.values)).toEqual(wordsOf(network.model, network.values));
  });

  test('what can not be said is refused by name', () => {
    const odd = sequential([quantize({ name: 'bit', bits: 1 })], { input: [2] });
    expect(() => exportOnnx(odd, valuesOf(odd, 1))).toThrow(/bit[\s\S]*one signed bit/);
    const levels = sequential([multiThreshold({ name: 'levels', levels: 3 })], { input: [2] });
    expect(() => exportOnnx(levels, valuesOf(levels, 1), { operators: 'standard' })).toThrow(
      /levels[\s\S]*MultiThreshold/,
    );
    expect(() => exportOnnx(levels, new Map())).toThrow(FormatError);
    expect(() => exportOnnx(levels, new Map(), { operators: 'other' as 'qonnx' })).toThrow(OptionError);
    const own: Layer = { ...relu({ name: 'strange' }), kind: 'ownLayer' };
    expect(() => exportOnnx(sequential([own, relu()], { input: [2] }), new Map())).toThrow(
      /ownLayer \(strange\)/,
    );
  });
});
