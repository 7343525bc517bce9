/**
 * Products on matrix units. Few adapters have any, so each kernel is compiled as it is by Dawn for an adapter that runs
 * nothing and has every feature; run with plain arithmetic in place of the units, against the twin; and run as it is, in this
 * file and in the grids of the operations, where the adapter at hand has the units.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Gpu, type KernelSpec, ProgramBuilder, sizeOf, type Tensor, wordsFor } from '../src/gpu/index.ts';
import { loadShader } from '../src/gpu/kernel.ts';
import { BINARY_FORWARD } from '../src/kernels/conv.ts';
import { BINARY_GRAD_INPUT, BINARY_GRAD_WEIGHTS } from '../src/kernels/conv-gradients.ts';
import { BINARY_BY_SIDE, SIGN_GRAD_INPUT, SIGN_GRAD_WEIGHTS } from '../src/kernels/gemm.ts';
import { candidates, defaultOf, type Family } from '../src/kernels/variants.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { uniform01 } from '../src/numerics/random.ts';
import {
  binaryConv2dConstants,
  conv2dConstants,
  paddedInput,
  resolveConv2d,
  sumsOfEdges,
  transposedFilters,
} from '../src/ops/conv.ts';
import { binaryConv2d, conv2dGradWeights, inputSigns } from '../src/reference/conv.ts';
import { binaryMatMul, binaryMatMulGradWeights } from '../src/reference/matmul.ts';
import { described, expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

/** Signs that look random, packed by rows. */
function draw(rows: number, channels: number, stream: number): Uint32Array<ArrayBuffer> {
  const values = Float64Array.from({ length: rows * channels }, (_, i) => uniform01(1, stream, i) - 0.5);
  return packSigns(values, rows, channels);
}

const onUnits = (kernel: { readonly name: string }) => kernel.name.includes('_matrix_');

/** What `AdapterSummary` says of an adapter with all the matrix units that there are kernels for. */
const MATRICES = [
  'i8 16x16x32 i32 by 32',
  'i8 16x16x16 i32 by 32',
  'i8 8x8x8 i32 by 8',
  'f16 16x16x16 f32 by 32',
  'f16 8x8x8 f32 by 8',
];

const fileOf = (path: string) => readFileSync(resolve(import.meta.dirname, '..', 'shaders', path), 'utf8');

/** `lib/matrix/bytes.wgsl` without matrix units: an invocation computes eight neighbours of the sums of its subgroup. */
const PLAIN_BYTES = `
const LINE_WORDS = MATRIX_DEPTH / 4u;
alias Left = u32;
alias Right = u32;
struct Sums {
  a: vec4i,
  b: vec4i,
}
var<private> lane: u32;
var<private> depth: u32;
fn load_left(at: u32) -> Left {
  return at;
}
fn load_right(at: u32) -> Right {
  return at;
}
fn element(at: u32, k: u32) -> i32 {
  return extractBits(shared_words[at + k / 4u], 8u * (k % 4u), 8u);
}
fn column(at: u32, k: u32) -> vec4i {
  return vec4i(
    element(at, k),
    element(at + LINE_WORDS, k),
    element(at + 2u * LINE_WORDS, k),
    element(at + 3u * LINE_WORDS, k),
  );
}
fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums {
  var added = sums;
  let row = left + 8u * lane / MATRIX_COLUMNS * LINE_WORDS;
  let at = right + 8u * lane % MATRIX_COLUMNS * LINE_WORDS;
  for (var k = 0u; k < depth; k++) {
    let x = element(row, k);
    added.a += x * column(at, k);
    added.b += x * column(at + 4u * LINE_WORDS, k);
  }
  return added;
}
fn store_sums(at: u32, sums: Sums) {
  for (var i = 0u; i < 4u; i++) {
    shared_words[at + 8u * lane + i] = sums.a[i];
    shared_words[at + 8u * lane + 4u + i] = sums.b[i];
  }
}
fn own_subgroup(local: u32, subgroup: u32) -> u32 {
  lane = local % LANES;
  depth = MATRIX_DEPTH + local / 256u;
  return local / LANES;
}
`;

/** `lib/matrix/halves.wgsl` likewise. */
const PLAIN_HALVES = `
alias Left = u32;
alias Right = u32;
struct Sums {
  a: vec4f,
  b: vec4f,
}
var<private> lane: u32;
var<private> depth: u32;
fn load_left(at: u32) -> Left {
  return at;
}
fn load_right(at: u32) -> Right {
  return at;
}
fn four(at: u32) -> vec4f {
  return vec4f(signs[at], signs[at + 1u], signs[at + 2u], signs[at + 3u]);
}
fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums {
  var added = sums;
  let row = left + 8u * lane / MATRIX_COLUMNS * MATRIX_DEPTH;
  let column = right + 8u * lane % MATRIX_COLUMNS;
  for (var k = 0u; k < depth; k++) {
    added.a += parts[row + k] * four(column + k * MATRIX_COLUMNS);
    added.b += parts[row + k] * four(column + k * MATRIX_COLUMNS + 4u);
  }
  return added;
}
fn rescale(sums: Sums, factor: f32) -> Sums {
  return Sums(sums.a * factor, sums.b * factor);
}
fn store_sums(at: u32, sums: Sums) {
  for (var i = 0u; i < 4u; i++) {
    products[at + 8u * lane + i] = sums.a[i];
    products[at + 8u * lane + 4u + i] = sums.b[i];
  }
}
fn own_subgroup(local: u32, subgroup: u32) -> u32 {
  lane = local % LANES;
  depth = MATRIX_DEPTH + local / 256u;
  return local / LANES;
}
`;

/** A kernel that asks plain arithmetic where it asked matrix units. */
async function withoutUnits<Kernel extends KernelSpec>(kernel: Kernel): Promise<Kernel> {
  const text = await loadShader(kernel);
  const source = text
    .replace(fileOf('lib/matrix/bytes.wgsl'), () => PLAIN_BYTES)
    .replace(fileOf('lib/matrix/halves.wgsl'), () => PLAIN_HALVES)
    .replace('enable chromium_experimental_subgroup_matrix;\n', '')
    .replace(/^alias \w+ = subgroup_matrix_.*$/gm, '')
    .replace(/^diagnostic\(off, chromium.*$/gm, '')
    // Few adapters that lack the units know halves.
    .replace('enable f16;\n', '')
    .replace(
      /bitcast<vec2<f16>>\(.*\);/,
      'f32(word.one & 1024u) / 1024.0 * (1.0 - 2.0 * vec2f(vec2u(bits, bits >> 1u) & vec2u(1u)));',
    )
    .replace(/\bf16\b/g, 'f32');
  expect(source).not.toMatch(/subgroup_?matrix|\bf16\b/i);
  const { subgroup: _, ...plain } = kernel;
  return { ...plain, name: `${kernel.name}_plain`, source } as unknown as Kernel;
}

describe('products on matrix units', () => {
  const gpu = useGpu();
  const unitsOf = <Kernel extends KernelSpec, Extents>({ variants }: Family<Kernel, Extents>) =>
    variants.map(({ kernel }) => kernel).filter(onUnits);
  const kernels = unitsOf(BINARY_BY_SIDE);
  /** Runs kernels that give the same out of the same. */
  const runAll = async <Kernel extends KernelSpec>(
    kernels: readonly Kernel[],
    record: (b: ProgramBuilder, kernel: Kernel) => Tensor,
  ) => {
    const b = new ProgramBuilder(gpu(), 'matrix units');
    const outs = kernels.map((kernel) => b.keep(record(b, kernel)));
    using program = await b.compile();
    await gpu().scoped('matrix units', () => program.run());
    return Promise.all(outs.map(async (out) => ({ name: out.label, values: await gpu().read(out) })));
  };
  /** A device as the one at hand, but with every kind of matrix unit. */
  const able = () => ({
    features: new Set(['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix']),
    languageFeatures: new Set(['subgroup_id']),
    limits: gpu().limits,
    adapter: { ...gpu().adapter, matrices: MATRICES },
  });

  test('compile where there are matrix units', async () => {
    const { create } = await import('webgpu');
    const entry = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
    const device = await Gpu.request({ gpu: entry });
    try {
      expect(device.features).toContain('chromium-experimental-subgroup-matrix');
      const all: readonly KernelSpec[] = [
        ...kernels,
        ...unitsOf(BINARY_FORWARD),
        ...unitsOf(BINARY_GRAD_INPUT),
        ...unitsOf(BINARY_GRAD_WEIGHTS),
        ...unitsOf(SIGN_GRAD_INPUT),
        ...unitsOf(SIGN_GRAD_WEIGHTS),
      ];
      const compiled = all.map(async (kernel) => {
        // As many invocations as the largest subgroups of this adapter have: that is all that it finds fault with.
        const text = await loadShader(kernel);
        const source = text.replace('@workgroup_size(INVOCATIONS)', '@workgroup_size(128)');
        const constants = kernel.constants.map((name) => [name, 1]);
        return device.pipeline({ ...kernel, source }, Object.fromEntries(constants));
      });
      expect(await Promise.all(compiled)).toHaveLength(all.length);
    } finally {
      device.dispose();
    }
  });

  test('are offered where the adapter has them, and never by default', () => {
    const extents = { M: 64, N: 64, K: 64, INTEGER: 1 };
    const offered = (device: ReturnType<typeof able>) =>
      candidates(BINARY_BY_SIDE, extents, device)
        .filter(onUnits)
        .map(({ name }) => name);
    expect(offered(able())).toEqual(kernels.map(({ name }) => name));
    expect(offered({ ...able(), features: new Set(['subgroups', 'shader-f16']) })).toEqual([]);
    // Bytes need no half floats.
    const bytesOnly = new Set(['subgroups', 'chromium-experimental-subgroup-matrix']);
    expect(offered({ ...able(), features: bytesOnly })).toEqual(kernels.map(({ name }) => name));
    const gradients = candidates(
      SIGN_GRAD_INPUT,
      { M: 64, N: 64, K: 64, GATED: 0 },
      { ...able(), features: bytesOnly },
    );
    expect(gradients.filter(onUnits)).toEqual([]);
    expect(offered({ ...able(), adapter: { ...gpu().adapter, matrices: [] } })).toEqual([]);
    const one = { ...able(), adapter: { ...gpu().adapter, matrices: ['i8 8x8x8 i32 by 8'] } };
    expect(offered(one)).toEqual(['gemm/binary_matrix_8x8x8']);
    expect(onUnits(defaultOf(BINARY_BY_SIDE, extents, able()) ?? { name: '' })).toBe(false);
  });

  test('are offered where subgroups vary in size, if a size can be asked for', () => {
    const unit = { M: 16, N: 16, K: 16 };
    // As Dawn tells of RDNA 3, whose units multiply bytes and halves.
    const adapterInfo = {
      ...{ vendor: 'amd', architecture: 'rdna-3', subgroupMinSize: 32, subgroupMaxSize: 64 },
      subgroupMatrixConfigs: [
        { componentType: 'i8', resultComponentType: 'i32', ...unit },
        { componentType: 'f16', resultComponentType: 'f32', ...unit },
      ],
    };
    const units = (...more: readonly string[]) => {
      const features = new Set([
        ...['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'],
        ...more,
      ]);
      const device = described(gpu().device, { adapterInfo, features });
      const offered = [
        ...candidates(BINARY_BY_SIDE, { M: 64, N: 64, K: 64, INTEGER: 1 }, device),
        ...candidates(SIGN_GRAD_INPUT, { M: 64, N: 64, K: 64, GATED: 0 }, device),
      ].filter(onUnits);
      return { matrices: device.adapter.matrices, offered: offered.map(({ name }) => name) };
    };
    expect(units()).toEqual({ matrices: undefined, offered: [] });
    expect(units('subgroup-size-control')).toEqual({
      matrices: ['i8', 'f16'].flatMap((type) =>
        [32, 64].map((size) => `${type} 16x16x16 ${type === 'i8' ? 'i32' : 'f32'} by ${size}`),
      ),
      offered: [
        'gemm/binary_matrix_16x16x16_wide',
        'gemm/binary_matrix_16x16x16',
        'gemm/sign_grad_input_matrix_16x16x16',
      ],
    });
  });

  test('ask for subgroups of their size, where a device lets one ask', async () => {
    const asked = async (features: readonly string[], kernel: KernelSpec) => {
      const codes: string[] = [];
      const device = described(gpu().device, {
        features: new Set(features),
        createShaderModule: ({ code }: { code: string }) => {
          codes.push(code);
          throw new Error('seen');
        },
      });
      await expect(device.pipeline(kernel, {})).rejects.toThrow();
      return codes.map((code) => ({
        enabled: code.startsWith('enable subgroup_size_control;'),
        size: /@compute @subgroup_size\((\d+)\)/.exec(code)?.[1],
      }));
    };
    const all: readonly KernelSpec[] = [...kernels, ...unitsOf(SIGN_GRAD_INPUT)];
    for (const kernel of all) {
      const lanes = /const LANES = (\d+)u;/.exec(await loadShader(kernel))?.[1];
      expect(lanes, kernel.name).toBeDefined();
      expect(await asked(['subgroup-size-control'], kernel)).toEqual([{ enabled: true, size: lanes }]);
      expect(await asked([], kernel)).toEqual([{ enabled: false, size: undefined }]);
    }
  });

  // A compilation of plain arithmetic takes software adapters seconds: of the kernels of one body one is enough.

  test('expand, place and finish as the twin does, at the edges of tiles and words', async () => {
    using scratch = new Scratch(gpu());
    // A low tile of 128 and a narrow one beside it; two steps along K, the second less than half full.
    const [M, N, K] = [20, 136, 70];
    const extents = { M, N, K, INTEGER: 0 };
    const rows = draw(M, K, 1);
    const columns = draw(N, K, 2);
    const words = wordsFor(K);
    const side = Uint32Array.from(
      { length: words * N },
      (_, i) => columns[(i % N) * words + Math.floor(i / N)] ?? 0,
    );
    const a = scratch.tensor('a', [M, K], 'bits', rows);
    const w = scratch.tensor('w', [words, N], 'u32', side);
    const wide = kernels.filter(({ name }) => name.endsWith('x32_wide'));
    const run = [
      ...(await Promise.all(wide.map(withoutUnits))),
      ...candidates(BINARY_BY_SIDE, extents, gpu()).filter(onUnits),
    ];
    const results = await runAll(run, (b, kernel) => {
      const out = b.transient(kernel.name, [M, N], 'f32');
      b.dispatch(kernel, { a, w, out }, extents);
      return out;
    });
    expect(results.length).toBeGreaterThan(0);
    const expected = binaryMatMul(rows, columns, { m: M, n: N, k: K });
    for (const { name, values } of results) expectSame(values, expected, name);
  });

  test('walk windows as the twin does, where padding counts as nothing', async () => {
    using scratch = new Scratch(gpu());
    const geometry = resolveConv2d([2, 9, 8, 40], [12, 3, 2, 40], { padding: 'same', strides: [1, 2] }, '');
    const extents = binaryConv2dConstants(geometry, 'i32');
    const pixels = draw(2 * 9 * 8, 40, 3);
    const filters = draw(12 * 3 * 2, 40, 4);
    const a = scratch.tensor('a', geometry.inputShape, 'bits', pixels);
    const w = scratch.tensor('w', geometry.filterShape, 'bits', filters);
    const narrow = unitsOf(BINARY_FORWARD).filter(({ name }) => name.endsWith('_16x16x16'));
    const run = [
      ...(await Promise.all(narrow.map(withoutUnits))),
      ...candidates(BINARY_FORWARD, extents, gpu()).filter(onUnits),
    ];
    const results = await runAll(run, (b, kernel) => {
      const out = b.transient(kernel.name, geometry.outputShape, 'i32');
      const filters = transposedFilters(b, w, 12, 3 * 2 * wordsFor(40), 'u32');
      const operands = {
        a: paddedInput(b, a, conv2dConstants(geometry)),
        w: filters,
        edges: sumsOfEdges(b, filters, geometry),
        out,
      };
      b.dispatch(kernel, operands, extents);
      return out;
    });
    expect(results.length).toBeGreaterThan(0);
    const expected = binaryConv2d(pixels, filters, geometry);
    for (const { name, values } of results) expectSame(values, expected, name);
  });

  /** Gradients of all magnitudes, that grow along rows and columns; one is infinite. */
  const gradients = (m: number, n: number) =>
    Float32Array.from({ length: m * n }, (_, i) => {
      if (i === 5 * n) return Number.POSITIVE_INFINITY;
      const [row, column] = [Math.floor(i / n), i % n];
      return (uniform01(1, 5, i) - 0.5) * 2 ** (((row * 7) % 20) - 30 + (column % 16));
    });

  test('sum gradients as accurately as floats do, band by band, whatever their scale', async () => {
    using scratch = new Scratch(gpu());
    const [M, N, K] = [68, 70, 132];
    const shape = { m: M, n: N, k: K };
    const reals = gradients(M, N);
    const rows = draw(M, K, 6);
    const g = scratch.tensor('g', [M, N], 'f32', reals);
    const a = scratch.tensor('a', [M, K], 'bits', rows);
    const large = unitsOf(SIGN_GRAD_WEIGHTS).filter(({ name }) => name.endsWith('_16x16x16'));
    const run = [
      ...(await Promise.all(large.map(withoutUnits))),
      ...candidates(SIGN_GRAD_WEIGHTS, { M, N, K }, gpu()).filter(onUnits),
    ];
    const results = await runAll(run, (b, kernel) => {
      const out = b.transient(kernel.name, [N, K], 'f32');
      b.dispatch(kernel, { g, a, out }, { M, N, K });
      return out;
    });
    expect(results.length).toBeGreaterThan(0);
    const expected = binaryMatMulGradWeights(reals, rows, shape);
    for (const { name, values } of results) {
      expect(values.subarray(0, K).some(Number.isFinite), name).toBe(false);
      for (let row = 1; row < N; row++) {
        const [from, to] = [row * K, row * K + K];
        expectClose(values.subarray(from, to), expected.slice(from, to), 1e-5, `${name}, row ${row}`);
      }
    }
  });

  test('sum gradients of filters slice by slice, where padding counts as nothing', async () => {
    using scratch = new Scratch(gpu());
    // Pixels not in fours, parts of words, a last slice that is less than full and one without anything.
    const shape = { padding: 'same', strides: [2, 1] } as const;
    const geometry = resolveConv2d([3, 9, 5, 40], [12, 3, 2, 40], shape, '');
    const pixels = sizeOf(geometry.outputShape) / 12;
    expect(pixels).toBe(75);
    const extents = { ...conv2dConstants(geometry), CHUNKS: 4 };
    const reals = gradients(pixels, 12).map((x) => (Number.isFinite(x) ? x : 1));
    const rows = draw(3 * 9 * 5, 40, 7);
    const g = scratch.tensor('g', geometry.outputShape, 'f32', reals);
    const a = scratch.tensor('a', geometry.inputShape, 'bits', rows);
    const large = unitsOf(BINARY_GRAD_WEIGHTS).filter(({ name }) => name.endsWith('_16x16x16'));
    const run = [
      ...(await Promise.all(large.map(withoutUnits))),
      ...candidates(BINARY_GRAD_WEIGHTS, extents, gpu()).filter(onUnits),
    ];
    const results = await runAll(run, (b, kernel) => {
      const slices = b.transient(kernel.name, [4, ...geometry.filterShape], 'f32');
      b.dispatch(kernel, { g, a, out: slices }, extents);
      return slices;
    });
    expect(results.length).toBeGreaterThan(0);
    const expected = conv2dGradWeights(reals, inputSigns(rows, geometry), geometry);
    const [size, filter] = [expected.length, expected.length / 12];
    for (const { name, values } of results) {
      const slices = [0, 1, 2, 3].map((i) => values.subarray(i * size, (i + 1) * size));
      expect(
        slices.map((slice) => slice.some((sum) => sum !== 0)),
        name,
      ).toEqual([true, true, true, false]);
      const sums = Float32Array.from(expected, (_, i) =>
        slices.reduce((sum, slice) => sum + (slice[i] ?? 0), 0),
      );
      for (let o = 0; o < 12; o++) {
        const [from, to] = [o * filter, (o + 1) * filter];
        expectClose(sums.subarray(from, to), expected.slice(from, to), 1e-5, `${name}, filter ${o}`);
      }
    }
  });
});
