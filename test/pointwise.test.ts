/** Values one by one and values that only move: kernels against their twins, and the layers that are made of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, type Shape, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { apply, input, model, Network, sequential } from '../src/graph/index.ts';
import {
  add,
  divide,
  elementwiseAffine,
  type Layer,
  leakyRelu,
  makeLayer,
  maximum,
  minimum,
  multiply,
  multiThreshold as multiThresholdLayer,
  pad2d as pad2dLayer,
  prelu as preluLayer,
  quantize as quantizeLayer,
  relu,
  reshape,
  selu,
  sigmoid,
  sign,
  slice as sliceLayer,
  softmax as softmaxLayer,
  subtract,
  tanh,
  transpose,
} from '../src/layers/index.ts';
import { permuteAxes, slicePlaces } from '../src/numerics/axes.ts';
import { COMBINATIONS, combine as combineOnHost } from '../src/numerics/combine.ts';
import { CURVES } from '../src/numerics/curves.ts';
import { quantize as quantizeOnHost } from '../src/numerics/integers.ts';
import { normal, uniform01 } from '../src/numerics/random.ts';
import { ROUNDING_MODES } from '../src/numerics/rounding.ts';
import * as gradients from '../src/ops/gradients.ts';
import { pad2d, permute, slice, sliceGrad } from '../src/ops/movement.ts';
import {
  clamp,
  clampGrad,
  combine,
  curve,
  curveGrad,
  multiThreshold,
  prelu,
  preluGrad,
  quantize,
  softmax,
} from '../src/ops/pointwise.ts';
import * as moved from '../src/reference/movement.ts';
import * as reference from '../src/reference/pointwise.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const draw = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => normal(21, stream, i));
/** Quarters: ties for every rounding, and places right at a bound. */
const quarters = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.round(64 * uniform01(22, stream, i) - 32) / 4);

const extent = (max: number) => fc.integer({ min: 1, max });
const shapes: Shape[] = [
  [1],
  [70_001],
  [3, 1],
  ...fc.sample(fc.array(extent(7), { minLength: 2, maxLength: 5 }), { seed: 5, numRuns: 8 }),
];

describe('kernels against their twins', () => {
  const gpu = useGpu();

  /** Records everything into one program, runs it, and compares. */
  async function compare(
    record: (
      b: ProgramBuilder,
      tensor: (data: Float32Array<ArrayBuffer>, shape: Shape) => Tensor,
      check: (name: string, got: Tensor, expected: ArrayLike<number>, tolerance?: number) => void,
    ) => void,
  ) {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'pointwise');
    const checks: { name: string; got: Tensor; expected: ArrayLike<number>; tolerance: number }[] = [];
    record(
      b,
      (data, shape) => scratch.tensor('x', shape, 'f32', data),
      (name, got, expected, tolerance = 0) => checks.push({ name, got: b.keep(got), expected, tolerance }),
    );
    using program = await b.compile();
    program.run();
    for (const { name, got, expected, tolerance } of checks) {
      const values = await gpu().readFloats(got);
      if (tolerance > 0) expectClose(values, expected, tolerance, name);
      else
        expectSame(
          values,
          Float32Array.from(expected, (value) => value + 0),
          name,
        );
    }
  }

  test(`clamp, prelu, softmax, multiThreshold and their gradients on ${shapes.length} shapes`, async () => {
    await compare((b, tensor, check) => {
      for (const [s, shape] of shapes.entries()) {
        const channels = shape.at(-1) ?? 1;
        const [xs, gs, slopes] = [quarters(sizeOf(shape), s), draw(sizeOf(shape), s), quarters(channels, s)];
        const [x, g, alpha] = [tensor(xs, shape), tensor(gs, shape), tensor(slopes, [channels])];
        const name = `[${shape}]`;
        const bounds = [
          { minimum: 0, maximum: Number.POSITIVE_INFINITY },
          { minimum: -1, maximum: 6 },
        ][s % 2] as { minimum: number; maximum: number };
        const { minimum, maximum } = bounds;
        check(`${name} clamp`, clamp(b, x, bounds), reference.clamp(xs, minimum, maximum));
        check(`${name} clampGrad`, clampGrad(b, g, x, bounds), reference.clampGrad(gs, xs, minimum, maximum));
        check(`${name} prelu`, prelu(b, x, alpha), reference.prelu(xs, slopes));
        const grads = preluGrad(b, g, x, alpha);
        const expected = reference.preluGrad(gs, xs, slopes);
        check(`${name} preluGrad`, grads.gradInput, expected.gradInput);
        check(`${name} preluGrad of alpha`, grads.gradAlpha, expected.gradAlpha, 1e-4);
        check(`${name} softmax`, softmax(b, x), reference.softmax(xs, channels), 1e-4);
        const levels = 1 + (s % 15);
        if (channels < 1000) {
          const limits = quarters(channels * levels, s + 100);
          check(
            `${name} multiThreshold`,
            multiThreshold(b, x, tensor(limits, [channels, levels])),
            reference.multiThreshold(xs, limits, channels),
          );
        }
      }
    });
  });

  test('quantize rounds at ties and saturates, in every mode on every kind of grid', async () => {
    await compare((b, tensor, check) => {
      const channels = 3;
      const shape = [43, channels];
      const xs = quarters(sizeOf(shape), 1);
      const x = tensor(xs, shape);
      const [steps, zeros] = [Float32Array.of(0.5, 1, -2), Float32Array.of(0, 3, -1)];
      const [scale, zeroPoint] = [tensor(steps, [channels]), tensor(zeros, [channels])];
      let bits = 1;
      for (const rounding of ROUNDING_MODES) {
        for (const [signed, narrow] of [
          [true, true],
          [true, false],
          [false, true],
          [false, false],
        ] as const) {
          bits = narrow ? 2 + (bits % 4) : 1 + (bits % 4);
          const grid = { bits, signed, narrow, rounding, integers: bits % 2 === 0 };
          check(
            JSON.stringify(grid),
            quantize(b, x, { ...grid, scale, zeroPoint }),
            quantizeOnHost(xs, steps, zeros, grid),
          );
        }
      }
    });
  });

  const permutations = fc.sample(
    fc.array(extent(6), { minLength: 1, maxLength: 5 }).chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.shuffledSubarray(
          shape.map((_, axis) => axis),
          { minLength: shape.length },
        ),
      ),
    ),
    { seed: 6, numRuns: 10 },
  );

  test('axes in another order, frames around images', async () => {
    await compare((b, tensor, check) => {
      for (const [s, [shape, permutation]] of permutations.entries()) {
        const xs = draw(sizeOf(shape), s);
        check(
          `[${shape}] by [${permutation}]`,
          permute(b, tensor(xs, shape), permutation),
          permuteAxes([...xs], shape, permutation),
        );
      }
      const frames = [
        [
          [1, 0],
          [2, 3],
        ],
        [
          [0, 0],
          [0, 0],
        ],
        [
          [0, 4],
          [1, 0],
        ],
      ] as const;
      for (const [s, frame] of frames.entries()) {
        const shape = [2, 3 + s, 2, 5 - s] as const;
        const xs = draw(sizeOf(shape), s);
        check(
          JSON.stringify(frame),
          pad2d(b, tensor(xs, shape), frame, s - 1),
          moved.pad2d(xs, shape, frame, s - 1),
        );
      }
    });
  });

  test('sigmoid, tanh, leakyRelu and selu with their gradients, far out and near 0 too', async () => {
    const xs = Float32Array.of(
      -1e30,
      -1000,
      -89,
      -17,
      -0.05,
      -1e-3,
      -1e-20,
      0,
      1e-20,
      1e-3,
      0.049,
      0.05,
      9,
      88,
      2000,
      1e30,
    );
    const near = draw(1000, 5);
    const gs = draw(near.length, 6);
    await compare((b, tensor, check) => {
      for (const kind of CURVES) {
        const alpha = -0.75;
        check(
          kind,
          curve(b, kind, tensor(near, [near.length]), alpha),
          reference.curve(kind, near, alpha),
          1e-6,
        );
        check(
          `gradient of ${kind}`,
          curveGrad(b, kind, tensor(gs, [gs.length]), tensor(near, [near.length]), alpha),
          reference.curveGrad(kind, gs, near, alpha),
          1e-5,
        );
        check(
          `${kind}, far`,
          curve(b, kind, tensor(xs, [xs.length]), alpha),
          reference.curve(kind, xs, alpha),
          1e-6,
        );
        const ones = new Float32Array(xs.length).fill(1);
        check(
          `gradient of ${kind}, far`,
          curveGrad(b, kind, tensor(ones, [xs.length]), tensor(xs, [xs.length]), alpha),
          reference.curveGrad(kind, ones, xs, alpha),
          1e-6,
        );
      }
    });
  });

  const ranges = fc.sample(
    fc.array(
      extent(6).chain((whole) =>
        fc
          .integer({ min: 0, max: whole - 1 })
          .chain((begin) =>
            fc
              .integer({ min: 1, max: 3 })
              .chain((stride) =>
                fc.tuple(
                  fc.constant({ whole, begin, stride }),
                  fc.integer({ min: 1, max: 1 + Math.floor((whole - 1 - begin) / stride) }),
                  fc.boolean(),
                ),
              ),
          ),
      ),
      { minLength: 1, maxLength: 4 },
    ),
    { seed: 8, numRuns: 24 },
  );

  test('parts of tensors, also backwards, and their gradients', async () => {
    await compare((b, tensor, check) => {
      for (const [s, axes] of ranges.entries()) {
        const shape = [2, ...axes.map(([{ whole }]) => whole)];
        const range = {
          begin: [
            0,
            ...axes.map(([{ begin, stride }, size, back]) => (back ? begin + (size - 1) * stride : begin)),
          ],
          size: [2, ...axes.map(([, size]) => size)],
          strides: [1, ...axes.map(([{ stride }, , back]) => (back ? -stride : stride))],
        };
        const xs = draw(sizeOf(shape), s);
        const name = `[${shape}] ${JSON.stringify(range)}`;
        const places = slicePlaces(shape, range);
        check(
          name,
          slice(b, tensor(xs, shape), range),
          places.map((place) => xs[place] ?? 0),
        );
        const gs = draw(places.length, s + 50);
        const expected = new Float64Array(xs.length);
        for (const [i, place] of places.entries()) expected[place] = gs[i] ?? 0;
        check(`${name}, gradient`, sliceGrad(b, tensor(gs, range.size), shape, range), expected);
      }
    });
  });

  test('arithmetic of two tensors, extents of 1 repeated on either side', async () => {
    const pairs: [Shape, Shape][] = [
      [[5], [5]],
      [
        [2, 3, 4, 5],
        [2, 1, 1, 5],
      ],
      [
        [2, 1, 4, 1],
        [1, 3, 1, 5],
      ],
      [
        [2, 3, 2, 2, 3],
        [2, 3, 2, 2, 3],
      ],
      [
        [1, 1],
        [7, 9],
      ],
    ];
    await compare((b, tensor, check) => {
      for (const [s, [left, right]] of pairs.entries()) {
        const [xs, ys] = [quarters(sizeOf(left), s), draw(sizeOf(right), s + 9)];
        const [x, y] = [tensor(xs, left), tensor(ys, right)];
        for (const kind of COMBINATIONS) {
          check(
            `[${left}] ${kind} [${right}]`,
            combine(b, kind, x, y),
            combineOnHost(kind, xs, left, ys, right),
            1e-5,
          );
        }
      }
    });
  });

  test('shapes that do not fit', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'misfits');
    const tensor = (shape: Shape) => scratch.tensor('x', shape, 'f32');
    expect(() => combine(b, 'multiply', tensor([2, 3]), tensor([2, 2]))).toThrow(ShapeError);
    expect(() => combine(b, 'multiply', tensor([2, 3]), tensor([3]))).toThrow(ShapeError);
    expect(() => permute(b, tensor([1, 1, 1, 1, 1, 2]), [5, 4, 3, 2, 1, 0])).toThrow(ShapeError);
    expect(() => permute(b, tensor([1, 2]), [0, 0])).toThrow(OptionError);
    expect(() => prelu(b, tensor([4, 3]), tensor([4]))).toThrow(ShapeError);
    expect(() => clamp(b, tensor([2]), { minimum: 1, maximum: 0 })).toThrow(OptionError);
  });
});

describe('layers', () => {
  const gpu = useGpu();

  test.each<[string, Layer, Shape, number[], number[], Record<string, number[]>]>([
    ['relu', relu({ name: 'a' }), [3], [-1, 0, 7], [0, 0, 7], {}],
    [
      'relu between −1 and 1',
      relu({ name: 'a', minimum: -1, maximum: 1 }),
      [3],
      [-3, 0.5, 7],
      [-1, 0.5, 1],
      {},
    ],
    ['prelu', preluLayer({ name: 'a' }), [1, 2], [-2, -2], [-1, -0.5], { alpha: [0.5, 0.25] }],
    ['sigmoid', sigmoid({ name: 'a' }), [3], [-200, 0, 200], [0, 0.5, 1], {}],
    ['tanh', tanh({ name: 'a' }), [3], [-50, 0, 50], [-1, 0, 1], {}],
    ['leakyRelu', leakyRelu({ name: 'a', alpha: 0.25 }), [2], [-2, 3], [-0.5, 3], {}],
    ['leakyRelu as Keras has it', leakyRelu({ name: 'a' }), [2], [-2, 3], [-0.6, 3], {}],
    ['selu', selu({ name: 'a' }), [2], [-100, 2], [-1.758099, 2.1014], {}],
    [
      'slice',
      sliceLayer({ name: 'a', begin: [1, 2], size: [1, 2], strides: [1, -2] }),
      [2, 3],
      [1, 2, 3, 4, 5, 6],
      [6, 4],
      {},
    ],
    [
      'elementwiseAffine',
      elementwiseAffine({ name: 'a' }),
      [2, 2],
      [1, 2, 3, 4],
      [10, 19, 30, 44],
      { scale: [1, 2, 3, 4], shift: [9, 15, 21, 28] },
    ],
    ['softmax', softmaxLayer({ name: 'a' }), [2], [1000, 1000], [0.5, 0.5], {}],
    [
      'multiThreshold',
      multiThresholdLayer({ name: 'a', levels: 2 }),
      [2],
      [1, 1],
      [1, 2],
      { thresholds: [1, 2, 1, -1] },
    ],
    [
      'quantize to values',
      quantizeLayer({ name: 'a', bits: 3 }),
      [2],
      [1.25, -9],
      [1, -2],
      { scale: [0.5, 0.5], zeroPoint: [0, 0] },
    ],
    [
      'quantize to integers',
      quantizeLayer({ name: 'a', bits: 2, signed: false, rounding: 'ceil', output: 'integers' }),
      [2],
      [0.6, 9],
      [2, 3],
      { scale: [0.5, 0.5], zeroPoint: [0, 0] },
    ],
    ['reshape', reshape({ name: 'a', shape: [2, 2] }), [4], [1, 2, 3, 4], [1, 2, 3, 4], {}],
    ['transpose', transpose({ name: 'a', permutation: [1, 0] }), [2, 2], [1, 2, 3, 4], [1, 3, 2, 4], {}],
    [
      'pad2d',
      pad2dLayer({
        name: 'a',
        padding: [
          [0, 1],
          [1, 0],
        ],
        value: -1,
      }),
      [1, 1, 2],
      [5, 6],
      [-1, -1, 5, 6, -1, -1, -1, -1],
      {},
    ],
  ])('%s', async (_, layer, shape, x, expected, parameters) => {
    const values = new Map(
      Object.entries(parameters).map(([name, value]) => [`a/${name}`, Float32Array.from(value)] as const),
    );
    // As a file would bring it back.
    const again = makeLayer(layer.kind, JSON.parse(JSON.stringify(layer.config)), 'test');
    using network = await Network.create(gpu(), sequential([again], { input: shape }), { values });
    expectClose(await network.predict(Float32Array.from(x)), expected, 1e-6);
  });

  test('the lesser and the greater of two branches', async () => {
    const start = input([3]);
    const [low, high] = [apply(relu(), start), apply(leakyRelu({ alpha: 1 }), start)];
    const output = apply(subtract(), apply(maximum(), low, high), apply(minimum(), low, high));
    using network = await Network.create(gpu(), model({ input: start, output }));
    expectClose(await network.predict(Float32Array.of(-2, 0, 7)), [2, 0, 0], 1e-6);
  });

  test('arithmetic of two branches, one of them an attention of one value a channel', async () => {
    const start = input([2, 2, 2]);
    const gate = apply(reshape({ shape: [1, 1, 8] }), start);
    const wide = apply(reshape({ shape: [4, 1, 2] }), start);
    const outer = apply(reshape({ shape: [4, 1, 2] }), apply(relu(), start));
    const scaled = apply(multiply(), wide, outer);
    const less = apply(subtract(), scaled, apply(reshape({ shape: [4, 1, 2] }), gate));
    const ratio = apply(divide(), less, apply(reshape({ shape: [4, 1, 2] }), apply(sign(), start)));
    const first = apply(reshape({ shape: [1, 1, 8] }), ratio);
    const output = apply(add(), first, apply(reshape({ shape: [8, 1, 1] }), start));
    using network = await Network.create(gpu(), model({ input: start, output }));
    const x = [1, -2, 3, -4, 5, 0, -7, 8];
    const rows = x.map((v) => (v * Math.max(0, v) - v) / (v < 0 ? -1 : 1));
    const expected = x.flatMap((v) => rows.map((row) => row + v));
    expectClose(await network.predict(Float32Array.from(x)), expected, 1e-6);
  });

  test('what trains passes its gradient on', async () => {
    const shape = [2, 3, 2];
    const [xs, ys, gs] = [quarters(12, 1), draw(12, 2), draw(12, 3)];
    const slopes = Float32Array.of(0.5, -1);
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'gradients');
    const [x, y] = [scratch.tensor('x', shape, 'f32', xs), scratch.tensor('y', shape, 'f32', ys)];
    const alpha = scratch.tensor('alpha', [2], 'f32', slopes);
    const [spec] = preluLayer().parameters([[3, 2]]);
    if (spec === undefined) throw new Error('prelu has a parameter');
    const passed = (layer: Layer, inputs: readonly Tensor[], gradient: Shape = shape) => {
      const forward = layer.forward(
        {
          ...{ builder: b, training: true, state: undefined, stream: 0 },
          ...{ wantsInputGradient: inputs.map(() => true), gradients },
          parameter: () => ({ name: 'alpha', packed: undefined, value: alpha, spec }),
        },
        inputs.map((tensor) => ({ kind: 'real', tensor })),
      );
      const made = forward.backward(scratch.tensor('g', gradient, 'f32', gs.slice(0, sizeOf(gradient))));
      return [...made.inputs, ...Object.values(made.parameters ?? {})].map((got) => got && b.keep(got));
    };
    const both = passed(multiply(), [x, y]);
    const sloped = passed(preluLayer(), [x]);
    const [bent] = passed(leakyRelu({ alpha: 0.5 }), [x]);
    const [curved] = passed(tanh(), [x]);
    const [cut] = passed(sliceLayer({ begin: [2, 0], size: [1, 2] }), [x], [2, 1, 2]);
    const [rectified] = passed(relu({ minimum: -1, maximum: 1 }), [x]);
    const [turned] = passed(transpose({ permutation: [1, 0] }), [x], [2, 2, 3]);
    const [shaped] = passed(reshape({ shape: [6] }), [x], [2, 6]);
    using program = await b.compile();
    program.run();
    const expected = reference.preluGrad(gs, xs, slopes);
    const checks: [Tensor | undefined, ArrayLike<number>][] = [
      [both[0], gs.map((g, i) => g * (ys[i] ?? 0))],
      [both[1], gs.map((g, i) => g * (xs[i] ?? 0))],
      [sloped[0], expected.gradInput],
      [sloped[1], expected.gradAlpha],
      [rectified, reference.clampGrad(gs, xs, -1, 1)],
      [bent, reference.curveGrad('leakyRelu', gs, xs, 0.5)],
      [curved, reference.curveGrad('tanh', gs, xs)],
      [cut, Float32Array.from(xs, (_, i) => (i % 6 < 4 ? 0 : (gs[2 * Math.floor(i / 6) + (i % 2)] ?? 0)))],
      [turned, permuteAxes([...gs], [2, 2, 3], [0, 2, 1])],
    ];
    for (const [got, wanted] of checks) {
      if (got === undefined) throw new Error('no gradient');
      expectClose(await gpu().readFloats(got), wanted, 1e-6);
    }
    expect(shaped?.shape).toEqual(shape);
    for (const layer of [softmaxLayer(), subtract(), quantizeLayer({ bits: 2 })]) {
      expect(() => passed(layer, [x, y].slice(0, layer.kind === 'subtract' ? 2 : 1))).toThrow(
        /for inference/,
      );
    }
  });

  test('signs stay packed under another shape only where rows stay whole', async () => {
    const layers = [
      sign(),
      reshape({ shape: [2, 32] }),
      reshape({ shape: [4, 16] }),
      reshape({ shape: [64] }),
    ];
    using network = await Network.create(gpu(), sequential(layers, { input: [64] }));
    const x = draw(64, 3);
    expectSame(
      await network.predict(x),
      x.map((v) => (v < 0 ? -1 : 1)),
    );
  });

  test('a slice that reaches out of its input is refused by name', () => {
    const out = sliceLayer({ name: 'cut', begin: [2], size: [2] });
    expect(() => sequential([out], { input: [3] })).toThrow(/reaches out[\s\S]*cut/);
    expect(() => sequential([out], { input: [2, 3] })).toThrow(ShapeError);
  });

  test.each<[string, () => Layer, RegExp]>([
    ['bounds in the wrong order', () => relu({ minimum: 1, maximum: 0 }), /minimum = 1/],
    ['a bound that is no number', () => relu({ minimum: Number.NEGATIVE_INFINITY }), /-Infinity/],
    ['no such grid', () => quantizeLayer({ bits: 0 }), /0 bits/],
    ['a grid of one integer', () => quantizeLayer({ bits: 1, narrow: true }), /1 bits/],
    ['no such rounding', () => quantizeLayer({ bits: 2, rounding: 'up' as 'ceil' }), /halfEven/],
    ['no levels', () => multiThresholdLayer({ levels: 0 }), /levels/],
    ['an empty shape', () => reshape({ shape: [] }), /\[\]/],
    ['a slice of no stride', () => sliceLayer({ begin: [0], size: [1], strides: [0] }), /strides/],
    ['a slice of no size', () => sliceLayer({ begin: [0], size: [0] }), /size/],
    ['a slope that is no number', () => leakyRelu({ alpha: Number.NaN }), /NaN/],
    ['an axis named twice', () => transpose({ permutation: [0, 0] }), /\[0,0\]/],
    [
      'a negative frame',
      () =>
        pad2dLayer({
          padding: [
            [0, -1],
            [0, 0],
          ],
        }),
      /-1/,
    ],
  ])('%s is refused', (_, make, message) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(message);
  });
});
