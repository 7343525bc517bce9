import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { type Gpu, ProgramBuilder, sizeOf, type Tensor } from '../src/gpu/index.ts';
import {
  apply,
  foldForInference,
  initialValues,
  input,
  model,
  Network,
  sequential,
} from '../src/graph/index.ts';
import { needsPadding } from '../src/kernels/conv.ts';
import { FUSED_REAL, FUSED_SIGNS, fusedReal, fusedSigns } from '../src/kernels/fused.ts';
import { batchNormalization, binaryConv2d, binaryDense, flatten, quantConv2d } from '../src/layers/index.ts';
import { clampRange, finishReals, finishSigns } from '../src/numerics/epilogue.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { uniform01 } from '../src/numerics/random.ts';
import {
  type Conv2dOptions,
  conv2dConstants,
  type ResolvedConv2d,
  resolveConv2d,
  signConv2d,
} from '../src/ops/conv.ts';
import {
  FUSED_ACTIVATIONS,
  type FusedActivation,
  fusedBinaryConv2d,
  fusedBinaryMatMul,
  planeConv2d,
  type RealOutput,
  type SignOutput,
} from '../src/ops/fused.ts';
import * as reference from '../src/reference/conv.ts';
import { planeConv2d as planeConv2dTwin } from '../src/reference/fused.ts';
import { LARQ_CORNERS, LARQ_GRID, LARQ_LONG_SUMS, resolveCase as resolve } from './helpers/convolutions.ts';
import { type Case, nameOf, parametersOf, randomCases, withEpilogues, words } from './helpers/fused.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';
import { ShapesAtRunTime } from './helpers/shapes-at-run-time.ts';
import { Crossing, EVERY_VARIANT } from './helpers/variants.ts';

/**
 * Runs cases through the kernels for any geometry and those of the families, in one program, against the twin.
 * @param shapes whether pipelines are compiled for the shape of each case, as programs have them, or read it from a buffer
 */
async function runCases(
  gpu: Gpu,
  cases: readonly Case[],
  crossing: Crossing,
  shapes: 'compiled' | 'at run time' = 'compiled',
): Promise<void> {
  using scratch = new Scratch(gpu);
  using shared = shapes === 'at run time' ? new ShapesAtRunTime(gpu, 'fused') : undefined;
  const b = shared ?? new ProgramBuilder(gpu, 'fused');
  const checks = cases.flatMap((shape, index) => {
    const { output, activation, input } = shape;
    const geometry = resolve(shape);
    const { inputShape, filterShape, outputShape, outChannels } = geometry;
    const channels = input[3];
    const a = words(sizeOf(inputShape) / channels, 2 * index, channels);
    const filterChannels = filterShape[3] ?? 1;
    const w = words(sizeOf(filterShape) / filterChannels, 2 * index + 1, filterChannels);
    const spread = 2 * Math.sqrt(sizeOf(filterShape.slice(1)));
    const { direction, threshold, multiplier, bias, slope } = parametersOf(outChannels, spread, index);
    const residual = shape.residual
      ? Float32Array.from({ length: sizeOf(outputShape) }, (_, i) => spread * (uniform01(index, 8, i) - 0.5))
      : undefined;
    const sums = reference.binaryConv2d(a, w, geometry);
    const vector = (label: string, data: Float32Array<ArrayBuffer>) =>
      scratch.tensor(label, [outChannels], 'f32', data);
    const epilogue: RealOutput | SignOutput =
      output === 'signs'
        ? { output, direction: vector('direction', direction), threshold: vector('threshold', threshold) }
        : {
            output,
            multiplier: vector('multiplier', multiplier),
            bias: vector('bias', bias),
            slope: shape.prelu ? vector('slope', slope) : undefined,
            residual: residual && scratch.tensor('residual', outputShape, 'f32', residual),
          };
    const expected =
      output === 'signs'
        ? finishSigns(sums, { activation, direction, threshold })
        : finishReals(sums, {
            activation,
            multiplier,
            bias,
            residual,
            slope: shape.prelu ? slope : undefined,
          });
    const tensors = [
      scratch.tensor('a', inputShape, 'bits', a),
      scratch.tensor('w', filterShape, 'bits', w),
    ] as const;
    const kernels = kernelsOf(shape, geometry, gpu, crossing);
    return kernels.map((kernel) => ({
      name: `${kernel} ${nameOf(shape)}`,
      kernel,
      out: b.keep(fusedBinaryConv2d(b, ...tensors, { ...shape, epilogue, variant: kernel })),
      expected,
    }));
  });
  using program = await b.compile();
  await gpu.scoped('fused', () => program.run());
  for (const { name, kernel, out, expected } of checks) {
    if (out.dtype === 'bits') expectSame(await gpu.read(out), expected, name);
    else expectClose(await gpu.read(out), expected, 1e-5, name);
    crossing.compared(kernel);
  }
}

/** Names of the kernels that are to run a case: the one for any geometry, and those of the family. */
function kernelsOf(shape: Case, geometry: ResolvedConv2d, gpu: Gpu, crossing: Crossing): string[] {
  const windows = conv2dConstants(geometry);
  const [LOWEST, HIGHEST] = clampRange(shape.activation);
  const constants = { ...windows, PADDED: needsPadding(windows) ? 1 : 0, LOWEST, HIGHEST };
  const general = shape.output === 'signs' ? fusedSigns : fusedReal;
  crossing.always(general);
  const kernels =
    shape.output === 'signs'
      ? crossing.pick(FUSED_SIGNS, constants, gpu)
      : crossing.pick(
          FUSED_REAL,
          {
            ...constants,
            HAS_SCALE: 1,
            HAS_RESIDUAL: shape.residual ? 1 : 0,
            HAS_SLOPE: shape.prelu ? 1 : 0,
          },
          gpu,
        );
  return [general, ...kernels].map(({ name }) => name);
}

describe('binary convolution with its epilogue', () => {
  const gpu = useGpu();

  describe('every kernel on every case, its shapes at run time', () => {
    const crossing = new Crossing(true);
    const grid = withEpilogues([...LARQ_GRID, ...LARQ_LONG_SUMS], 'all');
    for (let start = 0; start < grid.length; start += 494) {
      const cases = grid.slice(start, start + 494);
      test(`Larq Compute Engine's grid, ${cases.length} cases from ${nameOf(cases[0] as Case)}`, async () => {
        await runCases(gpu(), cases, crossing, 'at run time');
      });
    }

    test('150 random geometries', async () => {
      await runCases(gpu(), randomCases(150, 2), crossing, 'at run time');
    });

    test('all of it', () => {
      crossing.assertWhole('fused binary convolutions, shapes at run time', {
        'conv/fused_real': 2 * 494 + 61,
        'conv/fused_signs': 2 * 494 + 89,
        'fusedBinaryConv2d to reals': 2 * 170 + 24,
        'fusedBinaryConv2d to signs': 2 * 170 + 38,
      });
    });
  });

  describe('kernels compiled for each shape', () => {
    const crossing = new Crossing();
    const grid = EVERY_VARIANT ? withEpilogues(LARQ_GRID, 'all') : withEpilogues(LARQ_CORNERS, 'in turn');
    for (let start = 0; start < grid.length; start += 90) {
      const cases = grid.slice(start, start + 90);
      test(`Larq Compute Engine's grid, ${cases.length} cases from ${nameOf(cases[0] as Case)}`, async () => {
        await runCases(gpu(), cases, crossing);
      });
    }

    test('40 random geometries, seed 1', async () => {
      await runCases(gpu(), randomCases(40, 1), crossing);
    });

    test('all of it', () => {
      const [each, taken] = EVERY_VARIANT ? [984, 336] : [66, 24];
      crossing.assertWhole('fused binary convolutions', {
        'conv/fused_real': each + 21,
        'conv/fused_signs': each + 19,
        'fusedBinaryConv2d to reals': taken + 10,
        'fusedBinaryConv2d to signs': taken + 8,
      });
    });
  });

  test('I1x6x6x3072_K5x5x4: sums beyond 16 bits', async () => {
    const cases = withEpilogues(LARQ_LONG_SUMS, 'all').filter(({ activation }) => activation === undefined);
    await runCases(gpu(), cases, new Crossing(true));
  });

  test('every epilogue: clamps, residuals and PReLU, at the edges of tiles and words', () => {
    const cases = [undefined, ...FUSED_ACTIVATIONS].flatMap((activation, index): Case[] => {
      const shape = { input: [2, 3, 3, 20], padding: 'same', activation } as const;
      const filters = [4, 33, 36, 68][index] ?? 4;
      return [
        { ...shape, filter: [filters, 2, 1], output: 'signs' },
        {
          ...shape,
          filter: [index % 2 === 0 ? 12 : 5, 1, 2],
          output: 'real',
          residual: true,
          prelu: index > 0,
        },
      ];
    });
    return runCases(gpu(), cases, new Crossing(true));
  });

  test('products of matrices', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'fused');
    const checks: { name: string; out: Tensor; expected: ArrayLike<number> }[] = [];
    for (const [M, N, K] of [
      [1, 10, 100],
      [7, 64, 784],
      [5, 33, 31],
      [9, 36, 64],
    ] as const) {
      const geometry = resolveConv2d([M, 1, 1, K], [N, 1, 1, K]);
      const a = words(M, M, K);
      const w = words(N, N, K);
      const sums = reference.binaryConv2d(a, w, geometry);
      const parameters = parametersOf(N, 20, K);
      const vector = (name: keyof typeof parameters) => scratch.tensor(name, [N], 'f32', parameters[name]);
      const operands = [
        scratch.tensor('a', [M, K], 'bits', a),
        scratch.tensor('w', [N, K], 'bits', w),
      ] as const;
      const signs = {
        output: 'signs',
        direction: vector('direction'),
        threshold: vector('threshold'),
      } as const;
      const reals = { output: 'real', multiplier: vector('multiplier'), bias: vector('bias') } as const;
      for (const variant of [
        undefined,
        ...[FUSED_SIGNS, FUSED_REAL].flatMap(({ variants }) => variants.map(({ kernel }) => kernel.name)),
        'general',
      ]) {
        const name = `${variant} ${M}x${N}x${K}`;
        const bits = b.keep(fusedBinaryMatMul(b, ...operands, { variant, epilogue: signs }));
        checks.push({ name, out: bits, expected: finishSigns(sums, parameters) });
        const y = b.keep(fusedBinaryMatMul(b, ...operands, { variant, epilogue: reals }));
        const { multiplier, bias } = parameters;
        checks.push({ name, out: y, expected: finishReals(sums, { multiplier, bias }) });
      }
    }
    using program = await b.compile();
    await gpu().scoped('fused', () => program.run());
    for (const { name, out, expected } of checks) {
      if (out.dtype === 'bits') expectSame(await gpu().read(out), expected, name);
      else expectClose(await gpu().read(out), expected, 1e-5, name);
    }
  });

  test('operands, parameters and options that are not right are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const a = scratch.tensor('a', [1, 4, 4, 40], 'bits');
    const w = scratch.tensor('w', [8, 3, 3, 40], 'bits');
    const right = scratch.tensor('right', [8], 'f32');
    const short = scratch.tensor('short', [7], 'f32');
    const signs = { output: 'signs', direction: right, threshold: right } as const;
    const reals = { output: 'real', multiplier: right, bias: right } as const;
    expect(() => fusedBinaryConv2d(b, right, w, { epilogue: signs })).toThrow(ShapeError);
    expect(() => fusedBinaryConv2d(b, a, right, { epilogue: signs })).toThrow(/element type/);
    expect(() => fusedBinaryConv2d(b, a, w, { epilogue: { ...signs, threshold: short } })).toThrow(
      ShapeError,
    );
    expect(() => fusedBinaryConv2d(b, a, w, { epilogue: { ...reals, slope: short } })).toThrow(ShapeError);
    expect(() => fusedBinaryConv2d(b, a, w, { epilogue: { ...reals, residual: right } })).toThrow(
      /1, 2, 2, 8/,
    );
    expect(() => fusedBinaryConv2d(b, a, w, { epilogue: signs, out: right })).toThrow(ShapeError);
    expect(() =>
      fusedBinaryConv2d(b, a, w, { epilogue: signs, activation: 'gelu' as unknown as FusedActivation }),
    ).toThrow(OptionError);
    expect(() => fusedBinaryMatMul(b, a, w, { epilogue: signs })).toThrow(/\[M, K\]/);
  });
});

describe('convolution of 8-bit images by bit planes', () => {
  const gpu = useGpu();

  interface PlaneCase extends Conv2dOptions {
    readonly input: readonly [n: number, h: number, w: number, c: number];
    readonly filter: readonly [o: number, kh: number, kw: number];
  }
  const cases: readonly PlaneCase[] = [
    { input: [2, 5, 6, 3], filter: [64, 3, 3] },
    { input: [1, 9, 8, 3], filter: [7, 7, 7], strides: 2, padding: 'same' },
    { input: [3, 1, 1, 1], filter: [4, 1, 1] },
    {
      input: [1, 6, 7, 5],
      filter: [33, 2, 3],
      dilations: [2, 1],
      padding: [
        [1, 0],
        [0, 2],
      ],
    },
    { input: [2, 4, 4, 40], filter: [36, 2, 2], strides: [1, 2], padding: 'same' },
  ];

  for (const signed of [false, true]) {
    test(`${signed ? '-128 to 127' : '0 to 255'}: as the convolution of reals, to the last bit`, async () => {
      using scratch = new Scratch(gpu());
      const b = new ProgramBuilder(gpu(), 'planes');
      const checks = cases.flatMap((shape, index) => {
        const [o, kh, kw] = shape.filter;
        const geometry = resolveConv2d(shape.input, [o, kh, kw, shape.input[3]], shape);
        const bytes = Uint8Array.from(
          { length: sizeOf(shape.input) },
          (_, i) => 256 * uniform01(index, 9, i),
        );
        const values = signed ? Int8Array.from(bytes) : bytes;
        const w = words(o * kh * kw, index, shape.input[3]);
        const x = scratch.tensor('x', shape.input, 'u8', bytes);
        const reals = scratch.tensor('reals', shape.input, 'f32', Float32Array.from(values));
        const filters = scratch.tensor('w', geometry.filterShape, 'bits', w);
        const expected = reference.conv2d(values, reference.filterSigns(w, geometry), geometry);
        expectSame(planeConv2dTwin(values, w, geometry, signed), expected, 'the twin');
        const parameters = parametersOf(o, 5000, index);
        const vector = (name: keyof typeof parameters) => scratch.tensor(name, [o], 'f32', parameters[name]);
        const signs = {
          output: 'signs',
          direction: vector('direction'),
          threshold: vector('threshold'),
        } as const;
        const finished = { output: 'real', multiplier: vector('multiplier'), bias: vector('bias') } as const;
        const { multiplier, bias, direction, threshold } = parameters;
        return [
          { out: planeConv2d(b, x, filters, { ...shape, signed }), expected },
          { out: planeConv2d(b, reals, filters, { ...shape, signed }), expected },
          { out: signConv2d(b, reals, filters, shape), expected },
          {
            out: planeConv2d(b, x, filters, { ...shape, signed, epilogue: signs }),
            expected: finishSigns(expected, { direction, threshold }),
          },
          {
            out: planeConv2d(b, x, filters, { ...shape, signed, epilogue: finished, activation: 'relu' }),
            expected: finishReals(expected, { activation: 'relu', multiplier, bias }),
            isRounded: true,
          },
        ].map((check) => ({ ...check, name: `case ${index}, ${b.keep(check.out).label}` }));
      });
      using program = await b.compile();
      await gpu().scoped('planes', () => program.run());
      for (const { name, out, expected, isRounded } of checks) {
        if (isRounded) expectClose(await gpu().read(out), expected, 1e-5, name);
        else expectSame(await gpu().read(out), expected, name);
      }
    });
  }

  test('groups, other padding and signs are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const x = scratch.tensor('x', [1, 4, 4, 4], 'u8');
    const w = scratch.tensor('w', [8, 3, 3, 4], 'bits');
    const half = scratch.tensor('half', [8, 3, 3, 2], 'bits');
    expect(() => planeConv2d(b, x, half, { groups: 2 })).toThrow(OptionError);
    expect(() => planeConv2d(b, x, w, { padding: 'same', padValue: 1 })).toThrow(/signConv2d/);
    expect(() => planeConv2d(b, w, w)).toThrow(ShapeError);
    const bias = scratch.tensor('bias', [8], 'f32');
    expect(() => planeConv2d(b, x, w, { epilogue: { output: 'real', bias } })).toThrow(/come together/);
  });
});

describe('binary layers for inference', () => {
  const gpu = useGpu();

  test('a chain of signs, with a residual and a dense layer, as the twin has it', async () => {
    const filters = { kernelSize: 3, padding: 'same' } as const;
    const start = input([6, 5, 24]);
    const first = apply(binaryConv2d({ name: 'first', filters: 32, output: 'signs', ...filters }), start);
    const options = { name: 'second', filters: 24, output: 'real', residual: true, prelu: true } as const;
    const second = apply(binaryConv2d({ ...options, activation: 'relu', ...filters }), first, start);
    const last = apply(binaryDense({ name: 'last', units: 7, output: 'real' }), apply(flatten(), second));
    const source = model({ input: start, output: last });
    const samples = Float32Array.from({ length: 2 * 720 }, (_, i) => uniform01(1, 2, i) - 0.5);

    using network = await Network.create(gpu(), source, { seed: 1, forInference: true });
    // Loading again sees to it that what was prepared of the weights is prepared again.
    await network.predict(samples);
    for (const seed of [2, 3]) {
      const values = new Map(initialValues(source, seed));
      for (const [layer, channels] of [
        ['first', 32],
        ['second', 24],
        ['last', 7],
      ] as const) {
        for (const [name, value] of Object.entries(parametersOf(channels, 30, seed))) {
          if (values.has(`${layer}/${name}`)) values.set(`${layer}/${name}`, value);
        }
      }
      const kernel = (layer: string, rows: number, channels: number) =>
        packSigns(values.get(`${layer}/kernel`) ?? [], rows, channels);
      const value = (name: string) => values.get(name) ?? new Float32Array();
      const bits = finishSigns(
        reference.binaryConv2d(
          packSigns(samples, 60, 24),
          kernel('first', 32 * 9, 24),
          resolveConv2d([2, 6, 5, 24], [32, 3, 3, 24], filters),
        ),
        { direction: value('first/direction'), threshold: value('first/threshold') },
      );
      const reals = finishReals(
        reference.binaryConv2d(
          bits,
          kernel('second', 24 * 9, 32),
          resolveConv2d([2, 6, 5, 32], [24, 3, 3, 32], filters),
        ),
        {
          activation: 'relu',
          multiplier: value('second/multiplier'),
          bias: value('second/bias'),
          slope: value('second/slope'),
          residual: samples,
        },
      );
      const sums = reference.binaryConv2d(
        packSigns(reals, 2, 720),
        kernel('last', 7, 720),
        resolveConv2d([2, 1, 1, 720], [7, 1, 1, 720]),
      );
      const expected = finishReals(sums, { multiplier: value('last/multiplier'), bias: value('last/bias') });
      await network.load(values);
      expectClose(await network.predict(samples), expected, 1e-5, `seed ${seed}`);
    }
  });

  test('a first layer takes 8-bit integers, folded or not, as it takes reals', async () => {
    const binary = { kernelQuantizer: 'steSign' } as const;
    for (const inputIntegers of ['uint8', 'int8', undefined] as const) {
      const lowest = inputIntegers === 'int8' ? -128 : 0;
      const options = { filters: 20, kernelSize: 3, padding: 'same', ...binary } as const;
      const source = sequential(
        [
          quantConv2d({ name: 'first', ...options, ...(inputIntegers && { inputIntegers }) }),
          batchNormalization({ name: 'norm' }),
          quantConv2d({ name: 'second', filters: 9, kernelSize: 2, inputQuantizer: 'steSign', ...binary }),
        ],
        { input: [5, 6, 3] },
      );
      const values = new Map(initialValues(source, 4));
      for (const [name, size] of [
        ['gamma', 2],
        ['beta', 2],
        ['runningMean', 500],
      ] as const) {
        const draw = (_: number, c: number) => size * (uniform01(4, size, c) - 0.5);
        values.set(`norm/${name}`, new Float32Array(20).map(draw));
      }
      values.set('norm/runningVariance', new Float32Array(20).fill(3e5));
      const samples = Float32Array.from({ length: 3 * 90 }, (_, i) =>
        Math.floor(256 * uniform01(4, 3, i) + lowest),
      );
      const folded = foldForInference(source, values);
      const took = inputIntegers === undefined ? [] : [{ name: 'first', took: ['norm'] }];
      expect(folded.fused).toEqual(took);
      using plain = await Network.create(gpu(), source, { values });
      using fused = await Network.create(gpu(), folded.model, { values: folded.values, forInference: true });
      const reals = sequential(
        source.layers.map(({ name, layer }) =>
          name === 'first' ? quantConv2d({ name, ...options }) : { ...layer, name },
        ),
        { input: [5, 6, 3] },
      );
      using before = await Network.create(gpu(), reals, { values });
      const expected = await before.predict(samples);
      expectSame(await plain.predict(samples), expected, `${inputIntegers}`);
      expectSame(await fused.predict(samples), expected, `${inputIntegers}, fused`);
    }
    expect(() => quantConv2d({ filters: 2, kernelSize: 1, inputIntegers: 'int8' })).toThrow(/binary weights/);
    const other = { filters: 2, kernelSize: 1, output: 'real', inputIntegers: 'int16' as 'int8' } as const;
    expect(() => binaryConv2d(other)).toThrow(/uint8 or int8/);
  });

  test('options that contradict each other are refused, and so is training', () => {
    expect(() => binaryDense({ units: 2, output: 'bits' as 'signs' })).toThrow(OptionError);
    expect(() => binaryDense({ units: 0, output: 'signs' })).toThrow(OptionError);
    expect(() => binaryDense({ units: 2, output: 'signs', prelu: true })).toThrow(/real outputs/);
    const activation = 'tanh' as unknown as FusedActivation;
    expect(() => binaryConv2d({ filters: 2, kernelSize: 1, output: 'real', activation })).toThrow(
      /relu, relu6/,
    );
    const residual = binaryConv2d({ filters: 2, kernelSize: 2, output: 'real', residual: true });
    expect(() => residual.outputShape([[4, 4, 8]], 'here')).toThrow(/residual/);
    expect(() =>
      residual.outputShape(
        [
          [4, 4, 8],
          [4, 4, 2],
        ],
        'here',
      ),
    ).toThrow(/3, 3, 2/);
    const layer = binaryDense({ units: 2, output: 'signs' });
    using scratch = new Scratch(gpu());
    const tensor = scratch.tensor('x', [2, 4], 'bits');
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
    expect(() => layer.forward(context, [{ kind: 'sign', tensor }])).toThrow(OptionError);
  });
});
