/** What would take long is done in parts: submits by the pace of the adapter, and dispatches of every kernel that can be parted. */
import { describe, expect, test } from 'vitest';
import { type KernelSpec, ProgramBuilder, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { partsOf } from '../src/gpu/kernel.ts';
import { Pace } from '../src/gpu/pace.ts';
import { BINARY_GRAD_INPUT, BINARY_GRAD_WEIGHTS } from '../src/kernels/conv-gradients.ts';
import { GROUPED_F16, GROUPED_F32, GROUPED_I8 } from '../src/kernels/grouped.ts';
import { candidates } from '../src/kernels/variants.ts';
import { SEARCH } from '../src/kernels/vectors.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { binaryConv2d, conv2d, conv2dConstants, resolveConv2d, signConv2d } from '../src/ops/conv.ts';
import {
  binaryConv2dGradInput,
  binaryConv2dGradWeights,
  conv2dGradInput,
  conv2dGradWeights,
} from '../src/ops/conv-gradients.ts';
import {
  binaryMatMul,
  binaryMatMulGradInput,
  binaryMatMulGradWeights,
  matMul,
  signMatMul,
} from '../src/ops/dense.ts';
import { quantizeTokens, roundToHalves } from '../src/ops/grouped.ts';
import { FAMILIES } from '../src/ops/tune.ts';
import { bundle, levelMemory, nearest } from '../src/ops/vectors.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';
import { SPECIFICATIONS } from './helpers/specifications.ts';

const PARTED = SPECIFICATIONS.filter(({ splits }) => splits !== undefined).map(({ name }) => name);

const inQuads = ({ name }: { readonly name: string }) => name.endsWith('_quads');

/** Convolutions and products of all kinds, tiled and not. */
function recordAll(b: ProgramBuilder, scratch: Scratch): Tensor[] {
  const reals = (shape: readonly number[]) => {
    const values = Float32Array.from(
      { length: sizeOf(shape) },
      (_, i) => 2 * uniform01(1, shape.length, i) - 1,
    );
    return scratch.tensor('reals', shape, 'f32', values);
  };
  const signs = (shape: readonly number[]) => {
    const values = Float32Array.from(
      { length: sizeOf(shape) },
      (_, i) => uniform01(2, shape.length, i) - 0.5,
    );
    const channels = shape.at(-1) ?? 1;
    return scratch.tensor('signs', shape, 'bits', packSigns(values, values.length / channels, channels));
  };
  const convolutions = (
    [
      [8, 8, 1],
      [3, 12, 1],
      [130, 6, 2],
    ] as const
  ).flatMap(([channels, outputs, groups]) => {
    const inputShape = [2, 7, 6, channels];
    const filterShape = [outputs, 3, 3, channels / groups];
    const [x, a, w, s, g] = [
      reals(inputShape),
      signs(inputShape),
      reals(filterShape),
      signs(filterShape),
      reals([2, 7, 6, outputs]),
    ];
    const options = { padding: 'same', groups } as const;
    return [
      binaryConv2d(b, a, s, options),
      signConv2d(b, x, s, options),
      conv2d(b, x, w, options),
      binaryConv2dGradInput(b, g, s, { ...options, inputShape, gate: a }),
      conv2dGradInput(b, g, w, { ...options, inputShape }),
      binaryConv2dGradWeights(b, g, a, { ...options, filterShape }),
      conv2dGradWeights(b, g, x, { ...options, filterShape }),
    ];
  });
  const products = (
    [
      [76, 84, 36],
      [70, 37, 135],
    ] as const
  ).flatMap(([m, n, k]) => {
    const [x, a, w, s, g] = [reals([m, k]), signs([m, k]), reals([n, k]), signs([n, k]), reals([m, n])];
    return [
      binaryMatMul(b, a, s),
      signMatMul(b, x, s),
      binaryMatMulGradInput(b, g, s, { gate: a }),
      binaryMatMulGradWeights(b, g, a),
      matMul(b, x, w, { transposeB: true }),
      matMul(b, g, w),
      matMul(b, g, x, { transposeA: true }),
    ];
  });
  // Kernels that share by subgroups, which operations choose for more work than this.
  const [inputShape, filterShape] = [
    [2, 7, 6, 64],
    [12, 3, 3, 64],
  ];
  const extents = conv2dConstants(resolveConv2d(inputShape, filterShape, { padding: 'same' }, 'parts'));
  const [gated, sliced] = [
    { ...extents, GATED: 1 },
    { ...extents, CHUNKS: 3 },
  ];
  const [a, s, g] = [signs(inputShape), signs(filterShape), reals([2, 7, 6, 12])];
  const quads = [
    ...candidates(BINARY_GRAD_INPUT, gated, b.gpu)
      .filter(inQuads)
      .map((kernel) => {
        const out = b.transient(kernel.name, inputShape, 'f32');
        b.dispatch(kernel, { g, w: s, gate: a, out }, gated);
        return out;
      }),
    ...candidates(BINARY_GRAD_WEIGHTS, sliced, b.gpu)
      .filter(inQuads)
      .map((kernel) => {
        const out = b.transient(kernel.name, [3, ...filterShape], 'f32');
        b.dispatch(kernel, { g, a, out }, sliced);
        return out;
      }),
  ];
  const found = { QUERIES: 130, KEYS: 64, WORDS: 4, K: 2, CHUNKS: 1, SPAN: 64 };
  const [queries, keys] = [signs([130, 128]), signs([64, 128])];
  const vectors = [
    levelMemory(b, { rows: 200, bits: 70, seed: 1 }),
    bundle(b, signs([20, 30, 300]), { seed: 2 }),
    nearest(b, signs([130, 70]), signs([64, 70]), 2),
    ...candidates(SEARCH, found, b.gpu).map((kernel) => {
      const best = b.transient(kernel.name, [130, 1, 2, 2], 'u32');
      b.dispatch(kernel, { queries, keys, best }, found);
      return best;
    }),
  ];
  const [M, N, K, GROUP] = [70, 20, 64, 32];
  const groups = { M, N, K, GROUP, TERNARY: 0, HALF_SCALES: 0 };
  const [activations, w, scales] = [reals([M, K]), signs([N, K]), reals([N, K / GROUP])];
  const { values, xScales } = quantizeTokens(b, activations);
  const shared = { w, nonzero: w, scales };
  const product = () => b.transient('grouped product', [M, N], 'f32');
  const grouped = [
    ...(
      [
        [GROUPED_F32, activations],
        [GROUPED_F16, roundToHalves(b, activations)],
      ] as const
    ).flatMap(([family, x]) =>
      candidates(family, groups, b.gpu).map((kernel) => {
        const out = product();
        b.dispatch(kernel, { ...shared, x, out }, groups);
        return out;
      }),
    ),
    ...candidates(GROUPED_I8, groups, b.gpu).map((kernel) => {
      const out = product();
      b.dispatch(kernel, { ...shared, x: values, xScales, out }, groups);
      return out;
    }),
  ];
  return [...convolutions, ...products, ...quads, ...vectors, ...grouped];
}

/** Records the same once more, in the smaller tiles of all families that were asked for. */
function inSmallTiles(b: ProgramBuilder, record: () => Tensor[]): Tensor[] {
  const { choices } = b.gpu;
  const pinned = [...choices.asked].flatMap(([key, { family, extents }]) => {
    const variants = FAMILIES.find(({ name }) => name === family);
    const small = variants && candidates(variants, extents, b.gpu).find(({ name }) => name.endsWith('_4x8'));
    if (small === undefined) return [];
    choices.pin(key, small.name);
    return [key];
  });
  const outs = record();
  for (const key of pinned) choices.clear(key);
  return outs;
}

describe('submits in parts', () => {
  test('go by the time that the work before took', () => {
    const pace = new Pace(true);
    const guess = pace.workOfSubmit;
    pace.note(1, 0);
    pace.note(10 * guess, 1000);
    expect(pace.workOfSubmit / guess).toBeCloseTo(10 * pace.secondsOfSubmit, 9);
    // What is over at once says only how fast it is at least, and what was held up not much.
    pace.note(1, 1);
    expect(pace.workOfSubmit / guess).toBeCloseTo(10 * pace.secondsOfSubmit, 9);
    pace.note(10 * guess, 1);
    expect(pace.workOfSubmit / guess).toBeCloseTo(200 * pace.secondsOfSubmit, 9);
    pace.note(1, 1000);
    expect(pace.workOfSubmit / guess).toBeCloseTo(0.1, 9);
    expect(pace.workOfSubmit).toBeLessThan(new Pace(false).workOfSubmit);
  });

  test('go by the work, where every report waits for the tick of a timer', () => {
    const pace = new Pace(false);
    const guess = pace.workOfSubmit;
    for (const work of [1, 100, 10 * guess]) pace.note(work, 100);
    expect(pace.workOfSubmit).toBeGreaterThanOrEqual(10 * guess);
    pace.note(10 * guess, 2100);
    expect(pace.workOfSubmit / guess).toBeCloseTo(5 * pace.secondsOfSubmit, 9);
  });
});

describe('dispatches in parts', () => {
  const gpu = useGpu();

  test('give the same bits, by every kernel that can be parted', async () => {
    using scratch = new Scratch(gpu());
    const { workOfDispatch } = gpu().pace;
    const run = async (most: number) => {
      const b = new ProgramBuilder(gpu(), 'parts');
      const outs = [...recordAll(b, scratch), ...inSmallTiles(b, () => recordAll(b, scratch))].map((out) =>
        b.keep(out),
      );
      gpu().pace.workOfDispatch = most;
      using program = await b.compile();
      await gpu().scoped('parts', () => program.run());
      const results: Uint32Array[] = [];
      for (const out of outs) results.push(new Uint32Array(await gpu().readBytes(out)));
      return { results, kernels: program.kernels };
    };
    const whole = await run(workOfDispatch);
    const parted = await run(12_000);
    gpu().pace.workOfDispatch = workOfDispatch;
    for (const [i, result] of parted.results.entries()) expectSame(result, whole.results[i] ?? [], `${i}`);
    const times = (names: readonly string[], kernel: string) =>
      names.filter((name) => name === kernel).length;
    const more = PARTED.filter((kernel) => times(parted.kernels, kernel) > times(whole.kernels, kernel));
    const able = PARTED.filter((name) => gpu().features.has('subgroups') || !inQuads({ name }));
    expect(more.sort()).toEqual(able.sort());
  });

  test('go by the work that every kernel of a product says it does', () => {
    const products = SPECIFICATIONS.filter(
      ({ name }) => /^(gemm|conv)\//.test(name) && !/pad|filters|sum|planes_split|depthwise/.test(name),
    );
    expect(products.length).toBeGreaterThan(40);
    expect(products.filter(({ work }) => work === undefined).map(({ name }) => name)).toEqual([]);
  });

  test('cover its workgroups once each', () => {
    const kernel = (splits?: 'line' | 'rows') => ({ splits }) as KernelSpec;
    expect(partsOf(kernel(), [100, 3, 1], 4)).toEqual([{ workgroups: [100, 3, 1], firstRow: 0 }]);
    expect(partsOf(kernel('rows'), [100, 3, 2], 1)).toEqual([{ workgroups: [100, 3, 2], firstRow: 0 }]);
    expect(partsOf(kernel('rows'), [100, 3, 1], 2)).toEqual([
      { workgroups: [100, 2, 1], firstRow: 0 },
      { workgroups: [100, 1, 1], firstRow: 2 },
    ]);
    expect(partsOf(kernel('rows'), [100, 1, 1], 4)).toEqual([{ workgroups: [100, 1, 1], firstRow: 0 }]);
    expect(partsOf(kernel('line'), [10, 1, 1], 3)).toEqual(
      [0, 1, 2].map((firstRow) => ({ workgroups: [4, 1, 1], firstRow })),
    );
    expect(partsOf(kernel('line'), [60_000, 30, 1], 15)).toEqual(
      Array.from({ length: 15 }, (_, i) => ({ workgroups: [60_000, 2, 1], firstRow: 2 * i })),
    );
  });
});
