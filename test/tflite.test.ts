/**
 * Networks in `.tflite` files: every operator, assembled by hand and run on the GPU, against a plain evaluator that is
 * written from the reference kernels and shares nothing with the reader. Many operators go into one file, side by side
 * on one input, so that they are compiled and read back together.
 */
import { describe, expect, test } from 'vitest';
import { FormatError } from '../src/errors.ts';
import { importTflite } from '../src/formats/tflite/index.ts';
import type { Gpu } from '../src/gpu/index.ts';
import { isPacked, Network } from '../src/graph/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { attack } from './helpers/attack.ts';
import { HELD } from './helpers/costly.ts';
import { useGpu } from './helpers/gpu.ts';
import { assemble, type FileSpec, type TensorSpec, TfliteSketch } from './helpers/tflite.ts';
import { evaluate } from './helpers/tflite-reference.ts';

const SAME = 0;
const VALID = 1;
const product = (shape: readonly number[]) => shape.reduce((size, extent) => size * extent, 1);

/** Numbers that depend on their place alone. */
function numbers(count: number, seed: number, low = -1, high = 1): number[] {
  return Array.from({ length: count }, (_, i) => Math.fround(low + (high - low) * uniform01(seed, 11, i)));
}

function integers(count: number, seed: number, low: number, high: number): number[] {
  return numbers(count, seed, low, high + 1).map((value) => Math.min(high, Math.floor(value)));
}

async function run(gpu: Gpu, file: FileSpec, input: readonly number[]): Promise<Float32Array> {
  const { model, values } = importTflite(assemble(file));
  using network = await Network.create(gpu, model, { values, forInference: true });
  return await network.predict(Float32Array.from(input));
}

/** A tensor that a stretch of a file's output is made from, and how near it has to be. */
interface Branch {
  readonly name: string;
  readonly tensor: number;
  readonly length: number;
  readonly tolerance: number;
  /** int8 only: integer = real/scale + zero. */
  readonly grid: { readonly scale: number; readonly zero: number } | undefined;
}

/** real = scale·(integer − zeroPoint). */
interface Grid {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
}

/** A file with one input, whose branches are made flat and put side by side. */
class Branches {
  readonly file = new TfliteSketch();
  readonly batch: number;
  readonly input: number;
  readonly #branches: Branch[] = [];
  readonly #flat: number[] = [];

  constructor(inputShape: readonly number[], grid?: Grid) {
    this.batch = inputShape[0] ?? 1;
    this.input = this.file.input(inputShape, grid === undefined ? 'float32' : 'int8', grid);
  }

  get count(): number {
    return this.#branches.length;
  }

  /**
   * Ends a branch in a tensor; packed signs by their channels, int8 by its integers.
   * @param tolerance int8: how far from the exact value, where 0.5 is perfect
   */
  add(name: string, tensor: number, result: TensorSpec, tolerance: number): void {
    const [scale, zero] = [result.scale?.[0], result.zeroPoint?.[0] ?? 0];
    const reals = { shape: result.shape, type: 'float32' } as const;
    const kinds: Partial<Record<TensorSpec['type'], string>> = { int32: 'LceDequantize', int8: 'DEQUANTIZE' };
    const kind = kinds[result.type];
    const real = kind === undefined ? tensor : this.file.op(kind, [tensor], reals);
    const length = product(result.shape.slice(1));
    const flat = { shape: [this.batch, length], type: 'float32' } as const;
    this.#flat.push(this.file.op('RESHAPE', [real], flat, { newShape: [this.batch, length] }));
    this.#branches.push({
      ...{ name, length, tolerance },
      tensor: result.type === 'int8' ? tensor : real,
      grid: result.type === 'int8' && scale !== undefined ? { scale: Math.fround(scale), zero } : undefined,
    });
  }

  /** Runs the file on the GPU and in the evaluator, and compares branch by branch. */
  async check(gpu: Gpu, input: readonly number[]): Promise<void> {
    const width = this.#branches.reduce((sum, { length }) => sum + length, 0);
    const all = { shape: [this.batch, width], type: 'float32' } as const;
    const spec = this.file.build(this.file.op('CONCATENATION', this.#flat, all, { axis: 1 }));
    const actual = await run(gpu, spec, input);
    const evaluated = evaluate(spec, input);
    expect(actual.length).toBe(this.batch * width);
    let first = 0;
    for (const { name, tensor, length, tolerance, grid } of this.#branches) {
      const { values, exact = values } = evaluated[tensor] ?? { values: [] };
      expect(exact.length, name).toBe(this.batch * length);
      for (const [i, expected] of exact.entries()) {
        const got = actual[Math.floor(i / length) * width + first + (i % length)] ?? Number.NaN;
        const value = grid === undefined ? got : Math.round(got / grid.scale) + grid.zero;
        if (!(Math.abs(value - expected) <= tolerance)) {
          expect.fail(`${name} at ${i}: got ${value}, expected ${expected}`);
        }
        const integer = values[i] ?? Number.NaN;
        if (grid !== undefined && !(Math.abs(value - integer) <= 1)) {
          expect.fail(`${name} at ${i}: got ${value}, in fixed point ${integer}`);
        }
      }
      first += length;
    }
  }
}

/** How an LceBconv2d is set up; the names are those of its own tests' grid. */
interface Convolution {
  readonly filter: readonly [height: number, width: number, outputs: number];
  readonly groups: number;
  readonly padding: 'VALID' | 'SAME' | 'ONE';
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly activation: number;
  readonly output: 'float32' | 'int8' | 'int32';
}

const nameOf = (c: Convolution) =>
  [
    `K${c.filter.join('x')}`,
    `G${c.groups}`,
    `P${c.padding}`,
    `S${c.strides.join('x')}`,
    `D${c.dilations.join('x')}`,
    `A${c.activation}`,
    c.output,
  ].join('_');

function outputSize(size: number, filter: number, stride: number, dilation: number, isSame: boolean): number {
  const reach = (filter - 1) * dilation + 1;
  return isSame ? Math.ceil(size / stride) : Math.ceil((size - reach + 1) / stride);
}

/** Adds an LceBconv2d with random filters and its way back to reals. */
function addConvolution(
  branches: Branches,
  packed: number,
  [batch = 1, height = 1, width = 1, channels = 1]: readonly number[],
  convolution: Convolution,
): void {
  const { file, count: seed } = branches;
  const [filterH, filterW, outputs] = convolution.filter;
  const isSame = convolution.padding !== 'VALID';
  const words = Math.ceil(channels / convolution.groups / 32);
  const depth = (filterH * filterW * channels) / convolution.groups;
  const filterShape = [outputs, filterH, filterW, words];
  const tail = channels % 32 === 0 ? -1 : (1 << (channels % 32)) - 1;
  const filters = numbers(product(filterShape), 100 + seed, 0, 2 ** 32).map((word) => word & tail);
  const shape = [
    batch,
    outputSize(height, filterH, convolution.strides[0], convolution.dilations[0], isSame),
    outputSize(width, filterW, convolution.strides[1], convolution.dilations[1], isSame),
    outputs,
  ];
  // Some multipliers are negative, which must work too.
  const multiplier = numbers(outputs, 200 + seed, 0.01, 1.5).map((value, i) =>
    i % 3 === 1 ? -value : value,
  );
  const bias = numbers(outputs, 300 + seed, 0.01, 1.5);
  const thresholds = integers(outputs, 400 + seed, Math.floor(0.4 * depth), Math.ceil(0.6 * depth)).map(
    (value, i) => (i % 7 === 5 ? -(2 ** 31) : i % 7 === 6 ? 2 ** 31 - 1 : value),
  );
  const isPacked = convolution.output === 'int32';
  const real = (data: readonly number[]) => (isPacked ? -1 : file.constant('float32', [outputs], data));
  const result = {
    int32: { shape: [...shape.slice(0, 3), Math.ceil(outputs / 32)], type: 'int32' },
    float32: { shape, type: 'float32' },
    int8: {
      ...({ shape, type: 'int8' } as const),
      ...{ scale: [(1.2 * Math.sqrt(depth)) / 64], zeroPoint: [(seed % 41) - 20] },
    },
  } as const;
  const inputs = [
    packed,
    file.constant('int32', filterShape, filters),
    real(multiplier),
    real(bias),
    isPacked ? file.constant('int32', [outputs], thresholds) : -1,
  ];
  const made = file.op('LceBconv2d', inputs, result[convolution.output], {
    channels_in: channels,
    dilation_height_factor: convolution.dilations[0],
    dilation_width_factor: convolution.dilations[1],
    fused_activation_function: convolution.activation,
    pad_values: convolution.padding === 'ONE' ? 1 : 0,
    padding: isSame ? SAME : VALID,
    stride_height: convolution.strides[0],
    stride_width: convolution.strides[1],
  });
  // Larq's own tolerances.
  const tolerance = { int32: 0, float32: depth > 4096 ? 1e-2 : 1e-3, int8: 0.55 }[convolution.output];
  branches.add(nameOf(convolution), made, { ...result[convolution.output], shape }, tolerance);
}

/** LceQuantize of the file's input. */
function packedInput(branches: Branches, shape: readonly number[]): number {
  const packed = [...shape.slice(0, -1), Math.ceil((shape.at(-1) ?? 1) / 32)];
  return branches.file.op('LceQuantize', [branches.input], { shape: packed, type: 'int32' });
}

function isPossible({ filter, groups }: Convolution, channels: number): boolean {
  return groups === 1 || (filter[2] % groups === 0 && channels % (32 * groups) === 0);
}

/** All combinations of the values of each key. */
function combinations<T extends object>(axes: { readonly [K in keyof T]: readonly T[K][] }): T[] {
  return Object.entries<readonly unknown[]>(axes).reduce<object[]>(
    (all, [key, values]) => values.flatMap((value) => all.map((one) => ({ ...one, [key]: value }))),
    [{}],
  ) as T[];
}

describe('LceBconv2d', () => {
  const gpu = useGpu();
  const every: Pick<Convolution, 'strides' | 'dilations'> = { strides: [1, 1], dilations: [1, 1] };

  test.each([4, 64, 96, 128, 192, 256])('I1x4x4x%i: the whole small grid', async (channels) => {
    const shape = [1, 4, 4, channels];
    const branches = new Branches(shape);
    const packed = packedInput(branches, shape);
    const grid = combinations<Convolution>({
      filter: [
        [1, 1, 1],
        [3, 3, 4],
        [3, 3, 64],
      ],
      groups: [1, 2],
      padding: ['VALID', 'ONE'],
      strides: [every.strides],
      dilations: [every.dilations],
      activation: [0],
      output: ['float32', 'int8', 'int32'],
    });
    for (const one of grid) if (isPossible(one, channels)) addConvolution(branches, packed, shape, one);
    await branches.check(gpu(), numbers(product(shape), channels));
  });

  const bigGrid = combinations<Convolution>({
    filter: [
      [1, 1, 1],
      [3, 3, 1],
      [2, 3, 2],
      [1, 1, 3],
      [3, 3, 4],
      [2, 3, 5],
      [1, 1, 6],
      [3, 3, 7],
      [2, 3, 32],
    ],
    groups: [1, 2, 4],
    padding: ['VALID', 'SAME', 'ONE'],
    strides: [
      [1, 1],
      [2, 3],
    ],
    dilations: [
      [1, 1],
      [3, 2],
    ],
    activation: [0, 1],
    output: ['float32', 'int8', 'int32'],
  });
  const bigInputs = [
    [1, 7, 7, 4],
    [3, 8, 5, 64],
    [5, 7, 7, 96],
    [1, 8, 5, 128],
    [1, 7, 7, 192],
    [1, 8, 5, 256],
    [1, 7, 7, 512],
  ];
  /** A sample of the big grid for one input, that between them holds every pair of settings. */
  const sample = (shape: readonly number[]) => {
    const possible = bigGrid.filter((one) => isPossible(one, shape[3] ?? 1));
    const start = 17 * (shape[3] ?? 1);
    const picked = Array.from({ length: 16 }, (_, i) => possible[(start + 101 * i) % possible.length]);
    return picked.filter((one) => one !== undefined);
  };

  /** The cases of an input by the file: the sample, or, where the environment has WHOLE_GRID, all there are. */
  const files = (shape: readonly number[]) => {
    if (!process.env.WHOLE_GRID) return [sample(shape)];
    const possible = bigGrid.filter((one) => isPossible(one, shape[3] ?? 1));
    return Array.from({ length: Math.ceil(possible.length / 24) }, (_, i) =>
      possible.slice(24 * i, 24 * i + 24),
    );
  };

  test.each(
    bigInputs.flatMap((shape) =>
      files(shape).map((cases, i) => [shape.join('x'), i + 1, shape, cases] as const),
    ),
  )('I%s: cases of the big grid, file %i', async (_, _index, shape, cases) => {
    const branches = new Branches(shape);
    const packed = packedInput(branches, shape);
    for (const one of cases) addConvolution(branches, packed, shape, one);
    await branches.check(gpu(), numbers(product(shape), shape[3] ?? 1));
  });

  test('the samples hold every pair of settings', () => {
    const pairsOf = (grid: readonly Convolution[]) =>
      new Set(
        grid.flatMap((one) => {
          const settings = Object.entries(one).map(([key, value]) => `${key} ${value}`);
          return settings.flatMap((a) => settings.map((b) => `${a}, ${b}`));
        }),
      );
    const possible = pairsOf(bigGrid.filter((one) => isPossible(one, 512)));
    const held = pairsOf(bigInputs.flatMap(sample));
    expect([...possible].filter((pair) => !held.has(pair))).toEqual([]);
  });

  test.each(['VALID', 'ONE'] as const)('I1x6x6x3072_K5x5x4_P%s: sums beyond 16 bits', async (padding) => {
    const shape = [1, 6, 6, 3072];
    const branches = new Branches(shape);
    const packed = packedInput(branches, shape);
    for (const activation of [0, 1]) {
      for (const output of ['float32', 'int8', 'int32'] as const) {
        addConvolution(branches, packed, shape, {
          ...{ filter: [5, 5, 4], groups: 1, padding, activation, output },
          ...every,
        });
      }
    }
    await branches.check(gpu(), numbers(product(shape), 5));
  });

  test.each([1, 2, 3])('activation %i comes before multiplier and bias', async (activation) => {
    const shape = [2, 5, 5, 33];
    const branches = new Branches(shape);
    const packed = packedInput(branches, shape);
    for (const output of ['float32', 'int8'] as const) {
      addConvolution(branches, packed, shape, {
        ...{ filter: [1, 2, 7], groups: 1, padding: 'SAME', activation, output },
        ...every,
      });
    }
    await branches.check(gpu(), numbers(product(shape), 6));
  });
});

describe('the other operators of Larq Compute Engine', () => {
  const gpu = useGpu();

  test.each([1, 2, 31, 32, 33, 64, 68])('LceQuantize and LceDequantize, %i channels', async (channels) => {
    const shape = [2, 3, 2, channels];
    const branches = new Branches(shape);
    const { file, input } = branches;
    const packed = { shape: [2, 3, 2, Math.ceil(channels / 32)], type: 'int32' } as const;
    branches.add('float32', file.op('LceQuantize', [input], packed), { ...packed, shape }, 0);
    const grid = { scale: [0.02], zeroPoint: [-5] };
    const integers = file.op('QUANTIZE', [input], { shape, type: 'int8', ...grid });
    branches.add('int8', file.op('LceQuantize', [integers], packed), { ...packed, shape }, 0);
    for (const [scale, zero] of [
      [0.013, 100],
      [0.3, -128],
      [7, 3],
      [2 / 3, 0],
    ] as const) {
      const result = { shape, type: 'int8', scale: [scale], zeroPoint: [zero] } as const;
      const back = file.op('LceDequantize', [file.op('LceQuantize', [input], packed)], result);
      branches.add(`to int8, ${scale} ${zero}`, back, result, 0);
    }
    const bools = file.op('LceDequantize', [file.op('LceQuantize', [input], packed)], {
      shape,
      type: 'bool',
    });
    branches.add('bool', file.op('LceQuantize', [bools], packed), { ...packed, shape }, 0);
    const edges = [0, -0, 2 ** -149, -(2 ** -149), 1, -1];
    const data = numbers(product(shape), channels).map((value, i) => edges[i % 9] ?? value);
    await branches.check(gpu(), data);
  });

  test.each([1, 64, 130, 200])('LceBMaxPool2d, %i channels', async (channels) => {
    const shape = [2, 5, 7, channels];
    const branches = new Branches(shape);
    const packed = packedInput(branches, shape);
    for (const [filterH, filterW, strideH, strideW] of [
      [2, 2, 2, 2],
      [3, 3, 1, 2],
      [1, 4, 3, 1],
      [5, 5, 1, 1],
    ] as const) {
      for (const padding of [SAME, VALID]) {
        const out = [
          2,
          outputSize(5, filterH, strideH, 1, padding === SAME),
          outputSize(7, filterW, strideW, 1, padding === SAME),
          channels,
        ];
        const pooled = branches.file.op(
          'LceBMaxPool2d',
          [packed],
          { shape: [...out.slice(0, 3), Math.ceil(channels / 32)], type: 'int32' },
          {
            padding,
            stride_height: strideH,
            stride_width: strideW,
            filter_height: filterH,
            filter_width: filterW,
          },
        );
        branches.add(`${filterH}x${filterW} ${padding}`, pooled, { shape: out, type: 'int32' }, 0);
      }
    }
    await branches.check(gpu(), numbers(product(shape), channels, -1, 0.1));
  });

  test('bits pass from layer to layer, through pooling, and what is undone at once is left away', async () => {
    const shape = [1, 6, 6, 40];
    const branches = new Branches(shape);
    const { file } = branches;
    const packed = (extents: readonly number[]) => ({ shape: extents, type: 'int32' }) as const;
    const x = file.op('LceQuantize', [branches.input], packed([1, 6, 6, 2]));
    const real = file.op('LceDequantize', [x], { shape, type: 'float32' });
    const again = file.op('LceQuantize', [real], packed([1, 6, 6, 2]));
    const options = {
      ...{
        channels_in: 40,
        dilation_height_factor: 1,
        dilation_width_factor: 1,
        fused_activation_function: 0,
      },
      ...{ pad_values: 1, padding: SAME, stride_height: 1, stride_width: 1 },
    };
    const filters = numbers(33 * 9 * 2, 3, 0, 2 ** 32).map((word, i) => (i % 2 === 1 ? word & 255 : word));
    const inputs = [again, file.constant('int32', [33, 3, 3, 2], filters), -1, -1];
    const limits = file.constant('int32', [33], integers(33, 4, 170, 190));
    const signs = file.op('LceBconv2d', [...inputs, limits], packed([1, 6, 6, 2]), options);
    const pooling = { padding: VALID, stride_height: 2, stride_width: 2, filter_height: 2, filter_width: 2 };
    const pooled = file.op('LceBMaxPool2d', [signs], packed([1, 3, 3, 2]), pooling);
    const spec = file.build(pooled);
    const { model, output, folded } = importTflite(assemble(spec));
    expect(output.type).toBe('signs');
    expect(model.outputShape).toEqual([3, 3, 33]);
    expect(folded).toEqual(['LceDequantize 1', 'LceQuantize 2']);
    const data = numbers(product(shape), 8);
    const words = evaluate(spec, data)[pooled]?.values ?? [];
    const expected = Array.from({ length: 9 * 33 }, (_, i) => {
      const [pixel, channel] = [Math.floor(i / 33), i % 33];
      return ((words[2 * pixel + (channel >> 5)] ?? 0) >> (channel & 31)) & 1 ? -1 : 1;
    });
    expect([...(await run(gpu(), spec, data))]).toEqual(expected);
    expect(new Set(expected)).toEqual(new Set([-1, 1]));
  });
});

describe.each(['float32', 'int8'] as const)('standard operators in %s', (type) => {
  const gpu = useGpu();
  const isInt8 = type === 'int8';
  /** float32 to 1e-5 relative to values around 1; int8 the nearest integer, but for what f32 adds to the quotient. */
  const tolerance = isInt8 ? 0.501 : 1e-5;
  const grid = (scale: number, zero: number): Partial<Grid> =>
    isInt8 ? { scale: [scale], zeroPoint: [zero] } : {};
  const tensor = (shape: readonly number[], scale: number, zero: number): TensorSpec => ({
    ...{ shape, type },
    ...grid(scale, zero),
  });
  const INPUT = [1 / 40, -9] as const;
  const start = (shape: readonly number[]) =>
    new Branches(shape, isInt8 ? { scale: [INPUT[0]], zeroPoint: [INPUT[1]] } : undefined);
  const inputData = (shape: readonly number[], seed: number) =>
    isInt8 ? integers(product(shape), seed, -128, 127) : numbers(product(shape), seed, -3, 3);
  /** A constant in the tensors' type, with a scale for the whole. */
  const constant = (branches: Branches, shape: readonly number[], seed: number) =>
    isInt8
      ? branches.file.constant('int8', shape, integers(product(shape), seed, -127, 127), grid(0.01, 4))
      : branches.file.constant('float32', shape, numbers(product(shape), seed, -1.3, 1.3));
  /** Weights with a scale for each filter, or one for all. */
  const weights = (branches: Branches, shape: readonly number[], axis: number, isPerFilter: boolean) => {
    const count = isPerFilter ? (shape[axis] ?? 1) : 1;
    if (!isInt8) return branches.file.constant('float32', shape, numbers(product(shape), 3));
    const quantized = {
      scale: numbers(count, 4, 0.002, 0.009),
      zeroPoint: new Array<number>(count).fill(0),
      axis,
    };
    return branches.file.constant('int8', shape, integers(product(shape), 3, -127, 127), quantized);
  };
  const bias = (branches: Branches, count: number) =>
    isInt8
      ? branches.file.constant('int32', [count], integers(count, 5, -6000, 6000))
      : branches.file.constant('float32', [count], numbers(count, 5));

  test('CONV_2D: strides, dilations, groups, paddings, activations, without a bias', async () => {
    const shape = [2, 6, 7, 6];
    const branches = start(shape);
    const cases = [
      [[4, 3, 3, 6], [1, 1], [1, 1], SAME, 0],
      [[3, 2, 3, 6], [2, 3], [1, 1], SAME, 1],
      [[5, 3, 2, 6], [1, 1], [2, 3], VALID, 2],
      [[4, 1, 1, 3], [2, 1], [1, 1], VALID, 3],
      [[6, 3, 3, 2], [1, 1], [2, 1], SAME, 0],
    ] as const;
    for (const [index, [filter, strides, dilations, padding, activation]] of cases.entries()) {
      const [outputs, height, width] = filter;
      const w = weights(branches, filter, 0, index % 2 === 0);
      const out = [
        2,
        outputSize(6, height, strides[0], dilations[0], padding === SAME),
        outputSize(7, width, strides[1], dilations[1], padding === SAME),
        outputs,
      ];
      const result = tensor(out, 0.045, index - 30);
      const options = {
        ...{ padding, activation, strideH: strides[0], strideW: strides[1] },
        ...{ dilationH: dilations[0], dilationW: dilations[1] },
      };
      const inputs = [branches.input, w, ...(index === 3 ? [] : [bias(branches, outputs)])];
      branches.add(`case ${index}`, branches.file.op('CONV_2D', inputs, result, options), result, tolerance);
    }
    await branches.check(gpu(), inputData(shape, 1));
  });

  test('DEPTHWISE_CONV_2D: multipliers 1 and 3', async () => {
    const shape = [2, 5, 6, 4];
    const branches = start(shape);
    for (const [multiplier, padding, stride, activation] of [
      [1, SAME, 1, 0],
      [3, VALID, 2, 1],
      [1, SAME, 2, 3],
    ] as const) {
      const w = weights(branches, [1, 3, 2, 4 * multiplier], 3, padding === SAME);
      const out = [
        2,
        outputSize(5, 3, stride, 1, padding === SAME),
        outputSize(6, 2, stride, 1, padding === SAME),
        4 * multiplier,
      ];
      const result = tensor(out, 0.02, 11);
      const options = { padding, activation, strideH: stride, strideW: stride, depthMultiplier: multiplier };
      const made = branches.file.op(
        'DEPTHWISE_CONV_2D',
        [branches.input, w, bias(branches, 4 * multiplier)],
        result,
        { ...options, dilationH: 1, dilationW: 1 },
      );
      branches.add(`multiplier ${multiplier}`, made, result, tolerance);
    }
    await branches.check(gpu(), inputData(shape, 2));
  });

  test('FULLY_CONNECTED: after an image, and after itself', async () => {
    const shape = [3, 2, 3, 5];
    const branches = start(shape);
    const [first, second] = [tensor([3, 8], 0.04, 5), tensor([3, 4], 0.03, -2)];
    const hidden = branches.file.op(
      'FULLY_CONNECTED',
      [branches.input, weights(branches, [8, 30], 0, true), bias(branches, 8)],
      first,
      { activation: 1 },
    );
    branches.add('first', hidden, first, tolerance);
    const head = branches.file.op(
      'FULLY_CONNECTED',
      [hidden, weights(branches, [4, 8], 0, false), -1],
      second,
    );
    branches.add('second', head, second, tolerance);
    await branches.check(gpu(), inputData(shape, 3));
  });

  test('ADD and MUL: of two values, with a constant for each channel, with one for all', async () => {
    const shape = [2, 3, 4, 6];
    const branches = start(shape);
    const { file, input } = branches;
    // Twice the integers: TensorFlow Lite's fixed point may miss the nearest one where it has to round.
    const other = file.op('RELU', [input], tensor(shape, INPUT[0] / 2, -100));
    for (const kind of ['ADD', 'MUL']) {
      for (const activation of [0, 1, 2, 3]) {
        const result = tensor(shape, 0.07, activation);
        branches.add(
          `${kind} ${activation}`,
          file.op(kind, [input, other], result, { activation }),
          result,
          tolerance,
        );
      }
      const result = tensor(shape, 0.031, -7);
      const row = constant(branches, [1, 1, 1, 6], 6);
      const one = constant(branches, [], 7);
      branches.add(`${kind}, a row`, file.op(kind, [input, row], result), result, tolerance);
      branches.add(`${kind}, one`, file.op(kind, [one, input], result, { activation: 3 }), result, tolerance);
    }
    await branches.check(gpu(), inputData(shape, 4));
  });

  test('CONCATENATION, PAD, TRANSPOSE and RESHAPE keep values', async () => {
    const shape = [2, 3, 4, 6];
    const branches = start(shape);
    const { file, input } = branches;
    const same = (extents: readonly number[]) => tensor(extents, ...INPUT);
    const relu = file.op('RELU', [input], same(shape));
    const wide = same([2, 3, 4, 18]);
    const joined = file.op('CONCATENATION', [input, relu, input], wide, { axis: -1 });
    branches.add('CONCATENATION', joined, wide, tolerance);
    const padded = same([2, 6, 5, 6]);
    const amounts = file.constant('int32', [4, 2], [0, 0, 1, 2, 0, 1, 0, 0]);
    branches.add('PAD', file.op('PAD', [input, amounts], padded), padded, tolerance);
    const turned = same([2, 6, 3, 4]);
    const order = file.constant('int32', [4], [0, 3, 1, 2]);
    branches.add('TRANSPOSE', file.op('TRANSPOSE', [relu, order], turned), turned, tolerance);
    const shaped = same([2, 4, 3, 6]);
    const byOption = file.op('RESHAPE', [input], shaped, { newShape: [2, 4, -1, 6] });
    branches.add('RESHAPE by its options', byOption, shaped, tolerance);
    const byInput = file.op('RESHAPE', [relu, file.constant('int32', [2], [2, -1])], same([2, 72]), {
      newShape: [],
    });
    branches.add('RESHAPE by its input', byInput, same([2, 72]), tolerance);
    await branches.check(gpu(), inputData(shape, 5));
  });

  test('MAX_POOL_2D and AVERAGE_POOL_2D: windows, paddings and activations', async () => {
    const shape = [2, 5, 7, 3];
    const branches = start(shape);
    for (const kind of ['MAX_POOL_2D', 'AVERAGE_POOL_2D']) {
      for (const [filterH, filterW, stride, padding, activation] of [
        [2, 2, 2, VALID, 0],
        [3, 2, 1, SAME, 1],
        [3, 3, 2, SAME, 3],
        [5, 7, 1, VALID, 2],
      ] as const) {
        const out = [
          2,
          outputSize(5, filterH, stride, 1, padding === SAME),
          outputSize(7, filterW, stride, 1, padding === SAME),
          3,
        ];
        const result = tensor(out, ...INPUT);
        const options = { padding, activation, strideH: stride, strideW: stride, filterH, filterW };
        const pooled = branches.file.op(kind, [branches.input], result, options);
        branches.add(`${kind} ${filterH}x${filterW}`, pooled, result, tolerance);
      }
    }
    await branches.check(gpu(), inputData(shape, 6));
  });

  test('MEAN over height, width or both, keeping axes or not', async () => {
    const shape = [2, 4, 6, 5];
    const branches = start(shape);
    const { file, input } = branches;
    for (const [axes, out, keepDims] of [
      [[1, 2], [2, 5], false],
      [[-2, -3], [2, 1, 1, 5], true],
      [[1], [2, 6, 5], false],
      [[2], [2, 4, 1, 5], true],
    ] as const) {
      const result = tensor(out, 0.013, 3);
      // TensorFlow Lite rounds a mean of integers twice.
      const mean = file.op('MEAN', [input, file.constant('int32', [axes.length], axes)], result, {
        keepDims,
      });
      branches.add(`axes ${axes}`, mean, result, tolerance);
    }
    await branches.check(gpu(), inputData(shape, 7));
  });

  test('RELU, RELU6, RELU_N1_TO_1, PRELU and SOFTMAX', async () => {
    const shape = [2, 3, 2, 7];
    const branches = start(shape);
    const { file, input } = branches;
    for (const kind of ['RELU', 'RELU6', 'RELU_N1_TO_1']) {
      const result = tensor(shape, 0.029, -60);
      branches.add(kind, file.op(kind, [input], result), result, tolerance);
    }
    const result = tensor(shape, 0.017, 20);
    const slopes = [constant(branches, [1, 1, 7], 8), constant(branches, [1], 9)];
    for (const [index, alpha] of slopes.entries()) {
      branches.add(`PRELU ${index}`, file.op('PRELU', [input, alpha], result), result, tolerance);
    }
    const shares = tensor(shape, 1 / 256, -128);
    for (const beta of [1, 0.3]) {
      branches.add(`SOFTMAX ${beta}`, file.op('SOFTMAX', [input], shares, { beta }), shares, tolerance);
    }
    await branches.check(gpu(), inputData(shape, 8));
  });

  test('QUANTIZE and DEQUANTIZE', async () => {
    const shape = [2, 1, 3, 7];
    const branches = start(shape);
    for (const [scale, zero] of [
      [0.07, -128],
      [0.011, 127],
      [0.5, 0],
    ] as const) {
      const result = { shape, type: 'int8', scale: [scale], zeroPoint: [zero] } as const;
      branches.add(`${scale}`, branches.file.op('QUANTIZE', [branches.input], result), result, 0.501);
    }
    await branches.check(gpu(), inputData(shape, 9));
  });
});

describe('files that are not right', () => {
  const relu = (count: number) => {
    const file = new TfliteSketch();
    let x = file.input([1, 2, 2, 3]);
    for (let i = 0; i < count; i++) x = file.op('RELU', [x], { shape: [1, 2, 2, 3], type: 'float32' });
    return { file, x };
  };
  const real = (shape: readonly number[]): TensorSpec => ({ shape, type: 'float32' });
  const OPTIONS = {
    ...{ channels_in: 3, dilation_height_factor: 1, dilation_width_factor: 1, fused_activation_function: 0 },
    ...{ pad_values: 0, padding: VALID, stride_height: 1, stride_width: 1 },
  };

  /** An LceBconv2d on 2×2 pixels of 3 channels, with something changed. */
  function bconv(
    options: Readonly<Record<string, number>>,
    filter: readonly number[] = [2, 1, 1, 1],
    words = [5, 3],
  ): FileSpec {
    const file = new TfliteSketch();
    const x = file.op('LceQuantize', [file.input([1, 2, 2, 3])], { shape: [1, 2, 2, 1], type: 'int32' });
    const row = (data: readonly number[]) => file.constant('float32', [data.length], data);
    const inputs = [x, file.constant('int32', filter, words), row([1, 1]), row([0, 0]), -1];
    return file.build(file.op('LceBconv2d', inputs, real([1, 2, 2, 2]), options));
  }

  test.each<[string, () => FileSpec, RegExp]>([
    [
      'all unsupported operators are listed, with their places',
      () => {
        const { file, x } = relu(1);
        const y = file.op('GELU', [x], real([1, 2, 2, 3]));
        return file.build(
          file.op('SVDF', [file.op('LceTelepathy', [y], real([1, 2, 2, 3]))], real([1, 2, 2, 3])),
        );
      },
      /GELU 1, LceTelepathy 2, SVDF 3/,
    ],
    [
      'an operator before its input',
      () => {
        const { tensors, operators, inputs } = relu(2).file.build(2);
        return { tensors, inputs, outputs: [2], operators: operators.toReversed() };
      },
      /RELU 0[\s\S]*from nowhere/,
    ],
    ['no output', () => relu(2).file.build(), /0 outputs/],
    [
      'an operator on constants only where it takes the network',
      () => {
        const { file, x } = relu(1);
        return file.build(file.op('PACK', [x], real([1, 1, 2, 2, 3]), { valuesCount: 1, axis: 0 }));
      },
      /PACK 1[\s\S]*constants only/,
    ],
    ['an output that nothing makes', () => ({ ...relu(1).file.build(1), operators: [] }), /isn't computed/],
    [
      'a tensor that is made twice',
      () => {
        const { tensors, operators, inputs } = relu(1).file.build(1);
        return { tensors, inputs, outputs: [1], operators: [...operators, ...operators] };
      },
      /RELU 1[\s\S]*already/,
    ],
    ['options that lack one', () => bconv({ padding: 1 }), /LceBconv2d 1[\s\S]*channels_in/],
    ['another number of channels', () => bconv({ ...OPTIONS, channels_in: 4 }), /4 channels meet 3/],
    ['a pad value of 2', () => bconv({ ...OPTIONS, pad_values: 2 }), /pad value is 2/],
    ['a padding of 2', () => bconv({ ...OPTIONS, padding: 2 }), /padding is number 2/],
    ['a stride of 0', () => bconv({ ...OPTIONS, stride_width: 0 }), /LceBconv2d_1|LceBconv2d 1/],
    ['an activation that is none', () => bconv({ ...OPTIONS, fused_activation_function: 4 }), /number 4/],
    [
      'a window larger than the image',
      () => bconv(OPTIONS, [2, 3, 1, 1], [1, 2, 3, 4, 5, 6]),
      /larger than the image/,
    ],
    ['filters of no group', () => bconv(OPTIONS, [1, 1, 1, 2]), /don't divide 3 channels/],
    ['bits behind the last channel', () => bconv(OPTIONS, undefined, [5, 11]), /bits after the end/],
    ['a constant shorter than its shape', () => bconv(OPTIONS, [2 ** 20, 2 ** 9, 1, 1]), /bytes for/],
    [
      'packed signs where numbers are due',
      () => {
        const file = new TfliteSketch();
        const x = file.op('LceQuantize', [file.input([1, 2, 2, 3])], { shape: [1, 2, 2, 1], type: 'int32' });
        return file.build(file.op('RELU', [x], real([1, 2, 2, 3])));
      },
      /signs, not numbers/,
    ],
    [
      'a reshape over the batch',
      () => {
        const { file, x } = relu(1);
        return file.build(file.op('RESHAPE', [x], real([2, 6]), { newShape: [2, 6] }));
      },
      /mixes samples/,
    ],
    [
      'an input larger than memory',
      () => {
        const file = new TfliteSketch();
        const shape = [1, 2 ** 15, 2 ** 15, 2 ** 10];
        return file.build(file.op('RELU', [file.input(shape)], real(shape)));
      },
      /input's shape/,
    ],
    [
      'per-channel constants made of nothing, over and over',
      () => {
        const file = new TfliteSketch();
        const shape = [1, 2 ** 20];
        let x = file.input(shape);
        for (let i = 0; i < 9; i++) x = file.op('ADD', [x, file.constant('float32', [], [1])], real(shape));
        return file.build(x);
      },
      /values more than a file of this size/,
    ],
  ])('refused: %s', (_, file, message) => {
    const bytes = assemble(file());
    expect(() => importTflite(bytes)).toThrow(FormatError);
    expect(() => importTflite(bytes)).toThrow(message);
  });

  test('100,000 mutated files: an error of ours or a network, within the bound on memory', () => {
    const sources = [mutant(), mutantOfInt8(), mutantOfKeras()].map((file) => assemble(file));
    let largest = 0;
    const make = (round: number) => {
      const random = (stream: number, below: number) => Math.floor(below * uniform01(round, stream, 0));
      const source = sources[round % 10 === 9 ? 2 : round % 2] ?? new Uint8Array();
      const bytes = source.slice(0, round % 7 === 0 ? 1 + random(0, source.length) : source.length);
      const view = new DataView(bytes.buffer);
      for (let change = 1; change <= 1 + (round % 4); change++) {
        const at = random(3 * change, bytes.length - 4);
        const kind = random(3 * change + 1, 4);
        if (kind === 0) bytes[at] = random(3 * change + 2, 256);
        else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(3 * change + 2, 8));
        // A length inflated, or an offset that leads back to where it stands.
        else if (at >= 0)
          view.setUint32(at - (at % 4), kind === 2 ? 2 ** random(3 * change + 2, 32) : 0, true);
      }
      return bytes;
    };
    const read = (bytes: Uint8Array) => {
      const { values } = importTflite(bytes);
      let kept = 0;
      for (const value of values.values())
        kept += isPacked(value) ? value.words.byteLength : value.byteLength;
      largest = Math.max(largest, kept - 64 * bytes.length);
    };
    const held = HELD.tflite(Math.min(...sources.map(({ length }) => length)));
    const { refused } = attack(100_000, make, read, { allocation: held, held });
    expect(refused).toBeGreaterThan(50_000);
    expect(refused).toBeLessThan(99_000);
    expect(largest).toBeLessThan(2 ** 22);
  });

  /** A file with Larq's operators. */
  function mutant(): FileSpec {
    const file = new TfliteSketch();
    const packed = (shape: readonly number[]): TensorSpec => ({ shape, type: 'int32' });
    const x = file.op('LceQuantize', [file.input([1, 4, 4, 3])], packed([1, 4, 4, 1]));
    const filters = file.constant('int32', [5, 3, 3, 1], integers(45, 1, 0, 7));
    const limits = file.constant('int32', [5], [10, 11, 12, 13, 14]);
    const options = { ...OPTIONS, pad_values: 1, padding: SAME };
    const y = file.op('LceBconv2d', [x, filters, -1, -1, limits], packed([1, 4, 4, 1]), options);
    const window = { padding: VALID, stride_height: 2, stride_width: 2, filter_height: 2, filter_width: 2 };
    const z = file.op('LceBMaxPool2d', [y], packed([1, 2, 2, 1]), window);
    const row = (data: readonly number[]) => file.constant('float32', [data.length], data);
    const last = file.constant('int32', [2, 2, 2, 1], integers(8, 2, 0, 31));
    const scores = file.op('LceBconv2d', [z, last, row([1, -2]), row([0.5, 1]), -1], real([1, 1, 1, 2]), {
      ...OPTIONS,
      channels_in: 5,
    });
    const flat = file.op('RESHAPE', [scores, file.constant('int32', [2], [1, 2])], real([1, 2]), {
      newShape: [1, 2],
    });
    return file.build(file.op('SOFTMAX', [flat], real([1, 2]), { beta: 1 }));
  }

  /** A file with operators on constants, slices, two inputs, one of them packed, two outputs, and metadata. */
  function mutantOfKeras(): FileSpec {
    const file = new TfliteSketch();
    const ints = (...values: number[]) => file.constant('int32', [values.length], values);
    const int = (shape: readonly number[]): TensorSpec => ({ shape, type: 'int32' });
    const x = file.input([1, 4, 3, 2]);
    const packed = file.op('LceDequantize', [file.input([1, 4, 3, 1], 'int32')], real([1, 4, 3, 2]));
    const whole = file.op('SHAPE', [x], int([4]), { outType: 2 });
    const mask = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 1 };
    const first = file.op('STRIDED_SLICE', [whole, ints(0), ints(1), ints(1)], int([]), mask);
    const batch = file.op('GATHER', [whole, ints(0)], int([1]), { axis: 0, batchDims: 0 });
    const rest = file.op('MUL', [ints(4), ints(6)], int([1]), { activation: 0 });
    const other = file.op('CONCATENATION', [batch, rest], int([2]), { axis: 0 });
    const asked = file.op('PACK', [first, file.constant('int32', [], [24])], int([2]), {
      valuesCount: 2,
      axis: 0,
    });
    const halves = file.op(
      'DEQUANTIZE',
      [file.constant('float16', [4, 3, 2], integers(24, 3, 0, 30000))],
      real([4, 3, 2]),
    );
    const y = file.op(
      'SUB',
      [file.op('MUL', [x, halves], real([1, 4, 3, 2]), { activation: 0 }), packed],
      real([1, 4, 3, 2]),
      {
        activation: 0,
      },
    );
    const flat = file.op('RESHAPE', [y, asked], real([1, 24]), { newShape: [] });
    const part = file.op('SLICE', [flat, ints(0, 2), ints(1, 20)], real([1, 20]));
    const low = file.op(
      'MINIMUM',
      [file.op('TANH', [part], real([1, 20])), file.constant('float32', [], [0.5])],
      real([1, 20]),
    );
    const again = file.op('RESHAPE', [x, other], real([1, 24]), { newShape: [] });
    const last = file.op('LEAKY_RELU', [again], real([1, 24]), { alpha: 0.5 });
    return { ...file.build(low, last), metadata: [['note', new Uint8Array([65, 66])]] };
  }

  /** A file with int8 tensors and standard operators. */
  function mutantOfInt8(): FileSpec {
    const file = new TfliteSketch();
    const tensor = (shape: readonly number[]): TensorSpec => ({
      shape,
      type: 'int8',
      scale: [0.1],
      zeroPoint: [3],
    });
    const x = file.op('QUANTIZE', [file.input([1, 4, 4, 2])], tensor([1, 4, 4, 2]));
    const quantized = { scale: [0.1, 0.2, 0.3], zeroPoint: [0, 0, 0], axis: 0 };
    const w = file.constant('int8', [3, 2, 2, 2], integers(24, 1, -127, 127), quantized);
    const convolution = { padding: VALID, strideH: 1, strideW: 1, dilationH: 1, dilationW: 1, activation: 1 };
    const inputs = [x, w, file.constant('int32', [3], [1, 2, 3])];
    const y = file.op('CONV_2D', inputs, tensor([1, 3, 3, 3]), convolution);
    const padded = file.op(
      'PAD',
      [y, file.constant('int32', [4, 2], [0, 0, 1, 0, 0, 1, 0, 0])],
      tensor([1, 4, 4, 3]),
    );
    const window = { padding: VALID, strideH: 2, strideW: 2, filterH: 2, filterW: 2 };
    const z = file.op('MAX_POOL_2D', [padded], tensor([1, 2, 2, 3]), window);
    const sum = file.op(
      'ADD',
      [z, file.constant('int8', [3], [1, 2, 3], { scale: [1], zeroPoint: [0] })],
      tensor([1, 2, 2, 3]),
    );
    const mean = file.op('MEAN', [sum, file.constant('int32', [2], [1, 2])], tensor([1, 3]), {
      keepDims: false,
    });
    return file.build(file.op('DEQUANTIZE', [mean], real([1, 3])));
  }
});
