/** Quantizers with rules, of inputs and of weights: products and gradients of layers against plain ones of the same values. */
import { describe, expect, test } from 'vitest';
import { encodeBnnPynq } from '../src/formats/bnn-pynq-writer.ts';
import { decodeModel, encodeModel } from '../src/formats/model-file.ts';
import { exportOnnx } from '../src/formats/onnx/write.ts';
import { saveTraining } from '../src/formats/save.ts';
import { exportTflite } from '../src/formats/tflite/write.ts';
import { ProgramBuilder, type Shape } from '../src/gpu/index.ts';
import { type Model, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  flatten,
  type Layer,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  quantSeparableConv2d,
  sign,
} from '../src/layers/index.ts';
import { real } from '../src/layers/layer.ts';
import { checkMethod } from '../src/methods/check.ts';
import {
  defineQuantizer,
  QUANTIZERS,
  type Quantizer,
  quantizedRow,
  resolveQuantizer,
  statisticsOf,
} from '../src/methods/index.ts';
import { resolveConv2d } from '../src/ops/conv.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import * as gradients from '../src/ops/gradients.ts';
import { conv2d, conv2dGradInput, conv2dGradWeights } from '../src/reference/conv.ts';
import { Trainer, type TrainerOptions } from '../src/train/index.ts';
import { expectSameAfterTraining } from './helpers/after-training.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

/** Of a guest: shifted and scaled by what is learned of a whole tensor (AdaBin's activations). */
const learnedPair = defineQuantizer({
  name: 'learnedPair',
  formula: 'α (sign((x - β) / α) + β), with α, β learned',
  source: 'Tu et al. 2022 (AdaBin), arXiv 2208.08084, activations',
  wgsl: 'fn gradient(x: f32) -> f32 { return max(0.0, 2.0 - 2.0 * abs(x)); }',
  gradient: (x) => Math.max(0, 2 - 2 * Math.abs(x)),
  surrogate: (x) => (Math.abs(x) >= 1 ? Math.sign(x) : 2 * x - x * Math.abs(x)),
  learned: {
    per: 'tensor',
    numbers: { alpha: { start: 0.9, says: 'scale' }, beta: { start: 0.1, says: 'shift' } },
  },
  row: {
    wgsl: `
      struct Learned { alpha: f32, beta: f32 }
      fn argument(x: f32, row: RowStatistics, own: Learned) -> f32 { return (x - own.beta) / own.alpha; }
      fn slope(x: f32, row: RowStatistics, own: Learned) -> f32 { return 1.0 / own.alpha; }
      fn scale(row: RowStatistics, own: Learned) -> f32 { return own.alpha; }
      fn offset(row: RowStatistics, own: Learned) -> f32 { return own.alpha * own.beta; }
      fn learning(x: f32, sign: f32, passed: f32, row: RowStatistics, own: Learned) -> vec4f {
        return vec4f(sign + own.beta - passed * (x - own.beta) / own.alpha, own.alpha - passed, 0.0, 0.0);
      }`,
    argument: (x, _, { learned: { alpha = 1, beta = 0 } }) => (x - beta) / alpha,
    slope: (_x, _row, { learned: { alpha = 1 } }) => 1 / alpha,
    scale: (_, { learned: { alpha = 1 } }) => alpha,
    offset: (_, { learned: { alpha = 1, beta = 0 } }) => alpha * beta,
    learning: ({ x, sign: s, passed }, _, { learned: { alpha = 1, beta = 0 } }) => [
      s + beta - (passed * (x - beta)) / alpha,
      alpha - passed,
    ],
  },
});

/** Thresholds of each channel that start elsewhere than ours, under a name that no file knows. */
const shifted = defineQuantizer({
  ...QUANTIZERS.reActSign.definition,
  name: 'shifted',
  learned: { per: 'channel', numbers: { shift: { start: 0.05, says: 'b' } } },
});

/** Scales of filters that are learned: they start from 1, whatever the weights are. */
const learnedScale = defineQuantizer({
  name: 'learnedScale',
  formula: 'α sign(w), with α learned of each filter',
  source: 'this test',
  wgsl: 'fn gradient(x: f32) -> f32 { return 1.0; }',
  gradient: () => 1,
  surrogate: (x) => x,
  learned: { per: 'channel', numbers: { alpha: { start: 1, says: 'scale' } } },
  row: {
    wgsl: `
      struct Learned { alpha: f32 }
      fn scale(row: RowStatistics, own: Learned) -> f32 { return own.alpha; }
      fn learning(x: f32, sign: f32, passed: f32, row: RowStatistics, own: Learned) -> vec4f {
        return vec4f(sign, 0.0, 0.0, 0.0);
      }`,
    scale: (_, { learned: { alpha = 1 } }) => alpha,
    learning: ({ sign: s }) => [s],
  },
});

/** Greedy bits: signs times mean magnitudes, of what is left over each time. */
const greedy = defineQuantizer({
  name: 'greedy',
  formula:
    'the sum over the bits of mean |r| sign(r), with r what the former leave over; gradient: 1 where |x| <= 1',
  source: 'Guo et al. 2017 (network sketching), arXiv 1706.02021, algorithm 1',
  parameters: { bits: { default: 3, from: 1, to: 8, says: 'planes' } },
  wgsl: 'fn gradient(x: f32) -> f32 { return select(0.0, 1.0, abs(x) <= 1.0); }',
  gradient: (x) => (Math.abs(x) <= 1 ? 1 : 0),
  row: {
    wgsl: 'fn scale(row: RowStatistics) -> f32 { return row.mean_magnitude; }',
    straight: true,
    planes: { count: ({ bits }) => bits, of: 'remainder' },
    scale: ({ meanMagnitude }) => meanMagnitude,
  },
});

/** A gradient that changes from step to step, of plain signs. */
const steepening = defineQuantizer({
  name: 'steepening',
  formula: 't (1 - tanh²(t x))',
  source: 'this test',
  parameters: { steepness: { default: { from: 0.5, to: 4, decay: 'linear' }, schedule: true, says: 't' } },
  wgsl: `
    struct Scalars { steepness: f32 }
    fn gradient(x: f32, now: Scalars) -> f32 {
      let y = tanh(now.steepness * x);
      return now.steepness * (1.0 - y * y);
    }`,
  gradient: (x, { steepness: t }) => t * (1 - Math.tanh(t * x) ** 2),
  surrogate: (x, { steepness: t }) => Math.tanh(t * x),
});

const guests = [learnedPair(), shifted(), learnedScale(), greedy(), greedy({ bits: 1 }), steepening()];

describe('checkMethod', () => {
  for (const quantizer of guests) {
    test(`${JSON.stringify(quantizer)} agrees with its twin`, async () => {
      const { compared, worst } = await checkMethod(gpu(), quantizer);
      expect(compared).toBeGreaterThan(100);
      expect(worst).toBeLessThan(1e-3);
    });
  }

  test('a wrong derivative of what is learned is found, by its name', async () => {
    const { row } = shifted.definition;
    if (row === undefined) throw new Error('no rule');
    const wrong = defineQuantizer({
      ...shifted.definition,
      row: { ...row, learning: ({ passed }) => [2 * passed] },
    });
    await expect(checkMethod(gpu(), wrong())).rejects.toThrow(/row\.learning of shift/);
  });
});

/** Reals that aren't near to where signs or levels change. */
function values(count: number, seed: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => {
    const wave = Math.sin((i + seed) * 12.9898 + seed) * 43758.5453;
    return 1.6 * (wave - Math.floor(wave)) - 0.7;
  });
}

interface Case {
  readonly title: string;
  readonly input: Quantizer | undefined;
  readonly kernel: Quantizer | undefined;
  readonly layer: (options: {
    inputQuantizer?: Quantizer;
    kernelQuantizer?: Quantizer;
    depthwiseQuantizer?: Quantizer;
  }) => Layer;
  readonly shape: Shape;
  readonly groups?: number;
}

const LAYERS: readonly Pick<Case, 'title' | 'layer' | 'shape' | 'groups'>[] = [
  { title: 'dense', layer: (own) => quantDense({ units: 5, useBias: true, ...own }), shape: [37] },
  {
    title: 'conv',
    layer: (own) => quantConv2d({ filters: 4, kernelSize: 3, padding: 'same', ...own }),
    shape: [5, 4, 3],
  },
  {
    title: 'groups',
    layer: (own) => quantConv2d({ filters: 4, kernelSize: 2, strides: 2, groups: 2, useBias: true, ...own }),
    shape: [4, 6, 66],
    groups: 2,
  },
  {
    title: 'depthwise',
    layer: ({ kernelQuantizer, ...own }) =>
      quantDepthwiseConv2d({
        kernelSize: 3,
        padding: 'same',
        ...own,
        ...(kernelQuantizer && { depthwiseQuantizer: kernelQuantizer }),
      }),
    shape: [4, 4, 6],
    groups: 6,
  },
];
const RULES: readonly (readonly [Quantizer | undefined, Quantizer | undefined])[] = [
  [QUANTIZERS.steTern({ threshold: 0.2 }), QUANTIZERS.steSign()],
  [QUANTIZERS.steHeaviside(), QUANTIZERS.adaBin({ steepness: 1 })],
  [QUANTIZERS.doReFa({ bits: 3 }), QUANTIZERS.steTern({ threshold: 0, share: 0.7 })],
  [QUANTIZERS.magnitudeAwareSign(), QUANTIZERS.steHeaviside()],
  [QUANTIZERS.siMan(), undefined],
  [learnedPair(), learnedScale()],
  [learnedPair(), undefined],
  [shifted(), greedy({ bits: 2 })],
  [greedy(), QUANTIZERS.irNet({ steepness: 1 })],
  [steepening(), learnedPair()],
  [undefined, steepening()],
];
const CASES: readonly Case[] = LAYERS.flatMap((one) =>
  RULES.map(([input, kernel]) => ({
    ...one,
    title: `${one.title}: ${input?.name ?? 'reals'} times ${kernel?.name ?? 'reals'}`,
    input,
    kernel,
  })),
);
const MOMENT = { step: 3, steps: 8, epochSteps: 8 };
const BATCH = 3;

/** What a quantizer makes of rows, and of gradients with respect to that. */
function twinOf(
  quantizer: Quantizer | undefined,
  x: Float32Array,
  rows: number,
  channelOf: (index: number) => number,
  learned: Float32Array,
) {
  const length = x.length / rows;
  const names = Object.keys(quantizer?.definition.learned?.numbers ?? {});
  const isOne = quantizer?.definition.learned?.per === 'tensor';
  const groupOf = (i: number) => (isOne ? 0 : channelOf(i));
  const momentOf = (i: number) => ({
    learned: Object.fromEntries(
      names.map((name, field) => [name, learned[groupOf(i) * names.length + field] ?? 0]),
    ),
  });
  const rowOf = (i: number) => Math.floor(i / length);
  const rule = quantizer?.row;
  const parts = Array.from({ length: rows }, (_, row) => x.subarray(row * length, (row + 1) * length));
  const statistics = parts.map(statisticsOf);
  const ofRow = (i: number) => statistics[rowOf(i)] ?? statisticsOf([0]);
  const made =
    quantizer === undefined
      ? Array.from(x)
      : rule === undefined
        ? Array.from(x, (value) => (value < 0 ? -1 : 1))
        : parts.flatMap((part, row) => [
            ...quantizedRow(rule, part, (i) => momentOf(row * length + i)).values,
          ]);
  const twin = quantizer?.at(MOMENT);
  const argument = (i: number) => rule?.argument(x[i] ?? 0, ofRow(i), momentOf(i)) ?? x[i] ?? 0;
  const passed = (i: number) => twin?.gradient(rule?.isStraight ? (x[i] ?? 0) : argument(i)) ?? 1;
  return {
    made,
    gradient: (g: ArrayLike<number>) =>
      Float64Array.from(g, (value, i) => {
        const whole =
          rule === undefined || rule.isStraight
            ? 1
            : rule.scale(ofRow(i), momentOf(i)) * rule.slope(x[i] ?? 0, ofRow(i), momentOf(i));
        return value * passed(i) * whole;
      }),
    learning(g: ArrayLike<number>) {
      const sums = new Float64Array(learned.length);
      for (let i = 0; i < x.length && names.length > 0; i++) {
        const own = { x: x[i] ?? 0, sign: argument(i) < 0 ? -1 : 1, passed: passed(i) };
        for (const [field, slope] of (rule?.learning(own, ofRow(i), momentOf(i)) ?? []).entries()) {
          const at = groupOf(i) * names.length + field;
          sums[at] = (sums[at] ?? 0) + (g[i] ?? 0) * slope;
        }
      }
      return sums;
    },
  };
}

describe('products and their gradients are those of the values that are made', () => {
  test.each(CASES)('$title', async ({ input, kernel, layer: make, shape, groups = 1 }) => {
    using scratch = new Scratch(gpu());
    const layer = make({
      ...(input && { inputQuantizer: input }),
      ...(kernel && { kernelQuantizer: kernel }),
    });
    const model = sequential([layer], { input: shape, name: 'one layer' });
    using network = await Network.create(gpu(), model, { seed: 5 });
    const start = await network.values();
    const [entry] = model.layers;
    if (entry === undefined) throw new Error('no layer');
    const parameters = Object.fromEntries(
      entry.parameters.map(({ name }) => [name, `${entry.name}/${name}`]),
    );
    for (const [name, key] of Object.entries(parameters)) {
      // Learned numbers that differ.
      const own = start.get(key);
      if (name.endsWith('Learned'))
        start.set(key, own?.map((value, i) => value + 0.03 * ((i * 5) % 7)) ?? own ?? new Float32Array());
    }
    await network.load(start);
    const of = (name: string) => start.get(parameters[name] ?? '') ?? new Float32Array();

    const x = values(BATCH * shape.reduce((size, extent) => size * extent, 1), 3);
    const output = [BATCH, ...entry.outputShape];
    const g = values(
      output.reduce((size, extent) => size * extent, 1),
      9,
    );
    const filters = entry.outputShape.at(-1) ?? 1;
    const channels = shape.at(-1) ?? 1;
    const weights = twinOf(
      kernel,
      of('kernel'),
      filters,
      (i) => Math.floor((i * filters) / of('kernel').length),
      of('kernelLearned'),
    );
    const inputs = twinOf(input, x, BATCH, (i) => i % channels, of('inputLearned'));

    const b = new ProgramBuilder(gpu(), 'one layer');
    const tables = new Map(
      [input, kernel].flatMap((one) =>
        one === undefined || one.scalars.length === 0
          ? []
          : [
              [
                one,
                scratch.tensor(
                  'numbers',
                  [1, one.scalars.length],
                  'f32',
                  new Float32Array(one.scalarsAt(MOMENT)),
                ),
              ],
            ],
      ),
    );
    const forward = layer.forward(
      {
        builder: b,
        training: true,
        state: scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ step: 3 })),
        stream: 0,
        wantsInputGradient: [true],
        gradients,
        numbersOf: (one) => tables.get(one) ?? scratch.tensor('none', [1], 'f32'),
        parameter: (name) => network.parameters.get(`${entry.name}/${name}`) as never,
      },
      [real(scratch.tensor('x', [BATCH, ...shape], 'f32', x))],
    );
    const y = b.keep(forward.output.tensor);
    const backward = forward.backward(scratch.tensor('g', output, 'f32', g));
    const [gradX] = backward.inputs;
    if (gradX === undefined) throw new Error('no gradient of the input');
    for (const tensor of [gradX, ...Object.values(backward.parameters ?? {})])
      if (!tensor.isPlaced) b.keep(tensor);
    using program = await b.compile();
    program.run();

    const config = layer.config as { strides?: number; padding?: 'same' };
    const spec = entry.parameters.find(({ name }) => name === 'kernel');
    const windows = resolveConv2d(
      shape.length === 1 ? [BATCH, 1, 1, channels] : [BATCH, ...shape],
      shape.length === 1 ? [filters, 1, 1, channels] : (spec?.shape as never),
      {
        ...(config.strides && { strides: config.strides }),
        ...(config.padding && { padding: config.padding }),
        groups,
      },
      'test',
    );
    const bias = of('bias');
    const expected = conv2d(inputs.made, weights.made, windows).map(
      (value, i) => value + (bias[i % filters] ?? 0),
    );
    expectClose(await gpu().readFloats(y), expected, 1e-4, 'output');
    const gradMade = conv2dGradInput(g, weights.made, windows);
    expectClose(await gpu().readFloats(gradX), inputs.gradient(gradMade), 2e-4, 'gradient of the input');
    const gradWeights = conv2dGradWeights(g, inputs.made, windows);
    const found = async (name: string) => gpu().readFloats(backward.parameters?.[name] as never);
    expectClose(await found('kernel'), gradWeights, 2e-4, 'gradient of the weights');
    for (const [name, twin, gradient] of [
      ['inputLearned', inputs, gradMade],
      ['kernelLearned', weights, gradWeights],
    ] as const) {
      expect(backward.parameters?.[name] === undefined).toBe(parameters[name] === undefined);
      if (parameters[name] !== undefined) expectClose(await found(name), twin.learning(gradient), 3e-4, name);
    }
  });
});

/** A network of quantizers with rules everywhere. */
function network(input: Quantizer, kernel: Quantizer): Model {
  return sequential(
    [
      quantConv2d({ name: 'first', filters: 8, kernelSize: 3, kernelQuantizer: kernel }),
      batchNormalization({ name: 'n1' }),
      quantSeparableConv2d({
        name: 'second',
        filters: 8,
        kernelSize: 3,
        inputQuantizer: input,
        depthwiseQuantizer: kernel,
        pointwiseQuantizer: kernel,
      }),
      batchNormalization({ name: 'n2' }),
      flatten(),
      quantDense({ name: 'last', units: 4, inputQuantizer: input, kernelQuantizer: kernel }),
      batchNormalization({ name: 'n3' }),
    ],
    { input: [8, 8, 1], name: 'ruled' },
  );
}

const data = quadrants(300, 100);
const OPTIONS: TrainerOptions = { batch: 50, epochs: 4, seed: 4 };

describe.for(
  [
    [learnedPair(), learnedScale()],
    [shifted(), greedy({ bits: 2 })],
    [QUANTIZERS.steTern(), QUANTIZERS.steTern()],
    [QUANTIZERS.doReFa(), QUANTIZERS.adaBin()],
    [QUANTIZERS.stochasticSign(), QUANTIZERS.irNet()],
    [steepening(), steepening()],
    [QUANTIZERS.steSign(), greedy({ bits: 2 })],
    [QUANTIZERS.steSign(), learnedScale()],
  ].map(([input, kernel]) => [`${input?.name} and ${kernel?.name}`, input, kernel] as const),
)('%s', ([, input, kernel]) => {
  if (input === undefined || kernel === undefined) throw new Error('no quantizers');

  test('train, go on from a checkpoint to the same bits, are saved, loaded and folded', async () => {
    using whole = await Trainer.create(gpu(), network(input, kernel), data, OPTIONS);
    const before = await whole.network.values();
    const { epochs } = await whole.fit();
    expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.6);
    const samples = Float32Array.from({ length: 64 * 5 }, (_, i) => Math.sin(i * 3.7));
    const { expected, latents: after } = await expectSameAfterTraining(whole, data, OPTIONS, 8, samples);
    for (const key of after.keys()) {
      if (key.endsWith('Learned')) expect(after.get(key), key).not.toEqual(before.get(key));
    }

    const bytes = await saveTraining(whole, 'safetensors');
    const guest = [input, kernel].filter(({ name }) => !Object.hasOwn(QUANTIZERS, name));
    if (guest.length > 0) return;
    const { model, values: read } = decodeModel(bytes as Uint8Array);
    using loaded = await Network.create(gpu(), model, { values: read, forInference: true });
    expectSame(await loaded.predict(samples), expected, 'file');
  });
});

describe('what is refused', () => {
  test('formats that have no such values say the name of the quantizer', async () => {
    for (const [input, kernel, name] of [
      [QUANTIZERS.steTern(), QUANTIZERS.steSign(), /steTern/],
      [shifted(), QUANTIZERS.steSign(), /shifted/],
      [QUANTIZERS.steSign(), QUANTIZERS.steTern(), /steTern/],
      [QUANTIZERS.steSign(), QUANTIZERS.steHeaviside(), /steHeaviside/],
    ] as const) {
      const source = sequential(
        [
          flatten(),
          quantDense({ units: 4, inputQuantizer: input, kernelQuantizer: kernel }),
          batchNormalization(),
        ],
        { input: [2, 2, 8], name: 'refused' },
      );
      using of = await Network.create(gpu(), source);
      const packed = await of.packedValues();
      for (const write of [
        () => exportOnnx(source, packed),
        () => exportTflite(source, packed),
        () => encodeBnnPynq(source, packed, { pixels: '0:1' }),
      ]) {
        expect(write).toThrow(name);
      }
      expect(encodeModel(source, packed).length).toBeGreaterThan(0);
    }
  });

  test('quantizers where they have no sense', () => {
    expect(() => quantDense({ units: 1, kernelQuantizer: 'stochasticSign' })).toThrow(
      /stochasticSign[\s\S]*chance/,
    );
    expect(() => quantDense({ units: 1, kernelQuantizer: 'doReFa' })).toThrow(/doReFa/);
    expect(() => quantDense({ units: 1, inputQuantizer: learnedScale() })).toThrow(
      /learnedScale[\s\S]*channels/,
    );
    expect(() => sign({ quantizer: 'steTern' })).toThrow(/steTern/);
    expect(() => sign({ quantizer: 'steHeaviside' })).toThrow(/steHeaviside/);
    const padded = { filters: 1, kernelSize: 3, padding: 'same', padValue: 1 } as const;
    expect(() => quantConv2d({ ...padded, inputQuantizer: 'steTern' })).toThrow(/padValue 1[\s\S]*steTern/);
    expect(() => resolveQuantizer({ name: 'doReFa', bits: 2.5 })).toThrow(/planes/);
    expect(() => resolveQuantizer({ name: 'doReFa', bits: 9 })).toThrow(/8/);
  });

  test('definitions that do not go together, by the member', () => {
    const { definition } = learnedPair;
    const { row } = definition;
    if (row === undefined) throw new Error('no rule');
    const { learning: _, ...without } = row;
    const { row: _row, ...ruleless } = definition;
    expect(() => defineQuantizer({ ...definition, row: without })).toThrow(/row\.learning only in WGSL/);
    expect(() => defineQuantizer(ruleless)).toThrow(/learned: alpha, beta/);
    const planes = { count: () => 2, of: 'value' } as const;
    expect(() => defineQuantizer({ ...definition, row: { ...row, planes } })).toThrow(/row\.straight: true/);
    const other = {
      per: 'tensor',
      numbers: { gamma: { start: 1, says: '' }, beta: { start: 1, says: '' } },
    } as const;
    expect(() => defineQuantizer({ ...definition, learned: other })).toThrow(/gamma: f32, beta: f32/);
    const many = Object.fromEntries([...'abcde'].map((name) => [name, { start: 0, says: '' }]));
    expect(() => defineQuantizer({ ...definition, learned: { per: 'tensor', numbers: many } })).toThrow(
      /4 at most/,
    );
    const { definition: steep } = steepening;
    expect(() => defineQuantizer({ ...steep, wgsl: steep.wgsl.replace('{ steepness', '{ steep') })).toThrow(
      /steepness: f32/,
    );
    expect(() => defineQuantizer({ ...steep, wgsl: 'fn gradient(x: f32) -> f32 { return x; }' })).toThrow(
      /now: Scalars/,
    );
  });
});

test('stochastic signs are drawn with their probability, and anew in every step', async () => {
  const quantizer = QUANTIZERS.stochasticSign();
  const { row } = quantizer;
  if (row === undefined) throw new Error('no rule');
  using scratch = new Scratch(gpu());
  const count = 4096;
  const { quantizeRows } = await import('../src/ops/rows.ts');
  const { unpackSigns } = await import('../src/ops/dense.ts');
  const means: number[] = [];
  const first: Float32Array[] = [];
  for (const [level, step] of [-0.5, 0.25, 0.25, 1].entries()) {
    const b = new ProgramBuilder(gpu(), 'stochastic');
    const x = scratch.tensor('x', [1, count], 'f32', new Float32Array(count).fill(step));
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ step: level, seed: 7 }));
    const [plane] = quantizeRows(b, x, row, { channels: 'last', state, stream: 2 });
    const signs = b.keep(unpackSigns(b, plane?.bits as never));
    using program = await b.compile();
    program.run();
    const found = await gpu().readFloats(signs);
    first.push(found);
    means.push(found.reduce((sum, value) => sum + value, 0) / count);
  }
  for (const [i, mean] of [-0.5, 0.25, 0.25, 1].entries())
    expect(Math.abs((means[i] ?? 0) - mean)).toBeLessThan(0.06);
  expect(first[1]).not.toEqual(first[2]);
});
