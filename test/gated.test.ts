/** Gated convolutions: what gates let through, gradients through them, how many are open, and a network that learns with them. */
import { describe, expect, test } from 'vitest';
import { openGates } from '../src/compare.ts';
import { CpuNetwork } from '../src/cpu/index.ts';
import { samplesOf } from '../src/data/index.ts';
import { OptionError, ShapeError } from '../src/errors.ts';
import { decodeModel, encodeModel } from '../src/formats/index.ts';
import { loadModel } from '../src/formats/load.ts';
import { exportOnnx } from '../src/formats/onnx/write.ts';
import { exportTflite } from '../src/formats/tflite/write.ts';
import { ProgramBuilder, sizeOf } from '../src/gpu/index.ts';
import { foldForInference, initialValues, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  flatten,
  type QuantGatedConv2dOptions,
  quantConv2d,
  quantDense,
  quantGatedConv2d,
  sign,
} from '../src/layers/index.ts';
import type { QuantizerLike } from '../src/methods/index.ts';
import { fracBits } from '../src/methods/quantizers/frac-bits.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { resolveConv2d } from '../src/ops/conv.ts';
import * as gradients from '../src/ops/gradients.ts';
import * as reference from '../src/reference/conv.ts';
import { Trainer } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const draw = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => 3 * uniform01(seed, 7, i) - 1.5);
const signsOf = (values: Float32Array) => values.map((value) => (value < 0 ? -1 : 1));
const THIRDS = Math.fround(2 / 3);
/** The two planes of values of two bits. */
const planesOf = (x: Float32Array) => {
  const high = signsOf(x);
  return { high, low: signsOf(x.map((value, i) => value - THIRDS * (high[i] ?? 0))) };
};
const SIGNS = { kernelQuantizer: { name: 'steSign', clip: 1.3 } } as const;

type Case = readonly [readonly number[], QuantGatedConv2dOptions];
const CASES: readonly Case[] = [
  [[1, 1, 1], { filters: 1, kernelSize: 1, ...SIGNS }],
  [[5, 4, 33], { filters: 3, kernelSize: 3, padding: 'same', ...SIGNS }],
  [[6, 7, 32], { filters: 33, kernelSize: [2, 3], strides: 2, ...SIGNS }],
  [
    [7, 6, 8],
    {
      filters: 4,
      kernelSize: 3,
      groups: 2,
      dilations: 2,
      padding: [
        [1, 0],
        [2, 3],
      ],
      ...SIGNS,
    },
  ],
  [[4, 4, 3], { filters: 2, kernelSize: 3, kernelQuantizer: 'magnitudeAwareSign' }],
  [[4, 4, 3], { filters: 2, kernelSize: 3 }],
];

/** A network of one layer, its values with thresholds of their own, and what it is given: edges of the two bits first. */
function prepared([shape, options]: Case) {
  const source = sequential([quantGatedConv2d({ name: 'conv', ...options })], { input: shape });
  const values = new Map(initialValues(source, 3));
  const x = draw(2 * sizeOf(shape), 5);
  x.set([0, THIRDS, -THIRDS, 1, -1, 0.5, -0.7].slice(0, x.length));
  const [height = 1, width = height] = [options.kernelSize].flat();
  const { filters, groups = 1 } = options;
  const filterShape = [filters, height, width, (shape[2] ?? 1) / groups];
  const windows = resolveConv2d([2, ...shape], filterShape, options, 'test');
  const kernel = values.get('conv/kernel') as Float32Array;
  values.set('conv/threshold', draw(filters, 11));
  return { source, values, x, windows, kernel, filters, shape };
}
const gpu = useGpu();

describe('a gated convolution is two products of signs, the second where a gate is open', () => {
  test.each(CASES)('of %o with %o', async (...given) => {
    const { source, values: begun, x, windows, kernel } = prepared(given);
    const { kernelQuantizer } = given[1];
    using network = await Network.create(gpu(), source, { values: begun });
    const got = await network.predict(x);
    const values = await network.values();
    if (kernelQuantizer !== 'magnitudeAwareSign') {
      const thresholds = values.get('conv/threshold') as Float32Array;
      const weights = kernelQuantizer === undefined ? kernel : signsOf(kernel);
      const expected = reference.gatedConv2d(planesOf(x), weights, thresholds, windows);
      expectClose(got, expected, 1e-4);
    }
    const folded = foldForInference(source, values);
    using compiled = await Network.create(gpu(), folded.model, { values: folded.values });
    expectClose(await compiled.predict(x), got, 1e-5);
    const cpu = await CpuNetwork.create(source, values, { threads: 1 });
    expectClose(await cpu.predict(x), got, 1e-5);
    cpu.dispose();
    const saved = decodeModel(encodeModel(source, values));
    using loaded = await Network.create(gpu(), saved.model, { values: saved.values });
    expectSame(await loaded.predict(x), got);
  });

  test.each(CASES)(
    'with all gates closed, or open, it is the one of one bit, or of two: %o',
    async (...given) => {
      const { source, values, x, shape, filters } = prepared(given);
      const { threshold: _, ...options } = given[1];
      const at = async (inputQuantizer: QuantizerLike) => {
        const plain = sequential([quantConv2d({ name: 'conv', inputQuantizer, ...options })], {
          input: shape,
        });
        const own = new Map([...values].filter(([name]) => name !== 'conv/threshold'));
        using network = await Network.create(gpu(), plain, { values: own });
        return await network.predict(x);
      };
      const gated = async (threshold: number) => {
        const all = new Map(values).set('conv/threshold', new Float32Array(filters).fill(threshold));
        using network = await Network.create(gpu(), source, { values: all });
        const [counted] = await openGates(network, x);
        expect(counted).toMatchObject({ layer: 'conv', open: threshold < 0 ? 1 : 0 });
        return await network.predict(x);
      };
      expectSame(
        await gated(1e6),
        (await at('steSign')).map((sum) => THIRDS * sum),
      );
      expectClose(await gated(-1e6), await at(fracBits()), 1e-6);
    },
  );

  test.each(CASES.slice(0, 4))('and its gradients are those of its surrogate: %o', async (...given) => {
    const { source, values, x, windows, kernel, shape, filters } = prepared(given);
    const [{ layer, parameters: specs, outputShape }] = source.layers as [(typeof source.layers)[number]];
    const thresholds = values.get('conv/threshold') as Float32Array;
    // Not at the edges of the window.
    const inside = x.map((value) => (Math.abs(value) === 1 ? 0.9 * value : value));
    const g = draw(2 * sizeOf(outputShape), 13);
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'gated gradients');
    const parameter = (name: string) => {
      const spec = specs.find((own) => own.name === name) as (typeof specs)[number];
      const own = values.get(`conv/${name}`) as Float32Array;
      const { shape: dims } = spec;
      const channels = dims.at(-1) ?? 1;
      const packed = packSigns(own, own.length / channels, channels);
      return {
        ...{ name: `conv/${name}`, spec, value: scratch.tensor(name, dims, 'f32', own) },
        packed: name === 'kernel' ? scratch.tensor('signs', dims, 'bits', packed) : undefined,
      };
    };
    const { backward } = layer.forward(
      {
        ...{ builder: b, training: true, state: undefined, stream: 0, gradients, wantsInputGradient: [true] },
        parameter,
      },
      [{ kind: 'real', tensor: scratch.tensor('x', [2, ...shape], 'f32', inside) }],
    );
    const { inputs, parameters } = backward(scratch.tensor('g', [2, ...outputShape], 'f32', g));
    const kept = [inputs[0], parameters?.kernel, parameters?.threshold].map(
      (tensor) => tensor && b.keep(tensor),
    );
    using program = await b.compile();
    program.run();
    const got = await Promise.all(kept.map(async (tensor) => (tensor ? gpu().readFloats(tensor) : [])));

    const w = signsOf(kernel);
    const { high, low } = planesOf(inside);
    /** A gate moves as σ(5·past) does, where that is above a half; before anything is moved it is a step. */
    const curve = (past: number) => Math.max(0.5, 1 / (1 + Math.exp(-5 * past)));
    const pasts: number[] = [];
    const step = (past: number) => (past >= 0 ? 1 : 0);
    reference.gatedConv2d({ high, low }, w, thresholds, windows, (past, at) => {
      pasts[at] = past;
      return 0;
    });
    const loss = (moves: { x?: readonly number[]; w?: readonly number[]; t?: readonly number[] }) => {
      // Inside the window each sign moves as the value does.
      const moved = (plane: Float32Array) =>
        Array.from(plane, (s, i) => s + (Math.abs(inside[i] ?? 0) <= 1 ? (moves.x?.[i] ?? 0) : 0));
      const y = reference.gatedConv2d(
        { high: moved(high), low: moved(low) },
        Array.from(w, (value, i) => value + (moves.w?.[i] ?? 0)),
        Array.from(thresholds, (value, i) => value + (moves.t?.[i] ?? 0)),
        windows,
        (past, at) => step(pasts[at] ?? 0) + curve(past) - curve(pasts[at] ?? 0),
      );
      return g.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
    };
    const EPSILON = 1e-5;
    const slopes = (count: number, of: 'x' | 'w' | 't', places: readonly number[]) =>
      places.map((at) => {
        const unit = (size: number) => Array.from({ length: count }, (_, i) => (i === at ? size : 0));
        return (loss({ [of]: unit(EPSILON) }) - loss({ [of]: unit(-EPSILON) })) / (2 * EPSILON);
      });
    for (const [index, [of, count]] of (
      [
        ['x', x.length],
        ['w', kernel.length],
        ['t', filters],
      ] as const
    ).entries()) {
      // Some of them, spread over all.
      const step = Math.max(1, Math.floor(count / 30));
      const places = Array.from({ length: Math.min(count, 30) }, (_, i) => i * step);
      const found = got[index] ?? [];
      expect(found).toHaveLength(count);
      expectClose(
        places.map((at) => found[at] ?? Number.NaN),
        slopes(count, of, places),
        1e-4,
        of,
      );
    }
    expect([...(got[2] ?? [])].some((value) => value !== 0) || filters === 1).toBe(true);
  });
});

test('a network learns with them, thresholds too, folds, and says how many gates are open', async () => {
  const data = quadrants(800, 200);
  const model = sequential(
    [
      quantConv2d({ name: 'first', filters: 16, kernelSize: 3, kernelQuantizer: 'steSign' }),
      batchNormalization({ name: 'norm1' }),
      quantGatedConv2d({ name: 'second', filters: 16, kernelSize: 3, ...SIGNS }),
      batchNormalization({ name: 'norm2' }),
      flatten(),
      quantDense({ name: 'scores', units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization({ name: 'norm3' }),
    ],
    { input: [8, 8, 1], name: 'gated' },
  );
  using trainer = await Trainer.create(gpu(), model, data, { batch: 50, epochs: 2 });
  const { epochs } = await trainer.fit();
  expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.9);
  const values = await trainer.network.values();
  const thresholds = values.get('second/threshold') as Float32Array;
  expect(thresholds.filter((value) => value !== -1).length).toBeGreaterThan(8);
  const samples = samplesOf(data, 'test', { count: 200 });
  const [gates, ...others] = await openGates(trainer.network, samples.subarray(0, 64 * 200));
  expect(others).toEqual([]);
  expect(gates).toMatchObject({ layer: 'second', gates: 16 * 16 });
  // By hand: what the first layers give, and the sums of its signs.
  using first = await Network.create(
    gpu(),
    sequential(
      model.layers.slice(0, 2).map(({ layer }) => layer),
      { input: [8, 8, 1] },
    ),
    { values: new Map([...values].filter(([name]) => /^(first|norm1)\//.test(name))) },
  );
  const windows = resolveConv2d([200, 6, 6, 16], [16, 3, 3, 16], {}, 'test');
  const kernel = signsOf(values.get('second/kernel') as Float32Array);
  const sums = reference.conv2d(signsOf(await first.predict(samples)), kernel, windows);
  const open = sums.filter((sum, i) => (2 / 3) * sum >= (thresholds[i % 16] ?? 0)).length / sums.length;
  expect(gates?.open).toBeCloseTo(open, 3);
  expect(open).toBeGreaterThan(0.05);
  expect(open).toBeLessThan(0.95);
  const folded = foldForInference(model, values);
  using compiled = await Network.create(gpu(), folded.model, { values: folded.values });
  const expected = await trainer.predict(samples);
  expectClose(await compiled.predict(samples), expected, 1e-4);
  for (const bytes of [exportOnnx(model, values), exportTflite(model, values)]) {
    const read = await loadModel(bytes);
    using again = await Network.create(gpu(), read.model, { values: read.values, forInference: true });
    expectClose(await again.predict(samples), expected, 1e-4);
  }
});

test('both products are counted, and what makes no sense is refused', async () => {
  const conv = quantGatedConv2d({ filters: 2, kernelSize: 3, ...SIGNS });
  expect(conv.operations?.([[4, 4, 8]])).toEqual({ binary: 2 * 4 * 2 * 9 * 8, float: 0 });
  expect(() => quantGatedConv2d({ filters: 1.5, kernelSize: 1 })).toThrow(OptionError);
  expect(() => quantGatedConv2d({ filters: 1, kernelSize: 1, threshold: Number.NaN })).toThrow(/threshold/);
  const options = { filters: 1, kernelSize: 1, inputQuantizer: 'steSign' };
  expect(() => quantGatedConv2d(options)).toThrow(/inputQuantizer/);
  expect(() => sequential([conv], { input: [16] })).toThrow(ShapeError);
  using plain = await Network.create(gpu(), sequential([sign()], { input: [4] }), { seed: 1 });
  await expect(openGates(plain, new Float32Array(4))).rejects.toThrow(OptionError);
  await expect(openGates(plain, new Float32Array(3))).rejects.toThrow(ShapeError);
});
