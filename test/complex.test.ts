/** Complex convolutions: the complex product, its gradients, and a network that learns with them and folds. */
import { describe, expect, test } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, sizeOf } from '../src/gpu/index.ts';
import { foldForInference, initialValues, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  flatten,
  type QuantComplexConv2dOptions,
  quantComplexConv2d,
  quantConv2d,
  quantDense,
} from '../src/layers/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { normal, uniform01 } from '../src/numerics/random.ts';
import { resolveConv2d } from '../src/ops/conv.ts';
import * as gradients from '../src/ops/gradients.ts';
import * as reference from '../src/reference/conv.ts';
import { Trainer } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const SIGNS = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
const draw = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => 3 * uniform01(seed, 7, i) - 1.5);
const signsOf = (values: Float32Array) => values.map((value) => (value < 0 ? -1 : 1));

const gpu = useGpu();

describe('a complex convolution is the complex product', () => {
  const shapes: readonly (readonly [readonly number[], QuantComplexConv2dOptions])[] = [
    [[1, 1, 2], { filters: 1, kernelSize: 1, ...SIGNS }],
    [[5, 4, 64], { filters: 3, kernelSize: 3, padding: 'same', ...SIGNS }],
    [[6, 7, 34], { filters: 5, kernelSize: [2, 3], strides: 2, ...SIGNS }],
    [[4, 4, 6], { filters: 2, kernelSize: 3, padding: 'same', padValue: -1, ...SIGNS }],
    [[4, 4, 6], { filters: 2, kernelSize: 3, kernelQuantizer: 'steSign' }],
    [[4, 4, 6], { filters: 2, kernelSize: 3 }],
  ];
  test.each(shapes)('of %o with %o', async (shape, options) => {
    const source = sequential([quantComplexConv2d({ name: 'conv', ...options })], { input: shape });
    const values = initialValues(source, 3);
    const kernel = values.get('conv/kernel') as Float32Array;
    // A latent weight of zero counts as +1, also where its negative is used.
    kernel[0] = 0;
    const x = draw(2 * sizeOf(shape), 5);
    const [size] = [options.kernelSize].flat();
    const filterShape = [
      2 * options.filters,
      size ?? 1,
      [options.kernelSize].flat().at(-1) ?? 1,
      shape[2] ?? 1,
    ];
    const windows = resolveConv2d([2, ...shape], filterShape, options, 'test');
    const isBinary = options.kernelQuantizer !== undefined;
    const expected = reference.complexConv2d(
      options.inputQuantizer === undefined ? x : signsOf(x),
      isBinary ? signsOf(kernel) : kernel,
      windows,
    );
    using network = await Network.create(gpu(), source, { values });
    const got = await network.predict(x);
    if (options.inputQuantizer === undefined) expectClose(got, expected, 1e-4);
    else expectSame(got, expected);
    const folded = foldForInference(source, values);
    using compiled = await Network.create(gpu(), folded.model, { values: folded.values });
    expectSame(await compiled.predict(x), got);
    const cpu = await CpuNetwork.create(source, values, { threads: 1 });
    expectClose(await cpu.predict(x), got, 1e-5);
    cpu.dispose();
  });

  test('and so are its gradients: the product is linear in each of its factors', async () => {
    const shape = [4, 3, 6];
    const layer = quantComplexConv2d({ filters: 2, kernelSize: 2, ...SIGNS });
    const [spec] = layer.parameters([shape]);
    const outputShape = layer.outputShape([shape], 'conv');
    const windows = resolveConv2d([2, ...shape], [4, 2, 2, 6], {}, 'test');
    const [x, w, g] = [
      draw(2 * sizeOf(shape), 1),
      draw(sizeOf(spec?.shape ?? []), 2),
      draw(2 * sizeOf(outputShape), 3),
    ];
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'complex gradients');
    const kernel = {
      ...{ name: 'conv/kernel', spec: spec as NonNullable<typeof spec> },
      value: scratch.tensor('w', spec?.shape ?? [], 'f32', w),
      packed: scratch.tensor('signs', spec?.shape ?? [], 'bits', packSigns(w, w.length / 6, 6)),
    };
    const { backward } = layer.forward(
      {
        ...{ builder: b, training: true, state: undefined, stream: 0, gradients, wantsInputGradient: [true] },
        parameter: () => kernel,
      },
      [{ kind: 'real', tensor: scratch.tensor('x', [2, ...shape], 'f32', x) }],
    );
    const { inputs, parameters } = backward(scratch.tensor('g', [2, ...outputShape], 'f32', g));
    const kept = [inputs[0], parameters?.kernel].map((tensor) => tensor && b.keep(tensor));
    using program = await b.compile();
    program.run();
    /** Σ g · y where one factor is 1 at a place and 0 elsewhere. */
    const slope = (count: number, y: (unit: Float32Array) => ArrayLike<number>) =>
      Array.from({ length: count }, (_, at) => {
        const made = y(Float32Array.from({ length: count }, (_, i) => (i === at ? 1 : 0)));
        return g.reduce((sum, value, i) => sum + value * (made[i] ?? 0), 0);
      });
    const [gradX, gradW] = await Promise.all(
      kept.map(async (tensor) => (tensor ? gpu().readFloats(tensor) : [])),
    );
    const ofX = slope(x.length, (unit) => reference.complexConv2d(unit, signsOf(w), windows));
    expectClose(
      gradX ?? [],
      ofX.map((value, i) => (Math.abs(x[i] ?? 0) <= 1 ? value : 0)),
      1e-4,
      'input',
    );
    const ofW = slope(w.length, (unit) => reference.complexConv2d(signsOf(x), unit, windows));
    expectClose(gradW ?? [], ofW, 1e-4, 'kernel');
  });
});

test('a network learns with them, and folds to the same bits', async () => {
  const model = sequential(
    [
      quantConv2d({ name: 'first', filters: 16, kernelSize: 3, kernelQuantizer: 'steSign' }),
      batchNormalization({ name: 'norm1' }),
      quantComplexConv2d({ name: 'second', filters: 8, kernelSize: 3, ...SIGNS }),
      batchNormalization({ name: 'norm2' }),
      flatten(),
      quantDense({ name: 'scores', units: 4, ...SIGNS }),
      batchNormalization({ name: 'norm3' }),
    ],
    { input: [8, 8, 1], name: 'complex' },
  );
  using trainer = await Trainer.create(gpu(), model, quadrants(800, 200), { batch: 50, epochs: 2 });
  const { epochs } = await trainer.fit();
  expect(epochs.at(-1)?.testAccuracy).toBeGreaterThan(0.9);
  const values = await trainer.network.values();
  expect(values.get('second/kernel')).toHaveLength(8 * 9 * 16);
  const folded = foldForInference(model, values);
  expect(folded.folded).toContain('norm2');
  using compiled = await Network.create(gpu(), folded.model, { values: folded.values });
  const samples = Float32Array.from({ length: 20 * 64 }, (_, i) => normal(4, 1, i));
  expectSame(await compiled.predict(samples), await trainer.predict(samples));
});

test('what makes no sense is refused', () => {
  expect(() => quantComplexConv2d({ filters: 1.5, kernelSize: 1 })).toThrow(OptionError);
  const scaled = quantComplexConv2d({ filters: 1, kernelSize: 1, kernelQuantizer: 'magnitudeAwareSign' });
  expect(() => sequential([scaled], { input: [4, 4, 2] })).toThrow(/signs alone/);
  const odd = quantComplexConv2d({ filters: 1, kernelSize: 1 });
  expect(() => sequential([odd], { input: [4, 4, 3] })).toThrow(ShapeError);
});
