/** Weights that are scale·sign + offset by filter: statistics of rows, their quantizers, and whole networks of them. */
import { describe, expect, test } from 'vitest';
import { FormatError } from '../src/errors.ts';
import { encodeBnnPynq } from '../src/formats/bnn-pynq-writer.ts';
import { loadModel } from '../src/formats/load.ts';
import { decodeModel, encodeModel } from '../src/formats/model-file.ts';
import { exportOnnx } from '../src/formats/onnx/write.ts';
import { exportTflite } from '../src/formats/tflite/write.ts';
import { type ProgramBuilder, runOnce } from '../src/gpu/index.ts';
import { floatValue, isPacked, type Model, Network, sequential } from '../src/graph/index.ts';
import { rowStatisticsAloneKernel, rowStatisticsKernel } from '../src/kernels/rows.ts';
import {
  batchNormalization,
  conv2d,
  dense,
  flatten,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  sign,
} from '../src/layers/index.ts';
import { checkMethod } from '../src/methods/check.ts';
import {
  defineQuantizer,
  QUANTIZERS,
  type Quantizer,
  type QuantizerLike,
  statisticsOf,
} from '../src/methods/index.ts';
import { ROW_STATISTICS, rowStatistics } from '../src/ops/rows.ts';
import { Trainer, type TrainerOptions } from '../src/train/index.ts';
import { expectSameAfterTraining } from './helpers/after-training.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

/** Numbers with both signs, repeats, zeros of either sign and far-apart magnitudes. */
function weights(count: number, seed: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => {
    const wave = Math.sin((i + seed) * 12.9898 + seed) * 43758.5453;
    const uniform = 2 * (wave - Math.floor(wave)) - 1;
    return [uniform, 0.25, -0, 0, uniform * 1e-6, uniform * 3][i % 11] ?? uniform;
  });
}

describe('row statistics', () => {
  for (const [rows, length] of [
    [1, 1],
    [3, 2],
    [2, 9],
    [5, 255],
    [4, 256],
    [2, 257],
    [3, 4608],
    [70, 27],
    [130, 4],
    [5, 1],
  ] as const) {
    test(`[${rows}, ${length}]`, async () => {
      using scratch = new Scratch(gpu());
      const values = weights(rows * length, length);
      const x = scratch.tensor('x', [rows, length], 'f32', values);
      const out = scratch.tensor('out', [rows, ROW_STATISTICS.length], 'f32');
      const run = async (record: (builder: ProgramBuilder) => void) => {
        using _program = await runOnce(gpu(), 'statistics', record);
        return gpu().readFloats(out);
      };
      const read = () =>
        run((b) => {
          rowStatistics(b, x, { medians: true, halves: true, out });
        });
      const found = await read();
      for (let row = 0; row < rows; row++) {
        const own = values.subarray(row * length, (row + 1) * length);
        const twin = statisticsOf(own);
        const here = found.subarray(row * ROW_STATISTICS.length, (row + 1) * ROW_STATISTICS.length);
        expectClose(
          here,
          ROW_STATISTICS.map((name) => twin[name]),
          2e-6,
          `row ${row}`,
        );
        // The median is one of the weights.
        expect(here[4] === twin.median).toBe(true);
      }
      expectSame(await read(), found, 'again');
      // Which of the two an adapter has changes no bit.
      for (const kernel of [rowStatisticsKernel, rowStatisticsAloneKernel]) {
        const constants = { ROWS: rows, LENGTH: length, MEDIANS: 1, HALVES: 1 };
        const own = await run((b) => b.dispatch(kernel, { x, statistics: out }, constants));
        expectSame(own, found, kernel.name);
      }
    });
  }
});

/** Every quantizer that has a rule for rows, and a guest's with all of its members. */
const guest = defineQuantizer({
  name: 'guestRows',
  formula: 'weights: sd sign(w - median) + mean / 2',
  source: 'this test',
  parameters: { half: { default: 0.5, above: 0, says: 'of the mean' } },
  wgsl: 'fn gradient(x: f32) -> f32 { return 1.0 / (1.0 + x * x); }',
  gradient: (x) => 1 / (1 + x * x),
  row: {
    wgsl: `
      override HALF: f32;
      fn argument(x: f32, row: RowStatistics) -> f32 { return 2.0 * (x - row.median); }
      fn slope(x: f32, row: RowStatistics) -> f32 { return 2.0; }
      fn scale(row: RowStatistics) -> f32 { return row.sd; }
      fn offset(row: RowStatistics) -> f32 { return HALF * row.mean; }`,
    argument: (x, { median }) => 2 * (x - median),
    slope: () => 2,
    scale: ({ sd }) => sd,
    offset: ({ mean }, { half }) => half * mean,
  },
});
const quantizers: readonly Quantizer[] = [
  ...Object.values(QUANTIZERS).map((make) => (make as () => Quantizer)()),
  guest(),
  // Straight rules and planes: rules.test.ts.
].filter(
  ({ row, definition: { unfit } }) => row !== undefined && !row.isStraight && unfit?.weights === undefined,
);

/** Padded and not, real input and signs, groups, depthwise, strides. */
function network(kernelQuantizer: Quantizer, inputQuantizer: QuantizerLike = 'steSign'): Model {
  const free = { kernelQuantizer, kernelConstraint: 'none' } as const;
  const binary = { inputQuantizer, ...free };
  return sequential(
    [
      quantConv2d({ name: 'first', filters: 8, kernelSize: 3, padding: 'same', ...free }),
      batchNormalization({ name: 'n1' }),
      quantConv2d({ name: 'second', filters: 6, kernelSize: 3, padding: 'same', groups: 2, ...binary }),
      batchNormalization({ name: 'n2' }),
      quantDepthwiseConv2d({
        name: 'third',
        kernelSize: 3,
        inputQuantizer,
        depthwiseQuantizer: kernelQuantizer,
        depthwiseConstraint: 'none',
        depthMultiplier: 2,
      }),
      batchNormalization({ name: 'n3' }),
      flatten(),
      quantDense({ name: 'last', units: 4, ...binary }),
      batchNormalization({ name: 'n4' }),
    ],
    { input: [8, 8, 1], name: 'rows' },
  );
}

/** The same function with real weights. */
function twinNetwork(surrogate: QuantizerLike = 'steSign'): Model {
  return sequential(
    [
      conv2d({ name: 'first', filters: 8, kernelSize: 3, padding: 'same' }),
      batchNormalization({ name: 'n1' }),
      sign({ quantizer: surrogate }),
      conv2d({ name: 'second', filters: 6, kernelSize: 3, padding: 'same', groups: 2 }),
      batchNormalization({ name: 'n2' }),
      sign({ quantizer: surrogate }),
      conv2d({ name: 'third', filters: 12, kernelSize: 3, groups: 6 }),
      batchNormalization({ name: 'n3' }),
      flatten(),
      sign({ quantizer: surrogate }),
      dense({ name: 'last', units: 4 }),
      batchNormalization({ name: 'n4' }),
    ],
    { input: [8, 8, 1], name: 'twin' },
  );
}
const KERNELS = ['first', 'second', 'third', 'last'].map((layer) => `${layer}/kernel`);
const STEP: TrainerOptions = {
  optimizer: { name: 'sgd', momentum: 0 },
  learningRate: 0.5,
  batch: 32,
  epochs: 1,
  seed: 5,
};

/** The weights that a quantizer makes of latent ones, in float64. */
function made(quantizer: Quantizer, latent: Float32Array, filters: number) {
  const length = latent.length / filters;
  const { row: rule } = quantizer;
  if (rule === undefined) throw new Error('no rule');
  const rows = Array.from({ length: filters }, (_, f) =>
    statisticsOf(latent.subarray(f * length, (f + 1) * length)),
  );
  const rowOf = (i: number) => rows[Math.floor(i / length)] ?? statisticsOf([0]);
  return {
    weights: latent.map((w, i) => {
      const sign = rule.argument(w, rowOf(i)) < 0 ? -1 : 1;
      return rule.scale(rowOf(i)) * sign + rule.offset(rowOf(i));
    }),
    passed: latent.map((w, i) => {
      const row = rowOf(i);
      return rule.scale(row) * quantizer.gradient(rule.argument(w, row)) * rule.slope(w, row);
    }),
  };
}

describe.for(quantizers.map((quantizer) => [quantizer.name, quantizer] as const))('%s', ([, quantizer]) => {
  test('its WGSL agrees with its twins', async () => {
    const { compared } = await checkMethod(gpu(), quantizer);
    expect(compared).toBeGreaterThan(2000);
  });

  test('one step is one of real weights with the same values', async () => {
    const data = quadrants(32, 32);
    using trainer = await Trainer.create(gpu(), network(quantizer), data, STEP);
    const before = await trainer.network.values();
    // Sums of signs that are 0 would be decided by rounding.
    for (const [key, means] of before) if (key.endsWith('/runningMean')) means.fill(0.0137);
    await trainer.network.load(before);
    const filtersOf = (key: string) => trainer.network.parameters.get(key)?.spec.shape[0] ?? 1;
    const makings = new Map(
      KERNELS.map((key) => [key, made(quantizer, before.get(key) ?? new Float32Array(), filtersOf(key))]),
    );
    const values = new Map(
      [...before]
        .filter(([key]) => !/kernel(Scale|Offset)$/.test(key))
        .map(([key, value]) => [key, makings.get(key)?.weights ?? value]),
    );
    using twin = await Trainer.create(gpu(), twinNetwork(), data, STEP);
    await twin.network.load(values);
    const samples = Float32Array.from({ length: 64 * 5 }, (_, i) => Math.sin(i * 3.7));
    expectClose(await trainer.network.predict(samples), await twin.network.predict(samples), 1e-3, 'output');
    await trainer.fit();
    await twin.fit();
    const [after, afterTwin] = [await trainer.network.values(), await twin.network.values()];
    for (const key of KERNELS) {
      const { weights = new Float32Array(), passed = new Float32Array() } = makings.get(key) ?? {};
      const moved = before.get(key)?.map((w, i) => (after.get(key)?.[i] ?? Number.NaN) - w);
      const expected = weights.map(
        (q, i) => ((afterTwin.get(key)?.[i] ?? Number.NaN) - q) * (passed[i] ?? Number.NaN),
      );
      expect(expected.some((step) => step !== 0)).toBe(true);
      expectClose(moved ?? [], expected, 2e-3, key);
      // What is derived follows the weights as they are now.
      const now = made(quantizer, after.get(key) ?? new Float32Array(), filtersOf(key));
      const found = (await trainer.network.packedValues()).get(key) ?? new Float32Array();
      const filters = filtersOf(key);
      const length = now.weights.length / filters;
      const beside = (ending: string) => after.get(`${key}${ending}`);
      const signs = floatValue(found, trainer.network.parameters.get(key)?.spec.shape ?? [], key);
      const derived = signs.map((sign, i) => {
        const filter = Math.floor(i / length);
        return sign * (beside('Scale')?.[filter] ?? 1) + (beside('Offset')?.[filter] ?? 0);
      });
      expect(isPacked(found)).toBe(true);
      expectClose(derived, now.weights, 1e-5, key);
    }
  });

  test('saved and loaded, folded, and resumed, it gives the same bits', async () => {
    const data = quadrants(96, 32);
    const source = network(quantizer);
    const options = { ...STEP, epochs: 2 };
    using whole = await Trainer.create(gpu(), source, data, options);
    await whole.fit();
    const samples = Float32Array.from({ length: 64 * 7 }, (_, i) => Math.sin(i * 3.7));
    const compared = await expectSameAfterTraining(whole, data, options, 4, samples);
    const { expected, latents, packed, folded } = compared;
    // Scales go into thresholds; offsets stay.
    const isFolded = quantizer.row?.hasOffset !== true;
    expect(folded.fused.map(({ name }) => name)).toEqual(isFolded ? ['second', 'third'] : []);

    if (quantizer.row?.hasArgument === true) {
      expect(() => encodeModel(source, latents)).toThrow(FormatError);
    }
    if (!Object.hasOwn(QUANTIZERS, quantizer.name)) return;
    const { model, values } = decodeModel(encodeModel(source, packed));
    using loaded = await Network.create(gpu(), model, { values });
    expectSame(await loaded.predict(samples), expected, 'file');
  });
});

test('a rule that lacks a twin, a slope or everything is refused by its member', () => {
  const base = { name: 'mine', formula: '', source: '', wgsl: guest.definition.wgsl, gradient: () => 1 };
  const scale = 'fn scale(row: RowStatistics) -> f32 { return row.sd; }';
  expect(() => defineQuantizer({ ...base, row: { wgsl: scale } })).toThrow(/row\.scale only in WGSL/);
  expect(() => defineQuantizer({ ...base, row: { wgsl: '', offset: () => 1 } })).toThrow(
    /row\.offset only in float64/,
  );
  expect(() => defineQuantizer({ ...base, row: { wgsl: '' } })).toThrow(/none of its functions/);
  const argument = 'fn argument(x: f32, row: RowStatistics) -> f32 { return x; }';
  expect(() => defineQuantizer({ ...base, row: { wgsl: argument, argument: (x) => x } })).toThrow(
    /without row\.slope/,
  );
  const other = 'fn scale(row: f32) -> f32 { return row; }';
  expect(() => defineQuantizer({ ...base, row: { wgsl: other, scale: () => 1 } })).toThrow(
    /fn scale\(row: RowStatistics\)/,
  );
});

test('a rule that disagrees with its twin is caught, by its member', async () => {
  const { definition } = guest;
  const { row } = definition;
  if (row === undefined) throw new Error('no rule');
  const off = (change: Partial<typeof row>) =>
    checkMethod(gpu(), defineQuantizer({ ...definition, row: { ...row, ...change } })());
  await expect(off({ scale: ({ sd }) => 1.1 * sd })).rejects.toThrow(/row\.scale/);
  await expect(off({ offset: () => 1 })).rejects.toThrow(/row\.offset/);
  await expect(off({ argument: (x, { mean }) => 2 * (x - mean) - 0.3 })).rejects.toThrow(/row\.argument/);
  await expect(off({ slope: () => 1 })).rejects.toThrow(/row\.slope/);
});

describe('other formats', () => {
  const samples = Float32Array.from({ length: 64 * 3 }, (_, i) => Math.sin(i * 3.7));

  test('ONNX and TensorFlow Lite say scales, and are read back to the same outputs', async () => {
    for (const quantizer of [QUANTIZERS.magnitudeAwareSign(), QUANTIZERS.irNet()]) {
      // Larq's format has scales for products of signs, without groups.
      const source = sequential(
        [
          sign(),
          quantConv2d({ filters: 8, kernelSize: 3, inputQuantizer: 'steSign', kernelQuantizer: quantizer }),
          batchNormalization(),
          flatten(),
          quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: quantizer }),
          batchNormalization(),
        ],
        { input: [8, 8, 1], name: 'scaled' },
      );
      using network = await Network.create(gpu(), source, { seed: 3 });
      // Sums of signs that are 0 would be decided by rounding.
      const values = await network.values();
      for (const [key, means] of values) if (key.endsWith('/runningMean')) means.fill(0.0137);
      await network.load(values);
      const expected = await network.predict(samples);
      const packed = await network.packedValues();
      for (const bytes of [exportOnnx(source, packed), exportTflite(source, packed)]) {
        const { model, values: read } = await loadModel(bytes);
        using again = await Network.create(gpu(), model, { values: read, forInference: true });
        expectClose(await again.predict(samples), expected, 1e-4, quantizer.name);
      }
    }
  });

  test('what a format can not say is refused by the name of the quantizer', async () => {
    const source = network(QUANTIZERS.adaBin());
    using of = await Network.create(gpu(), source);
    const packed = await of.packedValues();
    expect(() => exportOnnx(source, packed)).toThrow(/adaBin/);
    expect(() => exportTflite(source, packed)).toThrow(/adaBin/);
    // Weights with a scale that meet reals.
    const real = network(QUANTIZERS.magnitudeAwareSign());
    using scaled = await Network.create(gpu(), real);
    const values = await scaled.packedValues();
    expect(() => exportTflite(real, values)).toThrow(/magnitudeAwareSign/);
    expect(() => encodeBnnPynq(real, values, { pixels: '0:1' })).toThrow(/magnitudeAwareSign/);
  });
});
