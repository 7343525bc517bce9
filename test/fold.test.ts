import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce, type Shape, type Tensor } from '../src/gpu/index.ts';
import {
  foldForInference,
  initialValues,
  type Model,
  Network,
  sequential,
  unfoldForTraining,
} from '../src/graph/index.ts';
import type { Layer } from '../src/layers/index.ts';
import {
  affine as affineLayer,
  batchNormalization,
  elementwiseAffine,
  flatten,
  maxPool2d,
  quantConv2d,
  quantDense,
  quantDepthwiseConv2d,
  sign,
  threshold as thresholdLayer,
} from '../src/layers/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import * as gradients from '../src/ops/gradients.ts';
import { affine, threshold } from '../src/ops/inference.ts';
import * as reference from '../src/reference/inference.ts';
import { cnn, mlp } from '../src/zoo/index.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';
import { trainedValues } from './helpers/trained.ts';

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

  test('a gradient goes through the affine layer times its scale', async () => {
    const values = (seed: number, count: number) =>
      Float32Array.from({ length: count }, (_, i) => uniform01(seed, 5, i) - 0.5);
    const [scale, gradient] = [values(1, 5), values(2, 30)];
    using scratch = new Scratch(gpu());
    const floats = (name: string, data: Float32Array<ArrayBuffer>, shape: Shape) =>
      scratch.tensor(name, shape, 'f32', data);
    const parameters = { scale: floats('scale', scale, [5]), shift: floats('shift', values(3, 5), [5]) };
    const builder = new ProgramBuilder(gpu(), 'affine');
    const { backward } = affineLayer().forward(
      {
        ...{ builder, gradients, training: true, state: undefined, stream: 0, wantsInputGradient: [true] },
        parameter: (name) => ({ name, value: parameters[name as 'scale'], packed: undefined }) as never,
      },
      [{ kind: 'real', tensor: floats('x', values(4, 30), [6, 5]) }],
    );
    const { inputs } = backward(floats('gradient', gradient, [6, 5]));
    const kept = builder.keep(inputs[0] as Tensor);
    using program = await builder.compile();
    program.run();
    expectClose(
      await gpu().readFloats(kept),
      gradient.map((g, i) => g * (scale[i % 5] ?? 0)),
      1e-6,
      'gradient',
    );
  });

  test.each([
    ['threshold', thresholdLayer],
    ['elementwiseAffine', elementwiseAffine],
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

    // And back again: in layers that train, with the names of the products.
    const trainable = unfoldForTraining(result.model, result.values);
    const kinds = trainable.model.layers.map(({ layer }) => layer.kind);
    expect(kinds.filter((kind) => ['threshold', 'binaryConv2d', 'binaryDense'].includes(kind))).toEqual([]);
    using unfolded = await Network.create(gpu(), trainable.model, { values: trainable.values });
    expectSame(await unfolded.predict(samples), expected);
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
