/** Depthwise and separable convolutions: whole training passes against the twins. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { type Model, Network, recordForward, sequential, summarize } from '../src/graph/index.ts';
import { batchNormalization, quantDepthwiseConv2d, quantSeparableConv2d } from '../src/layers/index.ts';
import { finishReals, finishSigns } from '../src/numerics/epilogue.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { binaryConv2d, type Conv2dOptions, resolveConv2d } from '../src/ops/conv.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import { FUSED_ACTIVATIONS, fusedBinaryConv2d } from '../src/ops/fused.ts';
import * as reference from '../src/reference/conv.ts';
import { conv2d, conv2dGradInput, conv2dGradWeights } from '../src/reference/conv.ts';
import { type ConvolutionCase, hasOutput, resolveCase } from './helpers/convolutions.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const draw = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => 2.4 * (uniform01(6, stream, i) - 0.5));
const signs = (x: ArrayLike<number>) => Float64Array.from(x, (value) => (value < 0 ? -1 : 1));
const gate = (x: ArrayLike<number>) => Float64Array.from(x, (value) => (Math.abs(value) <= 1 ? 1 : 0));
const BINARY = { inputQuantizer: 'steSign', depthwiseQuantizer: 'steSign' } as const;

describe('depthwise layers', () => {
  const gpu = useGpu();

  /** Output, and gradients of parameters and input, of a model of one layer in a training pass. */
  async function trainingPass(model: Model, values: Map<string, Float32Array<ArrayBuffer>>, batch: number) {
    using scratch = new Scratch(gpu());
    using network = await Network.create(gpu(), model, { values });
    const x = scratch.tensor('x', [batch, ...model.inputShape], 'f32', draw(batch * 6 * 5 * 35, 1));
    const g = scratch.tensor('g', [batch, ...model.outputShape], 'f32');
    gpu().write(g, draw(g.size, 2));
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ seed: 1 }));
    const b = new ProgramBuilder(gpu(), 'pass');
    const pass = recordForward(b, model, network.parameters, x, { training: true, state });
    b.keep(pass.output.tensor);
    const gradients = new Map<string, ReturnType<typeof b.keep>>();
    pass.backward(g, ({ name }, gradient) => gradients.set(name, b.keep(gradient)));
    using program = await b.compile();
    await gpu().scoped('pass', () => program.run());
    const read = new Map<string, Float32Array>();
    for (const [name, tensor] of gradients) read.set(name, await gpu().readFloats(tensor));
    return { output: await gpu().readFloats(pass.output.tensor), gradients: read, g: draw(g.size, 2) };
  }

  test('quantDepthwiseConv2d trains, with two outputs a channel', async () => {
    const options = { kernelSize: [3, 2], strides: [1, 2], padding: 'same', padValue: 1 } as const;
    // The normalisation before it makes the gradient of its input one of a parameter.
    const model = sequential(
      [
        batchNormalization({ name: 'before', scale: false }),
        quantDepthwiseConv2d({ name: 'd', depthMultiplier: 2, ...options, ...BINARY }),
      ],
      { input: [6, 5, 35] },
    );
    expect(model.outputShape).toEqual([6, 3, 70]);
    const kernel = draw(70 * 6, 3);
    const zeros = () => new Float32Array(35);
    const values = new Map([
      ['before/beta', draw(35, 4)],
      ['before/runningMean', zeros()],
      ['before/runningVariance', zeros().fill(1)],
      ['d/kernel', kernel],
    ]);
    const { output, gradients, g } = await trainingPass(model, values, 2);
    const geometry = resolveConv2d([2, 6, 5, 35], [70, 3, 2, 1], { ...options, groups: 35 });
    const x = normalized(draw(2 * 6 * 5 * 35, 1), values.get('before/beta') ?? zeros());
    expectClose(output, conv2d(signs(x), signs(kernel), geometry), 1e-6);
    expectClose(gradients.get('d/kernel') ?? [], conv2dGradWeights(g, signs(x), geometry), 1e-4);
    const gradInput = conv2dGradInput(g, signs(kernel), geometry, gate(x));
    const gradBeta = zeros().map((_, c) => gradInput.reduce((sum, v, i) => sum + (i % 35 === c ? v : 0), 0));
    expectClose(gradients.get('before/beta') ?? [], gradBeta, 1e-4);
  });

  function normalized(x: Float32Array, beta: Float32Array): Float64Array {
    const channels = beta.length;
    const rows = x.length / channels;
    const column = (c: number) => Array.from({ length: rows }, (_, r) => x[r * channels + c] ?? 0);
    const statistics = Array.from(beta, (_, c) => {
      const mean = column(c).reduce((sum, v) => sum + v, 0) / rows;
      return { mean, variance: column(c).reduce((sum, v) => sum + (v - mean) ** 2, 0) / rows };
    });
    return Float64Array.from(x, (v, i) => {
      const { mean = 0, variance = 1 } = statistics[i % channels] ?? {};
      return (v - mean) / Math.sqrt(variance + 1e-4) + (beta[i % channels] ?? 0);
    });
  }

  test('quantSeparableConv2d trains', async () => {
    const options = { kernelSize: 3, padding: 'same', ...BINARY, pointwiseQuantizer: 'steSign' } as const;
    const model = sequential([quantSeparableConv2d({ name: 's', filters: 9, useBias: true, ...options })], {
      input: [6, 5, 35],
    });
    const values = new Map([
      ['s/depthwiseKernel', draw(35 * 9, 3)],
      ['s/pointwiseKernel', draw(9 * 35, 4)],
      ['s/bias', draw(9, 5)],
    ]);
    const { output, gradients, g } = await trainingPass(model, values, 2);
    const first = resolveConv2d([2, 6, 5, 35], [35, 3, 3, 1], { padding: 'same', groups: 35 });
    const second = resolveConv2d([2, 6, 5, 35], [9, 1, 1, 35]);
    const x = signs(draw(2 * 6 * 5 * 35, 1));
    const pointwise = signs(draw(9 * 35, 4));
    const between = conv2d(x, signs(draw(35 * 9, 3)), first);
    const bias = draw(9, 5);
    const expected = conv2d(between, pointwise, second).map((sum, i) => sum + (bias[i % 9] ?? 0));
    expectClose(output, expected, 1e-5);
    expectClose(gradients.get('s/pointwiseKernel') ?? [], conv2dGradWeights(g, between, second), 1e-4);
    const gradBetween = conv2dGradInput(g, pointwise, second);
    expectClose(gradients.get('s/depthwiseKernel') ?? [], conv2dGradWeights(gradBetween, x, first), 1e-4);
    const gradBias = bias.map((_, c) => g.reduce((sum, v, i) => sum + (i % 9 === c ? v : 0), 0));
    expectClose(gradients.get('s/bias') ?? [], gradBias, 1e-4);
  });

  test('parameters and operations are counted by bit', () => {
    const model = sequential(
      [
        quantDepthwiseConv2d({ kernelSize: 3, padding: 'same', ...BINARY }),
        quantSeparableConv2d({
          filters: 10,
          kernelSize: 3,
          depthMultiplier: 2,
          depthwiseQuantizer: 'steSign',
        }),
      ],
      { input: [8, 8, 16] },
    );
    const { total } = summarize(model);
    expect(total.binaryParameters).toBe(16 * 9 + 32 * 9);
    expect(total.floatParameters).toBe(32 * 10);
    expect(total.operations).toEqual({ binary: 64 * 16 * 9, float: 36 * (32 * 9 + 32 * 10) });
  });

  test('options and inputs that are not right are refused', () => {
    expect(() => quantDepthwiseConv2d({ kernelSize: 0 })).toThrow(OptionError);
    expect(() => quantDepthwiseConv2d({ kernelSize: 3, depthMultiplier: 1.5 })).toThrow(/depthMultiplier/);
    expect(() => quantSeparableConv2d({ filters: 0, kernelSize: 3 })).toThrow(OptionError);
    expect(() => sequential([quantDepthwiseConv2d({ kernelSize: 3 })], { input: [9] })).toThrow(ShapeError);
    expect(() =>
      sequential([quantSeparableConv2d({ filters: 2, kernelSize: 3 })], { input: [2, 2, 4] }),
    ).toThrow(ShapeError);
  });
});

interface Case extends Conv2dOptions {
  readonly input: readonly [n: number, h: number, w: number, c: number];
  readonly kernel: readonly [height: number, width: number];
}

const convolutionOf = ({ kernel, ...shape }: Case): ConvolutionCase => ({
  ...shape,
  filter: [shape.input[3], ...kernel],
  groups: shape.input[3],
});

describe('binary convolution of each channel with its own filter', () => {
  const gpu = useGpu();

  /** Every case to integers, to reals and to signs with each clamp in turn, in one program, against the twins. */
  async function runCases(cases: readonly Case[]): Promise<void> {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'depthwise');
    const checks: { name: string; out: Tensor; expected: ArrayLike<number> }[] = [];
    for (const [index, shape] of cases.entries()) {
      const geometry = resolveCase(convolutionOf(shape));
      const { inputShape, filterShape, outputShape, channels } = geometry;
      const taps = sizeOf(shape.kernel);
      const aWords = packSigns(draw(sizeOf(inputShape), 10 * index), sizeOf(inputShape) / channels, channels);
      const wWords = packSigns(draw(channels * taps, 10 * index + 1), channels * taps, 1);
      const a = scratch.tensor('a', inputShape, 'bits', aWords);
      const w = scratch.tensor('w', filterShape, 'bits', wWords);
      const options = { ...shape, groups: channels };
      const sums = reference.binaryConv2d(aWords, wWords, geometry);
      const name = JSON.stringify(shape);
      const add = (what: string, out: Tensor, expected: ArrayLike<number>) =>
        checks.push({ name: `${what} ${name}`, out: b.keep(out), expected });
      add('integers', binaryConv2d(b, a, w, { ...options, dtype: 'i32' }), sums);
      const activation = [undefined, ...FUSED_ACTIVATIONS][index % 4];
      // Every direction; thresholds between sums, on them, and beyond them all.
      const vectors = {
        direction: Float32Array.from({ length: channels }, (_, c) => [1, -1, 1, -1, 0][c % 5] ?? 1),
        threshold: draw(channels, 10 * index + 2).map((u, c) =>
          c % 9 === 8 ? (u < 0 ? -1000 : 1000) : c % 2 === 0 ? Math.round(u * taps * 0.6) : u * taps,
        ),
        multiplier: draw(channels, 10 * index + 3),
        bias: draw(channels, 10 * index + 4),
        slope: draw(channels, 10 * index + 5),
      };
      const tensorOf = (key: keyof typeof vectors) => scratch.tensor(key, [channels], 'f32', vectors[key]);
      const [direction, threshold] = [tensorOf('direction'), tensorOf('threshold')];
      const signsOut = { output: 'signs', direction, threshold } as const;
      add(
        'signs',
        fusedBinaryConv2d(b, a, w, { ...options, activation, epilogue: signsOut }),
        finishSigns(sums, { ...vectors, activation }),
      );
      const residual = draw(sizeOf(outputShape), 10 * index + 6);
      const realsOut = {
        output: 'real',
        multiplier: tensorOf('multiplier'),
        bias: tensorOf('bias'),
        slope: tensorOf('slope'),
        residual: scratch.tensor('residual', outputShape, 'f32', residual),
      } as const;
      add(
        'reals',
        fusedBinaryConv2d(b, a, w, { ...options, activation, epilogue: realsOut }),
        finishReals(sums, { ...vectors, activation, residual }),
      );
    }
    using program = await b.compile();
    await gpu().scoped('depthwise', () => program.run());
    for (const { name, out, expected } of checks) {
      if (out.dtype === 'f32') expectClose(await gpu().read(out), expected, 1e-5, name);
      else expectSame(await gpu().read(out), expected, name);
    }
  }

  test('one tap to 63, and 64, which are counted one channel at a time', () =>
    runCases([
      { input: [2, 3, 4, 5], kernel: [1, 1] },
      { input: [1, 9, 11, 40], kernel: [7, 9], padding: 'same' },
      { input: [1, 8, 8, 33], kernel: [7, 7], padding: 'same', padValue: -1 },
      { input: [1, 64, 1, 35], kernel: [63, 1] },
      { input: [1, 8, 9, 35], kernel: [8, 8] },
      {
        input: [1, 1, 1, 64],
        kernel: [3, 3],
        padding: [
          [1, 1],
          [1, 1],
        ],
      },
    ]));

  test('signs that all agree, or all differ, over a window of 63 taps', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'extremes');
    const ones = new Uint32Array(63).fill(1);
    const minus = scratch.tensor('minus', [1, 7, 9, 1], 'bits', ones);
    const plus = scratch.tensor('plus', [1, 7, 9, 1], 'bits');
    const agree = b.keep(binaryConv2d(b, minus, minus, { dtype: 'i32' }));
    const differ = b.keep(binaryConv2d(b, minus, plus, { dtype: 'i32' }));
    using program = await b.compile();
    program.run();
    expect([...(await gpu().read(agree)), ...(await gpu().read(differ))]).toEqual([63, -63]);
  });

  test('16 random geometries, seed 1', () => {
    const axis = (least: number, most: number) => fc.integer({ min: least, max: most });
    const cases = fc
      .record({
        input: fc.tuple(axis(1, 3), axis(1, 7), axis(1, 7), fc.constantFrom(1, 3, 31, 32, 33, 64, 97)),
        kernel: fc.constantFrom([3, 3] as const, [1, 1] as const, [2, 3] as const, [5, 4] as const),
        strides: fc.tuple(axis(1, 3), axis(1, 3)),
        dilations: fc.tuple(axis(1, 2), axis(1, 3)),
        padding: fc.oneof(
          fc.constantFrom('valid' as const, 'same' as const),
          fc.tuple(fc.tuple(axis(0, 3), axis(0, 3)), fc.tuple(axis(0, 3), axis(0, 3))),
        ),
        padValue: fc.constantFrom(0 as const, 1 as const, -1 as const),
      })
      .filter((shape) => hasOutput(convolutionOf(shape)));
    return runCases(fc.sample(cases, { seed: 1, numRuns: 16 }));
  });
});
