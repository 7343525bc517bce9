/** Thresholds, per-channel scales, and the compiler that folds normalisation and sign into them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError, OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce, type Shape } from '../src/gpu/index.ts';
import {
  apply,
  foldBatchNorm,
  foldForInference,
  initialValues,
  input,
  type Model,
  model,
  Network,
  sequential,
} from '../src/graph/index.ts';
import type { Layer } from '../src/layers/index.ts';
import {
  add,
  affine as affineLayer,
  batchNormalization,
  flatten,
  maxPool2d,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  sign,
  threshold as thresholdLayer,
} from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { affine, threshold } from '../src/ops/inference.ts';
import * as reference from '../src/reference/inference.ts';
import { cnn, mlp } from '../src/zoo/index.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

/** Normalisation in the order and the precision of its shader. */
function normalizedInFloat(x: number, g: number, b: number, mean: number, variance: number, epsilon: number) {
  const f = Math.fround;
  const scale = f(f(1 / f(Math.sqrt(f(variance + f(epsilon))))) * g);
  return f(f(f(x - mean) * scale) + b);
}

describe('foldBatchNorm', () => {
  const float = (min: number, max: number) =>
    fc.float({ min: Math.fround(min), max: Math.fround(max), noNaN: true });

  test('agrees with the float path for every integer, whatever the signs', () => {
    const scale = fc.oneof(float(-4, 4), fc.constantFrom(0, -0, 1, -1));
    const shift = fc.oneof(float(-3, 3), fc.constantFrom(0, -0));
    const mean = fc.oneof(float(-70, 70), fc.integer({ min: -70, max: 70 }));
    fc.assert(
      fc.property(scale, shift, mean, float(0.01, 900), (g, b, m, v) => {
        const { direction, threshold: limit, uncertain } = foldBatchNorm([g], [b], [m], [v], 1e-4);
        if (uncertain.length > 0) return;
        for (let x = -80; x <= 80; x++) {
          const plus = (direction[0] ?? 0) * x >= (limit[0] ?? 0);
          expect(plus, `x = ${x}`).toBe(!(normalizedInFloat(x, g, b, m, v, 1e-4) < 0));
        }
      }),
      { seed: 4, numRuns: 3000 },
    );
  });

  test('known thresholds: at least, at most, constant', () => {
    const folded = foldBatchNorm(
      [2, -2, 0, 0, 1],
      [0, 0, -1, 0, -3],
      [2.5, 2.5, 7, 7, 0],
      [4, 4, 1, 1, 1],
      1e-9,
    );
    expect([...folded.direction]).toEqual([1, -1, 0, 0, 1]);
    expect([...folded.threshold].slice(0, 4)).toEqual([3, -2, 1, 0]);
    expect(folded.uncertain).toEqual([4]);
  });

  test('gamma and beta may be absent, lengths must agree, numbers be finite', () => {
    expect([...foldBatchNorm(undefined, undefined, [1.5], [1], 1e-4).threshold]).toEqual([2]);
    expect(() => foldBatchNorm([1, 2], undefined, [0], [1], 1e-4)).toThrow(FormatError);
    expect(() => foldBatchNorm([Number.NaN], undefined, [0], [1], 1e-4)).toThrow(/channel 0/);
    expect(() => foldBatchNorm([1], undefined, [0], [-1], 1e-4)).toThrow(FormatError);
  });
});

describe('thresholds on the GPU', () => {
  const gpu = useGpu();

  for (const dtype of ['f32', 'i32'] as const) {
    for (const shape of [
      [1, 1],
      [5, 31],
      [3, 32],
      [2, 3, 4, 33],
      [70, 100],
    ]) {
      test(`I${shape.join('x')} ${dtype}`, async () => {
        const channels = shape.at(-1) ?? 1;
        const size = shape.reduce((product, extent) => product * extent, 1);
        const integers = Int32Array.from(
          { length: size },
          (_, i) => Math.floor(uniform01(1, 2, i) * 21) - 10,
        );
        const values = dtype === 'i32' ? integers : Float32Array.from(integers);
        const direction = Float32Array.from({ length: channels }, (_, c) => (c % 3) - 1);
        const limit = Float32Array.from(
          { length: channels },
          (_, c) => Math.floor(uniform01(3, 4, c) * 15) - 7,
        );
        using scratch = new Scratch(gpu());
        const x = scratch.tensor('x', shape, dtype, values);
        const options = {
          direction: scratch.tensor('direction', [channels], 'f32', direction),
          threshold: scratch.tensor('threshold', [channels], 'f32', limit),
        };
        using run = await runOnce(gpu(), 'threshold', (b) => b.keep(threshold(b, x, options)));
        const expected = reference.threshold(values, size / channels, channels, direction, limit);
        expectSame(await gpu().readWords(run.result), expected);
      });
    }
  }

  test('affine scales and shifts by channel', async () => {
    const values = Float32Array.from({ length: 3 * 37 }, (_, i) => uniform01(5, 6, i) - 0.5);
    const scale = Float32Array.from({ length: 37 }, (_, c) => c - 18);
    const shift = Float32Array.from({ length: 37 }, (_, c) => 0.25 * c);
    using scratch = new Scratch(gpu());
    const x = scratch.tensor('x', [3, 37], 'f32', values);
    const options = {
      scale: scratch.tensor('scale', [37], 'f32', scale),
      shift: scratch.tensor('shift', [37], 'f32', shift),
    };
    using run = await runOnce(gpu(), 'affine', (b) => b.keep(affine(b, x, options)));
    expectClose(await gpu().readFloats(run.result), reference.affine(values, scale, shift), 1e-6);
  });

  test('wrong parameters and types are refused', () => {
    using scratch = new Scratch(gpu());
    const x = scratch.tensor('x', [2, 4], 'f32');
    const short = scratch.tensor('short', [3], 'f32');
    const right = scratch.tensor('right', [4], 'f32');
    const bits = scratch.tensor('bits', [2, 4], 'bits');
    const b = new ProgramBuilder(gpu(), 'refused');
    expect(() => threshold(b, x, { direction: right, threshold: short })).toThrow(ShapeError);
    expect(() => threshold(b, bits, { direction: right, threshold: right })).toThrow(/numbers/);
    expect(() => affine(b, x, { scale: short, shift: right })).toThrow(ShapeError);
  });

  test.each([
    ['threshold', thresholdLayer],
    ['affine', affineLayer],
  ])('the %s layer refuses to train', (_, make) => {
    const layer = make();
    using scratch = new Scratch(gpu());
    const tensor = scratch.tensor('x', [2, 4], 'f32');
    const context = {
      builder: new ProgramBuilder(gpu(), 'training'),
      training: true,
      state: undefined,
      stream: 0,
      wantsInputGradient: [true],
      parameter: () => {
        throw new Error('no parameter is asked for');
      },
    };
    expect(() => layer.forward(context, [{ kind: 'real', tensor }])).toThrow(OptionError);
  });
});

/** Values as after training: nothing round, every sign of gamma, and some channels without effect. */
function trainedValues(model: Model, seed: number): Map<string, Float32Array<ArrayBuffer>> {
  const values = initialValues(model, seed);
  let stream = 0;
  for (const [name, value] of values) {
    stream += 1;
    const draw = (c: number) => uniform01(seed, stream, c);
    if (name.endsWith('/gamma'))
      values.set(
        name,
        value.map((_, c) => (c % 7 === 3 ? 0 : 3 * draw(c) - 1.5)),
      );
    if (name.endsWith('/beta'))
      values.set(
        name,
        value.map((_, c) => 2 * draw(c) - 1),
      );
    if (name.endsWith('/runningMean'))
      values.set(
        name,
        value.map((_, c) => 10 * draw(c) - 5),
      );
    if (name.endsWith('/runningVariance'))
      values.set(
        name,
        value.map((_, c) => 5 + 60 * draw(c)),
      );
  }
  return values;
}

describe('folding a model for inference', () => {
  const gpu = useGpu();

  const both = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
  const cases: [string, Model, string[], string[], string[]][] = [
    [
      'mlp',
      mlp({ input: [8, 8, 1], classes: 10, units: 96 }),
      ['norm2'],
      ['norm1', 'norm3'],
      ['dense2+norm2'],
    ],
    [
      'cnn',
      cnn({ input: [28, 28, 1], classes: 10 }),
      ['norm2', 'norm3', 'norm4'],
      ['norm1', 'norm5'],
      ['conv2+maxPool2d_2+norm2', 'conv3+norm3', 'dense4+norm4'],
    ],
    [
      'a chain with sign layers',
      sequential(
        [
          sign({ name: 'in' }),
          quantDense({ name: 'a', units: 33, kernelQuantizer: 'steSign' }),
          batchNormalization({ name: 'na', scale: false, epsilon: 1e-3 }),
          sign({ name: 'sa' }),
          quantDense({ name: 'b', units: 5, kernelQuantizer: 'steSign' }),
        ],
        { input: [50] },
      ),
      ['na'],
      [],
      ['a+na'],
    ],
    [
      'a depthwise convolution',
      sequential(
        [
          quantDepthwiseConv2d({
            name: 'd',
            kernelSize: 3,
            strides: [1, 2],
            padding: 'same',
            padValue: 1,
            depthMultiplier: 2,
            inputQuantizer: 'steSign',
            depthwiseQuantizer: 'steSign',
          }),
          batchNormalization({ name: 'nd' }),
          quantConv2d({ name: 'p', filters: 12, kernelSize: 1, ...both }),
        ],
        { input: [5, 6, 19] },
      ),
      ['nd'],
      [],
      ['d+nd'],
    ],
    [
      'windows of either direction',
      sequential(
        [
          quantConv2d({ name: 'a', filters: 35, kernelSize: 3, padding: 'same', padValue: 1, ...both }),
          maxPool2d({ name: 'pa', poolSize: 3, strides: 2, padding: 'same' }),
          batchNormalization({ name: 'na' }),
          quantConv2d({ name: 'b', filters: 32, kernelSize: 2, strides: [1, 2], dilations: [2, 1], ...both }),
          batchNormalization({ name: 'nb' }),
          maxPool2d({ name: 'pb', poolSize: 2 }),
          sign({ name: 'sb' }),
          flatten({ name: 'f' }),
          quantDense({ name: 'c', units: 40, ...both }),
          batchNormalization({ name: 'nc' }),
          sign({ name: 'sc' }),
          quantDense({ name: 'd', units: 20, ...both }),
        ],
        { input: [9, 11, 5] },
      ),
      ['na', 'nc'],
      ['nb'],
      ['a+pa+na', 'c+nc'],
    ],
  ];
  test.each(cases)('%s: the same logits, bit for bit', async (_, model, folded, kept, fused) => {
    const values = trainedValues(model, 11);
    const result = foldForInference(model, values);
    expect(result.folded).toEqual(folded);
    expect(result.kept.map(({ name }) => name)).toEqual(kept);
    expect(result.fused.map(({ name, took }) => [name, ...took].join('+'))).toEqual(fused);
    const size = model.inputShape.reduce((product, extent) => product * extent, 1);
    const samples = Float32Array.from({ length: 16 * size }, (_, i) => 2 * uniform01(9, 9, i) - 1);
    using network = await Network.create(gpu(), model, { values });
    using compiled = await Network.create(gpu(), result.model, { values: result.values });
    const expected = await network.predict(samples);
    expectSame(await compiled.predict(samples), expected);
    expect(new Set(expected).size).toBeGreaterThan(8);
  });

  test('what others read stays apart: branches, reals, values of a threshold before it', async () => {
    const start = input([5, 6, 20]);
    const shared = apply(quantConv2d({ name: 'shared', filters: 8, kernelSize: 3, ...both }), start);
    const left = apply(sign({ name: 'left' }), apply(batchNormalization({ name: 'na' }), shared));
    const right = apply(batchNormalization({ name: 'nb' }), shared);
    const source = model({ input: start, output: apply(add({ name: 'sum' }), left, right) });
    const values = trainedValues(source, 5);
    const result = foldForInference(source, values);
    expect(result.folded).toEqual(['na']);
    expect(result.kept).toEqual([{ name: 'nb', reason: 'its values are read, not only their signs' }]);
    expect(result.fused).toEqual([]);
    const samples = Float32Array.from({ length: 2 * 600 }, (_, i) => uniform01(3, 9, i) - 0.5);
    using network = await Network.create(gpu(), source, { values });
    using compiled = await Network.create(gpu(), result.model, { values: result.values });
    expectSame(await compiled.predict(samples), await network.predict(samples));
  });

  test('with reals, normalisations that are read become multiplier and bias: the same up to rounding', async () => {
    const source = sequential(
      [
        quantDense({ name: 'a', units: 40, ...both }),
        batchNormalization({ name: 'na' }),
        quantDense({ name: 'b', units: 10, ...both }),
        batchNormalization({ name: 'nb', scale: false }),
      ],
      { input: [70] },
    );
    const values = trainedValues(source, 6);
    expect(foldForInference(source, values, { fuse: false }).fused).toEqual([]);
    const result = foldForInference(source, values, { reals: true });
    expect(result.fused).toEqual([
      { name: 'a', took: ['na'] },
      { name: 'b', took: ['nb'] },
    ]);
    expect(result.kept).toEqual([]);
    expect(result.model.layers.map(({ layer }) => layer.kind)).toEqual(['binaryDense', 'binaryDense']);
    const samples = Float32Array.from({ length: 32 * 70 }, (_, i) => uniform01(4, 9, i) - 0.5);
    using network = await Network.create(gpu(), source, { values });
    using compiled = await Network.create(gpu(), result.model, { values: result.values });
    expectClose(await compiled.predict(samples), await network.predict(samples), 1e-5);
  });

  test('an affine whose scales are powers of two is taken in exactly, and no other', () => {
    const source = sequential(
      [quantDense({ name: 'a', units: 2, ...both }), affineLayer({ name: 'scores' })],
      { input: [40] },
    );
    const values = new Map([...initialValues(source, 1), ['scores/scale', new Float32Array([0.5, -4])]]);
    expect(foldForInference(source, values).fused).toEqual([{ name: 'a', took: ['scores'] }]);
    values.set('scores/scale', new Float32Array([0.5, 0.3]));
    expect(foldForInference(source, values).fused).toEqual([]);
  });

  test('what rounding decides, and what is read as a number, stays', () => {
    const source = sequential(
      [
        sign(),
        quantDense({ name: 'a', units: 1, kernelQuantizer: 'steSign' }),
        batchNormalization({ name: 'edge' }),
        quantDense({ name: 'b', units: 2, kernelQuantizer: 'steSign', inputQuantizer: 'steSign' }),
        batchNormalization({ name: 'reals' }),
        quantDense({ name: 'c', units: 2, kernelQuantizer: 'steSign' }),
      ],
      { input: [8] },
    );
    const values = initialValues(source, 1);
    values.set('edge/beta', new Float32Array([-3]));
    values.set('edge/runningVariance', new Float32Array([1 - 1e-4]));
    expect(foldForInference(source, values).kept).toEqual([
      { name: 'edge', reason: 'rounding decides at the threshold of channel 0' },
      { name: 'reals', reason: 'its values are read, not only their signs' },
    ]);
    values.delete('edge/beta');
    expect(() => foldForInference(source, values)).toThrow(/edge\/beta/);
  });

  test('a layer written as a class, with methods of its prototype and private fields, is folded like others', async () => {
    class Halved implements Layer {
      readonly name = undefined;
      readonly kind = 'halved';
      readonly config = {};
      #inner = batchNormalization({ name: 'inner' });
      outputShape(inputs: readonly Shape[]) {
        return this.#inner.outputShape(inputs, 'halved');
      }
      parameters(inputs: readonly Shape[]) {
        return this.#inner.parameters(inputs);
      }
      forward(...given: Parameters<Layer['forward']>) {
        return this.#inner.forward(...given);
      }
    }
    const model = sequential(
      [
        quantDense({ units: 8, kernelQuantizer: 'steSign', inputQuantizer: 'steSign' }),
        new Halved(),
        quantDense({ units: 8, kernelQuantizer: 'steSign', inputQuantizer: 'steSign' }),
        batchNormalization(),
        sign(),
      ],
      { input: [40] },
    );
    const values = initialValues(model, 2);
    const samples = Float32Array.from({ length: 40 * 3 }, (_, i) => Math.sin(i));
    using plain = await Network.create(gpu(), model, { values });
    for (const options of [{}, { fuse: false }]) {
      const folding = foldForInference(model, values, options);
      using folded = await Network.create(gpu(), folding.model, {
        values: folding.values,
        forInference: true,
      });
      expectSame(await folded.predict(samples), await plain.predict(samples));
    }
  });
});
