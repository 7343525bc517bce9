import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { type Gpu, ProgramBuilder, runOnce, sizeOf, type Tensor, wordsFor } from '../src/gpu/index.ts';
import {
  BINARY_FORWARD,
  binaryForward,
  REAL_FORWARD,
  realForward,
  signForward,
} from '../src/kernels/conv.ts';
import {
  BINARY_GRAD_INPUT,
  BINARY_GRAD_WEIGHTS,
  REAL_GRAD_INPUT,
  REAL_GRAD_WEIGHTS,
  sumSlices,
} from '../src/kernels/conv-gradients.ts';
import { candidates, choiceKey, type Family, type Sized } from '../src/kernels/variants.ts';
import { packSigns } from '../src/numerics/pack.ts';
import {
  binaryConv2d,
  binaryConv2dConstants,
  conv2d,
  conv2dConstants,
  type ResolvedConv2d,
  resolveConv2d,
  signConv2d,
} from '../src/ops/conv.ts';
import {
  binaryConv2dGradInput,
  binaryConv2dGradWeights,
  conv2dGradInput,
  conv2dGradWeights,
  signConv2dGradWeights,
} from '../src/ops/conv-gradients.ts';
import * as reference from '../src/reference/conv.ts';
import {
  type ConvolutionCase,
  hasOutput,
  LARQ_CORNERS,
  LARQ_GRID,
  LARQ_LONG_SUMS,
  nameOf,
  resolveCase as resolve,
} from './helpers/convolutions.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';
import { ShapesAtRunTime } from './helpers/shapes-at-run-time.ts';
import { Crossing, EVERY_VARIANT } from './helpers/variants.ts';

type Case = ConvolutionCase;

/** Uniform in [−1, 1), from a counter (the finaliser of MurmurHash3). */
function noise(count: number, seed: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => {
    let h = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) / 2 ** 31;
  });
}

interface Operand {
  readonly tensor: Tensor;
  /** What the tensor holds, as reals. */
  readonly values: ArrayLike<number>;
  /** What it holds, as words. */
  readonly words: Uint32Array<ArrayBuffer>;
}

function operand(scratch: Scratch, shape: readonly number[], dtype: 'f32' | 'bits', seed: number): Operand {
  const values = noise(sizeOf(shape), seed);
  if (dtype === 'f32') {
    return { tensor: scratch.tensor(`r${seed}`, shape, dtype, values), values, words: new Uint32Array() };
  }
  const channels = shape.at(-1) ?? 1;
  const words = packSigns(values, sizeOf(shape) / channels, channels);
  const signs = values.map((value) => (value < 0 ? -1 : 1));
  return { tensor: scratch.tensor(`b${seed}`, shape, dtype, words), values: signs, words };
}

interface Check {
  readonly name: string;
  readonly out: Tensor;
  readonly expected: ArrayLike<number>;
  readonly exact: boolean;
  /** Where it counts in a crossing. */
  readonly kernel?: string | undefined;
}

type Record = (
  b: ProgramBuilder,
  scratch: Scratch,
  shape: Case,
  geometry: ResolvedConv2d,
  seed: number,
) => Check[];

interface Grid {
  readonly crossing?: Crossing;
  /** Whether pipelines are compiled for the shape of each case, as programs have them, or read it from a buffer. */
  readonly shapes: 'compiled' | 'at run time';
}

/** Records the checks of many cases into one program, runs it once and compares everything. */
async function runCases(
  gpu: Gpu,
  cases: readonly Case[],
  record: Record,
  { shapes, crossing }: Grid,
): Promise<void> {
  for (let start = 0; start < cases.length; start += 64) {
    using scratch = new Scratch(gpu);
    using shared = shapes === 'at run time' ? new ShapesAtRunTime(gpu, 'conv') : undefined;
    const b = shared ?? new ProgramBuilder(gpu, 'conv');
    const checks = cases.slice(start, start + 64).flatMap((shape, i) => {
      const geometry = resolve(shape);
      return record(b, scratch, shape, geometry, 7 * (start + i)).map((check) => {
        b.keep(check.out);
        return { ...check, name: `${check.name} ${nameOf(shape)}` };
      });
    });
    using program = await b.compile();
    await gpu.scoped('conv', () => program.run());
    for (const { name, out, expected, exact, kernel } of checks) {
      const actual = await gpu.read(out);
      if (exact) expectSame(actual, expected, name);
      else expectClose(actual, expected, 1e-4, name);
      if (kernel !== undefined) crossing?.compared(kernel);
    }
  }
}

interface BinaryCase {
  readonly dtype: 'f32' | 'i32';
  /** Records the kernel for any geometry. */
  general(): Check;
  /** Records the operation, as it chooses. */
  byOp(): Check;
}

/** Operands and the twin's result, once for all that a case runs. */
function binaryCase(
  b: ProgramBuilder,
  scratch: Scratch,
  shape: Case,
  geometry: ResolvedConv2d,
  seed: number,
): BinaryCase {
  const a = operand(scratch, geometry.inputShape, 'bits', seed);
  const w = operand(scratch, geometry.filterShape, 'bits', seed + 1);
  const expected = reference.binaryConv2d(a.words, w.words, geometry);
  const dtype = seed % 2 === 0 ? 'f32' : 'i32';
  const check = (name: string, out: Tensor) => ({ name: `${name} to ${dtype}`, out, expected, exact: true });
  return {
    dtype,
    general: () => {
      const out = b.transient('general', geometry.outputShape, dtype);
      const constants = { ...conv2dConstants(geometry), INTEGER: dtype === 'i32' ? 1 : 0 };
      b.dispatch(binaryForward, { a: a.tensor, w: w.tensor, out }, constants);
      return check('any geometry', out);
    },
    byOp: () => check('binaryConv2d', binaryConv2d(b, a.tensor, w.tensor, { ...shape, dtype })),
  };
}

/** The kernel for any geometry, and those of the family, pinned one after the other; the operation where there are none. */
const variantChecks =
  (crossing: Crossing): Record =>
  (b, scratch, shape, geometry, seed) => {
    const { dtype, general, byOp } = binaryCase(b, scratch, shape, geometry, seed);
    crossing.always(binaryForward);
    const checks: Check[] = [{ ...general(), kernel: binaryForward.name }];
    const constants = binaryConv2dConstants(geometry, dtype);
    const kernels = crossing.pick(BINARY_FORWARD, constants, b.gpu);
    if (kernels.length === 0) return [...checks, byOp()];
    const key = choiceKey(BINARY_FORWARD.name, constants);
    for (const { name } of kernels) {
      b.gpu.choices.pin(key, name);
      checks.push({ ...byOp(), name: `${name} to ${dtype}`, kernel: name });
      b.gpu.choices.clear(key);
    }
    return checks;
  };

/** The kernel for any geometry, and what the operation chooses. */
const binaryChecks: Record = (b, scratch, shape, geometry, seed) => {
  const { general, byOp } = binaryCase(b, scratch, shape, geometry, seed);
  return [general(), byOp()];
};

/** Every gradient, and the forward passes that see reals: the ops and the variants for any geometry. */
const realChecks =
  (crossing: Crossing): Record =>
  (b, scratch, shape, geometry, seed) => {
    const { inputShape, filterShape, outputShape } = geometry;
    const constants = conv2dConstants(geometry);
    const x = operand(scratch, inputShape, 'f32', seed);
    const a = operand(scratch, inputShape, 'bits', seed + 1);
    const w = operand(scratch, filterShape, 'f32', seed + 2);
    const s = operand(scratch, filterShape, 'bits', seed + 3);
    const g = operand(scratch, outputShape, 'f32', seed + 4);
    const gate = operand(scratch, inputShape, 'bits', seed + 5);
    const passes = Array.from(gate.values, (sign) => (sign < 0 ? 1 : 0));
    const checks: Check[] = [];
    const crossed = new Map<Tensor, string>();
    const check = (name: string, expected: ArrayLike<number>, outs: readonly Tensor[]) => {
      for (const out of outs) checks.push({ name, out, expected, exact: false, kernel: crossed.get(out) });
    };
    const general = (like: readonly number[], record: (out: Tensor) => void): Tensor => {
      const out = b.transient('general', like, 'f32');
      record(out);
      return out;
    };
    const backInput = { ...shape, inputShape };
    const backWeights = { ...shape, filterShape };

    check('signConv2d', reference.conv2d(x.values, s.values, geometry), [
      signConv2d(b, x.tensor, s.tensor, shape),
      general(outputShape, (out) => b.dispatch(signForward, { x: x.tensor, w: s.tensor, out }, constants)),
    ]);
    check('conv2d', reference.conv2d(x.values, w.values, geometry), [
      conv2d(b, x.tensor, w.tensor, shape),
      ...crossing.pick(REAL_FORWARD, constants, b.gpu).map(({ name }) => {
        const key = choiceKey(REAL_FORWARD.name, constants);
        b.gpu.choices.pin(key, name);
        const out = conv2d(b, x.tensor, w.tensor, shape);
        b.gpu.choices.clear(key);
        crossed.set(out, name);
        return out;
      }),
      general(outputShape, (out) => b.dispatch(realForward, { x: x.tensor, w: w.tensor, out }, constants)),
    ]);
    // Every second case has a gate.
    const gated = seed % 2 === 1;
    const gating = { ...constants, GATED: gated ? 1 : 0 };
    check(
      gated ? 'gated binaryConv2dGradInput' : 'binaryConv2dGradInput',
      reference.conv2dGradInput(g.values, s.values, geometry, gated ? passes : undefined),
      [
        binaryConv2dGradInput(b, g.tensor, s.tensor, { ...backInput, gate: gated ? gate.tensor : undefined }),
        ...crossing.pick(BINARY_GRAD_INPUT, gating, b.gpu).map((kernel) => {
          const out = general(inputShape, (out) =>
            b.dispatch(kernel, { g: g.tensor, w: s.tensor, gate: gate.tensor, out }, gating),
          );
          crossed.set(out, kernel.name);
          return out;
        }),
      ],
    );
    check('conv2dGradInput', reference.conv2dGradInput(g.values, w.values, geometry), [
      conv2dGradInput(b, g.tensor, w.tensor, backInput),
      ...crossing.pick(REAL_GRAD_INPUT, constants, b.gpu).map((kernel) => {
        const out = general(inputShape, (out) =>
          b.dispatch(kernel, { g: g.tensor, w: w.tensor, out }, constants),
        );
        crossed.set(out, kernel.name);
        return out;
      }),
    ]);
    const inSlices = (kernel: string, record: (slices: Tensor) => void): Tensor => {
      const slices = b.transient('slices', [slicing.CHUNKS, ...filterShape], 'f32');
      record(slices);
      const sizes = { LANES: sizeOf(filterShape), CHUNKS: slicing.CHUNKS };
      const out = general(filterShape, (out) => b.dispatch(sumSlices, { slices, out }, sizes));
      crossed.set(out, kernel);
      return out;
    };
    const slicing = { ...constants, CHUNKS: Math.min(1 + (seed % 3), geometry.batch * geometry.outHeight) };
    check('binaryConv2dGradWeights', reference.conv2dGradWeights(g.values, a.values, geometry), [
      binaryConv2dGradWeights(b, g.tensor, a.tensor, backWeights),
      ...crossing
        .pick(BINARY_GRAD_WEIGHTS, slicing, b.gpu)
        .map((kernel) =>
          inSlices(kernel.name, (out) => b.dispatch(kernel, { g: g.tensor, a: a.tensor, out }, slicing)),
        ),
    ]);
    const realWeights = reference.conv2dGradWeights(g.values, x.values, geometry);
    check('conv2dGradWeights', realWeights, [
      conv2dGradWeights(b, g.tensor, x.tensor, backWeights),
      ...crossing
        .pick(REAL_GRAD_WEIGHTS, slicing, b.gpu)
        .map((kernel) =>
          inSlices(kernel.name, (out) => b.dispatch(kernel, { g: g.tensor, x: x.tensor, out }, slicing)),
        ),
    ]);
    check('signConv2dGradWeights', realWeights, [signConv2dGradWeights(b, g.tensor, x.tensor, backWeights)]);
    return checks;
  };

/** Geometries that the tiled variants take, at the edges of their tiles. */
const TILED: readonly Case[] = [
  { input: [1, 1, 1, 4], filter: [4, 1, 1] },
  { input: [1, 1, 1, 8], filter: [8, 3, 3], padding: 'same' },
  { input: [2, 5, 7, 12], filter: [12, 3, 3], padding: 'same' },
  { input: [2, 5, 7, 12], filter: [12, 3, 3], padding: 'same', padValue: 1 },
  { input: [2, 5, 7, 12], filter: [20, 3, 3], padding: 'same', padValue: -1 },
  { input: [3, 6, 5, 32], filter: [8, 2, 3], strides: [2, 3], padding: 'same', padValue: -1 },
  { input: [1, 9, 9, 36], filter: [16, 3, 2], dilations: [3, 2], padding: 'same' },
  { input: [1, 9, 9, 36], filter: [4, 3, 2], dilations: [2, 3], strides: [3, 2] },
  {
    input: [2, 4, 4, 68],
    filter: [4, 3, 3],
    padding: [
      [3, 1],
      [0, 4],
    ],
  },
  {
    input: [2, 4, 4, 40],
    filter: [12, 3, 3],
    padding: [
      [3, 4],
      [4, 3],
    ],
    padValue: 1,
  },
  { input: [1, 8, 8, 64], filter: [32, 3, 3], padding: 'same' },
  { input: [5, 3, 3, 1], filter: [4, 3, 3], padding: 'same', padValue: 1 },
  { input: [2, 7, 6, 3], filter: [12, 5, 5], strides: 2, padding: 'same' },
  { input: [2, 7, 6, 3], filter: [8, 3, 3], dilations: 2, padding: 'same', padValue: -1 },
];

/** Geometries of all kinds in which the window fits the image. */
function geometries(batches: readonly number[], count: number, seed: number): Case[] {
  const axis = (least: number, most: number) => fc.integer({ min: least, max: most });
  const pair = (most: number) => fc.tuple(axis(1, most), axis(1, most));
  const shapes = fc
    .record({
      batch: fc.constantFrom(...batches),
      size: fc.tuple(axis(1, 7), axis(1, 7)),
      groupChannels: fc.constantFrom(1, 2, 3, 4, 8, 16, 20, 31, 32, 33, 63, 64, 65, 96, 128),
      kernel: fc.constantFrom([1, 1], [3, 3], [2, 3], [3, 2], [1, 3], [5, 5]),
      groups: fc.constantFrom(1, 1, 1, 1, 2, 3, 4),
      groupOutputs: fc.constantFrom(1, 2, 3, 4, 4, 8, 8, 12, 16),
      strides: fc.oneof(fc.constant([1, 1] as [number, number]), pair(3)),
      dilations: fc.oneof(fc.constant([1, 1] as [number, number]), pair(3)),
      padding: fc.oneof(
        fc.constantFrom('valid' as const, 'same' as const, 'same' as const),
        fc.tuple(fc.tuple(axis(0, 3), axis(0, 3)), fc.tuple(axis(0, 3), axis(0, 3))),
      ),
      padValue: fc.constantFrom(0 as const, 1 as const, -1 as const),
    })
    .map(({ batch, size, groupChannels, kernel, groups, groupOutputs, ...options }): Case => {
      // Large batches and images together would only make the twin slow.
      const [height, width] = batch > 8 ? [Math.min(4, size[0]), Math.min(4, size[1])] : size;
      const channels = batch > 8 ? Math.min(groupChannels, 33) : groupChannels;
      return {
        input: [batch, height, width, channels * groups],
        filter: [groupOutputs * groups, kernel[0] ?? 1, kernel[1] ?? 1],
        groups,
        ...options,
      };
    })
    .filter(hasOutput);
  return fc.sample(shapes, { seed, numRuns: count });
}

describe('convolution of bits', () => {
  const gpu = useGpu();

  const RANDOM = {
    'random geometries': [1, 2, 3, 4].flatMap((seed) => geometries([1, 1, 2, 3, 5], 250, seed)),
    'random geometries with batches of up to 64': [5, 6].flatMap((seed) =>
      geometries([9, 16, 33, 64], 160, seed),
    ),
  };

  describe('every kernel on every case, its shapes at run time', () => {
    const crossing = new Crossing(true);
    const checks = variantChecks(crossing);
    const grids = {
      "Larq Compute Engine's grid": LARQ_GRID,
      'sums beyond 16 bits': LARQ_LONG_SUMS,
      'the edges of tiles': TILED,
      ...RANDOM,
    };
    test.each(Object.entries(grids))('%s', async (_, cases) => {
      await runCases(gpu(), cases, checks, { crossing, shapes: 'at run time' });
    });

    test('all of it', () => {
      crossing.assertWhole('binary convolutions, shapes at run time', {
        'conv/binary_forward': 492 + 2 + 14 + 1000 + 320,
        binaryConv2d: 689,
      });
    });
  });

  describe('kernels compiled for each shape', () => {
    const crossing = new Crossing();
    const checks = variantChecks(crossing);
    const compiled = { crossing, shapes: 'compiled' } as const;
    const larq = EVERY_VARIANT ? LARQ_GRID : LARQ_CORNERS;
    for (let start = 0; start < larq.length; start += 64) {
      const cases = larq.slice(start, start + 64);
      test(`Larq Compute Engine's grid, ${cases.length} cases from ${nameOf(cases[0] as Case)}`, async () => {
        await runCases(gpu(), cases, checks, compiled);
      });
    }
    test('I1x6x6x3072_K5x5x4: sums beyond 16 bits', async () => {
      await runCases(gpu(), LARQ_LONG_SUMS, checks, compiled);
    });

    test('the edges of tiles', async () => {
      await runCases(gpu(), TILED, checks, compiled);
    });

    test('100 random geometries', async () => {
      await runCases(gpu(), geometries([1, 2, 5], 100, 10), checks, compiled);
    });

    test('all of it', () => {
      crossing.assertWhole('binary convolutions', {
        'conv/binary_forward': (EVERY_VARIANT ? 492 : 132) + 2 + 14 + 100,
        binaryConv2d: (EVERY_VARIANT ? 168 : 48) + 2 + 14 + 33,
      });
    });
  });

  test('250 random geometries, by what the operation chooses', async () => {
    await runCases(gpu(), geometries([1, 1, 2, 3, 5], 250, 1), binaryChecks, { shapes: 'compiled' });
  });

  test('padding with -1 is padding with the other sign', async () => {
    const shape: Case = { input: [1, 3, 3, 40], filter: [4, 3, 3], padding: 'same' };
    const words = new Uint32Array(9 * wordsFor(40));
    const filter = packSigns(new Float32Array(4 * 9 * 40).fill(-1), 36, 40);
    const results = ([-1, 0, 1] as const).map((padValue) =>
      reference.binaryConv2d(words, filter, resolve({ ...shape, padValue })),
    );
    // A corner has 4 taps inside and 5 outside; input +1, filters -1.
    expect(results.map((result) => result[0])).toEqual([40 * (5 - 4), 40 * -4, 40 * -9]);
  });
});

describe('convolution with reals, and gradients', () => {
  const gpu = useGpu();

  test.each([
    [
      'every kernel on every case, its shapes at run time',
      'at run time',
      [
        ...TILED,
        ...geometries([1, 2, 3], 20, 7),
        ...geometries([1, 2, 3], 20, 8),
        ...geometries([5, 16], 20, 9),
      ],
    ],
    ['the edges of tiles, kernels compiled for each shape', 'compiled', TILED],
    ['20 random geometries, kernels compiled for each shape', 'compiled', geometries([1, 2, 5], 20, 7)],
  ] as const)('%s', async (name, shapes, cases) => {
    const crossing = new Crossing(EVERY_VARIANT || shapes === 'at run time');
    await runCases(gpu(), cases, realChecks(crossing), { crossing, shapes });
    expect(TILED.length).toBe(14);
    const tiled = { 'at run time': 39, compiled: cases === TILED ? 14 : 10 }[shapes];
    crossing.assertWhole(`convolutions with reals, and gradients: ${name}`, {
      conv2d: tiled,
      binaryConv2dGradInput: cases.length,
      conv2dGradInput: cases.length,
      binaryConv2dGradWeights: cases.length,
      conv2dGradWeights: cases.length,
    });
  });

  test('a gradient split into slices has the same bits whenever it runs', async () => {
    const geometry = resolve({ input: [4, 16, 16, 32], filter: [16, 3, 3], padding: 'same' });
    using scratch = new Scratch(gpu());
    const g = operand(scratch, geometry.outputShape, 'f32', 1);
    const a = operand(scratch, geometry.inputShape, 'bits', 2);
    const b = new ProgramBuilder(gpu(), 'slices');
    const out = b.keep(
      binaryConv2dGradWeights(b, g.tensor, a.tensor, { padding: 'same', filterShape: geometry.filterShape }),
    );
    using program = await b.compile();
    program.run();
    const first = await gpu().read(out);
    program.run();
    expectSame(await gpu().read(out), first);
    expectClose(first, reference.conv2dGradWeights(g.values, a.values, geometry));
  });

  test('the tiles of a family agree to the bit, but for those on matrix units, so that a choice changes none', async () => {
    const cases: Case[] = [
      { input: [2, 5, 7, 12], filter: [12, 3, 3], padding: 'same' },
      { input: [1, 9, 6, 64], filter: [20, 3, 2], strides: [2, 1], padding: 'same', padValue: 1 },
    ];
    for (const geometry of cases.map(resolve)) {
      using scratch = new Scratch(gpu());
      const g = operand(scratch, geometry.outputShape, 'f32', 1).tensor;
      const s = operand(scratch, geometry.filterShape, 'bits', 2).tensor;
      const a = operand(scratch, geometry.inputShape, 'bits', 3).tensor;
      const w = operand(scratch, geometry.filterShape, 'f32', 4).tensor;
      const x = operand(scratch, geometry.inputShape, 'f32', 5).tensor;
      const alike = ({ name }: { readonly name: string }) => /_tile(_4x8)?$|_quads$/.test(name);
      const extents = conv2dConstants(geometry);
      const gated = { ...extents, GATED: 1 };
      const sliced = { ...extents, CHUNKS: 2 };
      const slices = [2, ...geometry.filterShape];
      using run = await runOnce(gpu(), 'variants', (b) => {
        const each = <Kernel extends Sized<E> & { readonly name: string }, E>(
          family: Family<Kernel, E>,
          values: E,
          like: readonly number[],
          record: (kernel: Kernel, out: Tensor) => void,
        ): Tensor[] =>
          candidates(family, values, gpu())
            .filter(alike)
            .map((kernel) => {
              const out = b.keep(b.transient(kernel.name, like, 'f32'));
              record(kernel, out);
              return out;
            });
        return [
          each(REAL_FORWARD, extents, geometry.outputShape, (kernel, out) =>
            b.dispatch(kernel, { x, w, out }, extents),
          ),
          each(BINARY_GRAD_INPUT, gated, geometry.inputShape, (kernel, out) =>
            b.dispatch(kernel, { g, w: s, gate: a, out }, gated),
          ),
          each(REAL_GRAD_INPUT, extents, geometry.inputShape, (kernel, out) =>
            b.dispatch(kernel, { g, w, out }, extents),
          ),
          each(BINARY_GRAD_WEIGHTS, sliced, slices, (kernel, out) =>
            b.dispatch(kernel, { g, a, out }, sliced),
          ),
          each(REAL_GRAD_WEIGHTS, sliced, slices, (kernel, out) => b.dispatch(kernel, { g, x, out }, sliced)),
        ];
      });
      for (const outs of run.result) {
        const [first, ...others] = await Promise.all(outs.map((out) => gpu().readBytes(out)));
        expect(others.length).toBeGreaterThan(0);
        for (const other of others) expectSame(new Uint32Array(other), new Uint32Array(first ?? []));
      }
    }
  });

  test('the gradients are those of the forward pass', () => {
    const cases: Case[] = [
      { input: [2, 4, 5, 3], filter: [4, 3, 3], padding: 'same' },
      { input: [1, 5, 4, 4], filter: [2, 2, 3], strides: [2, 1], groups: 2, padding: 'same', padValue: 1 },
      {
        input: [1, 6, 6, 2],
        filter: [3, 2, 2],
        dilations: [3, 2],
        padding: [
          [1, 0],
          [2, 1],
        ],
        padValue: -1,
      },
    ];
    for (const shape of cases) {
      const geometry = resolve(shape);
      const x = Float64Array.from(noise(sizeOf(geometry.inputShape), 1));
      const w = Float64Array.from(noise(sizeOf(geometry.filterShape), 2));
      const g = Float64Array.from(noise(sizeOf(geometry.outputShape), 3));
      const loss = () => reference.conv2d(x, w, geometry).reduce((sum, out, i) => sum + out * (g[i] ?? 0), 0);
      // The loss is linear in each operand, so differences over any step are exact.
      const differences = (operand: Float64Array<ArrayBuffer>) =>
        operand.map((value, i) => {
          operand[i] = value + 1;
          const up = loss();
          operand[i] = value - 1;
          const down = loss();
          operand[i] = value;
          return (up - down) / 2;
        });
      expectClose(reference.conv2dGradInput(g, w, geometry), differences(x), 1e-9, `input ${nameOf(shape)}`);
      expectClose(
        reference.conv2dGradWeights(g, x, geometry),
        differences(w),
        1e-9,
        `filters ${nameOf(shape)}`,
      );
    }
  });
});

describe('what a convolution refuses', () => {
  const gpu = useGpu();
  const input = [1, 8, 8, 6];

  test("'same' is TensorFlow's: the extra pixel at the end", () => {
    const { outputShape, padTop, padBottom, padLeft, padRight } = resolveConv2d(input, [4, 3, 2, 6], {
      strides: [2, 1],
      padding: 'same',
    });
    expect(outputShape).toEqual([1, 4, 8, 4]);
    expect([padTop, padBottom, padLeft, padRight]).toEqual([0, 1, 0, 1]);
  });

  test('shapes that do not fit', () => {
    expect(() => resolveConv2d(input, [4, 3, 3, 5])).toThrow(ShapeError);
    expect(() => resolveConv2d(input, [4, 3, 3, 3], { groups: 4 })).toThrow(ShapeError);
    expect(() => resolveConv2d(input, [4, 9, 9, 6])).toThrow(ShapeError);
    expect(() => resolveConv2d([8, 8, 6], [4, 3, 3, 6])).toThrow(ShapeError);
  });

  test('options out of range', () => {
    expect(() => resolveConv2d(input, [4, 3, 3, 6], { strides: 0 })).toThrow(OptionError);
    expect(() => resolveConv2d(input, [4, 3, 3, 6], { dilations: [1, 1.5] })).toThrow(OptionError);
    expect(() => resolveConv2d(input, [4, 3, 3, 6], { groups: -1 })).toThrow(OptionError);
    expect(() => resolveConv2d(input, [4, 3, 3, 6], { padValue: 2 as 1 })).toThrow(OptionError);
    expect(() => resolveConv2d(input, [4, 3, 3, 6], { padding: 'full' as 'same' })).toThrow(OptionError);
    expect(() =>
      resolveConv2d(input, [4, 3, 3, 6], {
        padding: [
          [1, 1],
          [-1, 0],
        ],
      }),
    ).toThrow(OptionError);
  });

  test('a result goes where it is asked to go, in the type that is there', async () => {
    const geometry = resolve({ input: [1, 3, 3, 32], filter: [4, 3, 3] });
    using scratch = new Scratch(gpu());
    const a = operand(scratch, geometry.inputShape, 'bits', 1);
    const w = operand(scratch, geometry.filterShape, 'bits', 2);
    const out = scratch.tensor('out', geometry.outputShape, 'i32');
    const b = new ProgramBuilder(gpu(), 'out');
    expect(binaryConv2d(b, a.tensor, w.tensor, { out })).toBe(out);
    using program = await b.compile();
    program.run();
    expectSame(await gpu().read(out), reference.binaryConv2d(a.words, w.words, geometry));
  });

  test('tensors of the wrong type or shape', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const bits = scratch.tensor('bits', [1, 4, 4, 32], 'bits');
    const reals = scratch.tensor('reals', [1, 4, 4, 32], 'f32');
    const filter = scratch.tensor('filter', [8, 3, 3, 32], 'bits');
    expect(() => binaryConv2d(b, reals, filter)).toThrow(ShapeError);
    expect(() => signConv2d(b, bits, filter)).toThrow(ShapeError);
    expect(() => conv2d(b, reals, filter)).toThrow(ShapeError);
    expect(() => binaryConv2d(b, bits, filter, { out: reals })).toThrow(ShapeError);
    expect(() => binaryConv2dGradWeights(b, reals, bits, { filterShape: [8, 3, 3, 32] })).toThrow(ShapeError);
    expect(() => binaryConv2dGradInput(b, reals, filter, { inputShape: [1, 4, 4, 32] })).toThrow(ShapeError);
  });
});
