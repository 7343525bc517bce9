import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { type Gpu, ProgramBuilder, runOnce, type Shape, sizeOf, Tensor, wordsFor } from '../src/gpu/index.ts';
import {
  BINARY,
  BINARY_BY_SIDE,
  type Extents,
  REAL,
  REAL_NT,
  REAL_TN,
  real,
  SIGN,
  SIGN_GRAD_INPUT,
  SIGN_GRAD_WEIGHTS,
} from '../src/kernels/gemm.ts';
import type { Family, Sized } from '../src/kernels/variants.ts';
import { packSigns } from '../src/numerics/pack.ts';
import {
  binaryMatMul,
  binaryMatMulGradInput,
  binaryMatMulGradWeights,
  matMul,
  signMatMul,
  signMatMulGradWeights,
} from '../src/ops/dense.ts';
import * as reference from '../src/reference/matmul.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';
import { ShapesAtRunTime } from './helpers/shapes-at-run-time.ts';
import { Crossing, EVERY_VARIANT } from './helpers/variants.ts';

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

const nameOf = ({ m, n, k }: Case) => `M${m}_N${n}_K${k}`;

/** Uniform in [−1, 1), from a counter (the finaliser of MurmurHash3). */
function noise(count: number, seed: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => {
    let h = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) / 2 ** 31;
  });
}

interface Check {
  readonly name: string;
  readonly out: Tensor;
  readonly expected: ArrayLike<number>;
  readonly exact: boolean;
  /** Where it counts in a crossing. */
  readonly kernel?: string | undefined;
}

/** Makes operands of a case, each from a seed of its own. */
class Operands {
  readonly #scratch: Scratch;
  #seed: number;
  constructor(scratch: Scratch, seed: number) {
    this.#scratch = scratch;
    this.#seed = seed;
  }
  reals(shape: readonly [number, number]) {
    this.#seed += 1;
    const values = noise(sizeOf(shape), this.#seed);
    return { values, tensor: this.#scratch.tensor(`reals ${this.#seed}`, shape, 'f32', values) };
  }
  words(shape: readonly [number, number], words: Uint32Array<ArrayBuffer>) {
    return this.#scratch.tensor(`words of ${this.#seed}`, shape, 'u32', words);
  }
  signs(shape: readonly [number, number]) {
    this.#seed += 1;
    const words = packSigns(noise(sizeOf(shape), this.#seed), shape[0], shape[1]);
    return { words, tensor: this.#scratch.tensor(`signs ${this.#seed}`, shape, 'bits', words) };
  }
}

type Record = (b: ProgramBuilder, operands: Operands, shape: Case) => Check[];

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
    using shared = shapes === 'at run time' ? new ShapesAtRunTime(gpu, 'matmul') : undefined;
    const b = shared ?? new ProgramBuilder(gpu, 'matmul');
    const checks = cases.slice(start, start + 64).flatMap((shape, i) =>
      record(b, new Operands(scratch, 10 * (start + i)), shape).map((check) => {
        b.keep(check.out);
        return { ...check, name: `${check.name} ${nameOf(shape)}` };
      }),
    );
    using program = await b.compile();
    await gpu.scoped('matmul', () => program.run());
    for (const { name, out, expected, exact, kernel } of checks) {
      const actual = await gpu.read(out);
      if (exact) expectSame(actual, expected, name);
      else expectClose(actual, expected, 1e-4, name);
      if (kernel !== undefined) crossing?.compared(kernel);
    }
  }
}

/** The words of [N, K] with those of its rows side by side: [ceil(K / 32), N]. */
function bySide(words: Uint32Array, { n, k }: Case): Uint32Array<ArrayBuffer> {
  const depth = wordsFor(k);
  return Uint32Array.from(
    { length: words.length },
    (_, i) => words[(i % n) * depth + Math.floor(i / n)] ?? 0,
  );
}

/** The operation, and the kernels of its families. */
const variantChecks =
  (crossing: Crossing): Record =>
  (b, operands, shape) => {
    const { m, n, k } = shape;
    const a = operands.signs([m, k]);
    const w = operands.signs([n, k]);
    const beside = operands.words([wordsFor(k), n], bySide(w.words, shape));
    const expected = reference.binaryMatMul(a.words, w.words, shape);
    const dtype = (m + k) % 2 === 0 ? 'f32' : 'i32';
    const constants = { M: m, N: n, K: k, INTEGER: dtype === 'i32' ? 1 : 0 };
    const by = [
      ...crossing.pick(BINARY, constants, b.gpu).map((kernel) => ({
        kernel,
        weights: w.tensor,
      })),
      ...crossing.pick(BINARY_BY_SIDE, constants, b.gpu).map((kernel) => ({
        kernel,
        weights: beside,
      })),
    ];
    const check = (name: string, out: Tensor) => ({
      name: `${dtype} by ${name}`,
      out,
      expected,
      exact: true,
    });
    const kernels = by.map(({ kernel, weights }) => {
      const out = b.transient(kernel.name, [m, n], dtype);
      b.dispatch(kernel, { a: a.tensor, w: weights, out }, constants);
      return { ...check(kernel.name, out), kernel: kernel.name };
    });
    return [check('binaryMatMul', binaryMatMul(b, a.tensor, w.tensor, { dtype })), ...kernels];
  };

/** Every operation, and the kernels of its family. */
const realChecks =
  (crossing: Crossing): Record =>
  (b, operands, shape) => {
    const { m, n, k } = shape;
    const constants = { M: m, N: n, K: k };
    const x = operands.reals([m, k]);
    const a = operands.signs([m, k]);
    const w = operands.signs([n, k]);
    const g = operands.reals([m, n]);
    const open = operands.signs([m, k]);
    const checks: Check[] = [];
    const check = (
      name: string,
      expected: ArrayLike<number>,
      ops: readonly Tensor[],
      kernels: readonly Tensor[] = [],
    ) => {
      for (const out of [...ops, ...kernels]) {
        const kernel = kernels.includes(out) ? out.label : undefined;
        checks.push({ name: `${name} by ${out.label}`, out, expected, exact: false, kernel });
      }
    };
    const each = <Kernel extends Sized<E> & { readonly name: string }, E extends Extents>(
      family: Family<Kernel, E>,
      values: E,
      extents: readonly [number, number],
      record: (kernel: Kernel, out: Tensor) => void,
    ): Tensor[] =>
      crossing.pick(family, values, b.gpu).map((kernel) => {
        const out = b.transient(kernel.name, extents, 'f32');
        record(kernel, out);
        return out;
      });

    check(
      'signMatMul',
      reference.signMatMul(x.values, w.words, shape),
      [signMatMul(b, x.tensor, w.tensor)],
      each(SIGN, constants, [m, n], (kernel, out) =>
        b.dispatch(kernel, { x: x.tensor, w: w.tensor, out }, constants),
      ),
    );
    for (const gate of [undefined, open]) {
      const name = `${gate === undefined ? '' : 'gated '}binaryMatMulGradInput`;
      const gated = { ...constants, GATED: gate === undefined ? 0 : 1 };
      check(
        name,
        reference.signMatMulGradInput(g.values, w.words, shape, gate?.words),
        [binaryMatMulGradInput(b, g.tensor, w.tensor, { gate: gate?.tensor })],
        each(SIGN_GRAD_INPUT, gated, [m, k], (kernel, out) =>
          b.dispatch(kernel, { g: g.tensor, w: w.tensor, gate: (gate ?? w).tensor, out }, gated),
        ),
      );
    }
    check(
      'binaryMatMulGradWeights',
      reference.binaryMatMulGradWeights(g.values, a.words, shape),
      [binaryMatMulGradWeights(b, g.tensor, a.tensor)],
      each(SIGN_GRAD_WEIGHTS, constants, [n, k], (kernel, out) =>
        b.dispatch(kernel, { g: g.tensor, a: a.tensor, out }, constants),
      ),
    );
    check(
      'signMatMulGradWeights',
      reference.matMul(g.values, x.values, { m: n, n: k, k: m }, { transposeA: true }),
      [signMatMulGradWeights(b, g.tensor, x.tensor)],
    );
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const left = operands.reals(transposeA ? [k, m] : [m, k]);
        const right = operands.reals(transposeB ? [n, k] : [k, n]);
        const options = { transposeA, transposeB };
        const general = b.transient(real.name, [m, n], 'f32');
        const transposes = { TRANSPOSE_A: transposeA ? 1 : 0, TRANSPOSE_B: transposeB ? 1 : 0 };
        b.dispatch(real, { a: left.tensor, c: right.tensor, out: general }, { ...constants, ...transposes });
        const family = [
          [REAL, REAL_NT],
          [REAL_TN, undefined],
        ][transposeA ? 1 : 0]?.[transposeB ? 1 : 0];
        check(
          `matMul ${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`,
          reference.matMul(left.values, right.values, shape, options),
          [matMul(b, left.tensor, right.tensor, options), general],
          family &&
            each(family, constants, [m, n], (kernel, out) =>
              b.dispatch(kernel, { a: left.tensor, c: right.tensor, out }, constants),
            ),
        );
      }
    }
    return checks;
  };

/** A number near a multiple of `step`, from 1 to `most`. */
function around(step: number, most: number): fc.Arbitrary<number> {
  return fc
    .tuple(fc.integer({ min: 0, max: Math.floor(most / step) }), fc.constantFrom(-1, 0, 0, 1))
    .map(([times, off]) => Math.max(1, Math.min(most, times * step + off)));
}

const rows = fc.oneof(fc.integer({ min: 1, max: 64 }), around(4, 64));
const outputs = fc.oneof(fc.integer({ min: 1, max: 72 }), around(4, 72), around(16, 72));

/** Extents of all kinds; the longer K, the smaller M and N, so that the twin stays fast. */
function shapes(count: number, seed: number, inputs: fc.Arbitrary<number>): Case[] {
  const cases = fc.record({ m: rows, n: outputs, k: inputs }).map(({ m, n, k }) => {
    const most = Math.max(1, Math.floor(300_000 / k));
    const fewer = Math.min(m, most);
    return { m: fewer, n: Math.min(n, Math.max(1, Math.floor(most / fewer))), k };
  });
  return fc.sample(cases, { seed, numRuns: count });
}

describe('product of packed signs', () => {
  const gpu = useGpu();

  const inputs = fc.oneof(around(32, 512), around(128, 1024), fc.integer({ min: 1, max: 20_000 }));
  describe('every kernel on every case, its shapes at run time', () => {
    const crossing = new Crossing(true);
    for (const seed of [1, 2, 3, 4]) {
      test(`200 random shapes, K up to 20,000, seed ${seed}`, async () => {
        const cases = shapes(200, seed, inputs);
        await runCases(gpu(), cases, variantChecks(crossing), { crossing, shapes: 'at run time' });
      });
    }

    test('all of it', () => {
      crossing.assertWhole('binary products, shapes at run time', {
        binaryMatMul: 800,
        binaryMatMulBySide: 188,
      });
    });
  });

  test('200 random shapes, K up to 20,000, kernels compiled for each shape', async () => {
    const crossing = new Crossing();
    const cases = shapes(200, 1, inputs);
    await runCases(gpu(), cases, variantChecks(crossing), { crossing, shapes: 'compiled' });
    crossing.assertWhole('binary products', { binaryMatMul: 200, binaryMatMulBySide: 36 });
  });

  test('sums beyond 16 bits: K 70,000 of one sign', async () => {
    const words = packSigns(new Float32Array(4 * 70_000).fill(-1), 4, 70_000);
    using scratch = new Scratch(gpu());
    const a = scratch.tensor('a', [4, 70_000], 'bits', words);
    const w = scratch.tensor('w', [4, 70_000], 'bits');
    using run = await runOnce(gpu(), 'long', (b) => [
      b.keep(binaryMatMul(b, a, a)),
      b.keep(binaryMatMul(b, a, w, { dtype: 'i32' })),
    ]);
    for (const [i, out] of run.result.entries()) {
      expectSame(await gpu().read(out), new Array(16).fill(i === 0 ? 70_000 : -70_000));
    }
  });
});

describe('products with reals, and gradients', () => {
  const gpu = useGpu();

  const EDGES: readonly Case[] = [
    { m: 1, n: 1, k: 1 },
    { m: 4, n: 4, k: 4 },
    { m: 100, n: 10, k: 512 },
    { m: 99, n: 64, k: 784 },
  ];

  const RANDOM = shapes(
    60,
    2,
    fc.oneof(around(4, 150), around(4, 150), around(32, 150), fc.integer({ min: 1, max: 300 })),
  );

  test.each([
    ['every kernel on every case, its shapes at run time', 'at run time', [...EDGES, ...RANDOM]],
    [
      'kernels compiled for each shape',
      'compiled',
      EVERY_VARIANT ? [...EDGES, ...RANDOM] : [...EDGES, ...RANDOM.slice(0, 20)],
    ],
  ] as const)('%s', async (name, shapes, cases) => {
    const crossing = new Crossing(EVERY_VARIANT || shapes === 'at run time');
    await runCases(gpu(), cases, realChecks(crossing), { crossing, shapes });
    crossing.assertWhole(`products with reals, and gradients: ${name}`, {
      signMatMul: cases.length,
      matMul: cases.filter(({ m, n, k }) => m >= 4 && n % 4 === 0 && k % 4 === 0).length,
      'matMul by transposed': cases.filter(({ m, n, k }) => m >= 4 && n % 4 === 0 && k % 4 === 0).length,
      'matMul of transposed': cases.filter(({ m, n }) => m % 4 === 0 && n % 4 === 0).length,
      binaryMatMulGradInput: 2 * cases.length,
      binaryMatMulGradWeights: cases.length,
    });
  });

  test('the gradients are those of the forward pass', () => {
    const shape = { m: 3, n: 4, k: 37 };
    const x = Float64Array.from(noise(3 * 37, 1));
    const w = Float64Array.from(noise(4 * 37, 2), (value) => (value < 0 ? -1 : 1));
    const g = noise(3 * 4, 3);
    const loss = () =>
      reference.matMul(x, w, shape, { transposeB: true }).reduce((sum, out, i) => sum + out * (g[i] ?? 0), 0);
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
    const words = packSigns(w, 4, 37);
    expectClose(reference.signMatMulGradInput(g, words, shape), differences(x), 1e-9, 'input');
    const signs = Float64Array.from(x, (value) => (value < 0 ? -1 : 1));
    x.set(signs);
    expectClose(
      reference.binaryMatMulGradWeights(g, packSigns(signs, 3, 37), shape),
      differences(w),
      1e-9,
      'weights',
    );
  });

  test('the variants of a product or gradient agree to the bit, but for those on matrix units, so that a choice changes none', async () => {
    const alike = ({ kernel }: { readonly kernel: { readonly name: string } }) =>
      !kernel.name.includes('_matrix_');
    for (const [M, N, K] of [
      [4, 4, 4],
      [36, 40, 132],
      [32, 20, 256],
      [8, 100, 36],
    ] as const) {
      using scratch = new Scratch(gpu());
      const operands = new Operands(scratch, M);
      const g = operands.reals([M, N]).tensor;
      const w = operands.signs([N, K]).tensor;
      const a = operands.signs([M, K]).tensor;
      const x = operands.reals([M, K]).tensor;
      const c = operands.reals([K, N]).tensor;
      const extents = { M, N, K };
      const gated = { ...extents, GATED: 1 };
      using run = await runOnce(gpu(), 'variants', (b) => {
        const inputs = SIGN_GRAD_INPUT.variants.filter(alike).map(({ kernel }) => {
          const out = b.keep(b.transient(kernel.name, [M, K], 'f32'));
          b.dispatch(kernel, { g, w, gate: a, out }, gated);
          return out;
        });
        const weights = SIGN_GRAD_WEIGHTS.variants.filter(alike).map(({ kernel }) => {
          const out = b.keep(b.transient(kernel.name, [N, K], 'f32'));
          b.dispatch(kernel, { g, a, out }, extents);
          return out;
        });
        const products = SIGN.variants.map(({ kernel }) => {
          const out = b.keep(b.transient(kernel.name, [M, N], 'f32'));
          b.dispatch(kernel, { x, w, out }, extents);
          return out;
        });
        // Whichever way the operands are stored, they have as many values.
        const real = [REAL, REAL_NT, REAL_TN].map(({ variants }) =>
          variants.map(({ kernel }) => {
            const out = b.keep(b.transient(kernel.name, [M, N], 'f32'));
            b.dispatch(kernel, { a: x, c, out }, extents);
            return out;
          }),
        );
        return [inputs, weights, products, ...real];
      });
      for (const outs of run.result) {
        const [first, ...others] = await Promise.all(outs.map((out) => gpu().readBytes(out)));
        expect(others.length).toBeGreaterThan(0);
        for (const other of others)
          expectSame(new Uint32Array(other), new Uint32Array(first ?? []), `${M} ${N} ${K}`);
      }
    }
  });

  test('the same product twice is the same to the bit', async () => {
    using scratch = new Scratch(gpu());
    const operands = new Operands(scratch, 1);
    const x = operands.reals([50, 100]);
    const w = operands.signs([64, 100]);
    using run = await runOnce(gpu(), 'twice', (b) =>
      [0, 1].map(() => b.keep(signMatMul(b, x.tensor, w.tensor))),
    );
    const [first, second] = await Promise.all(run.result.map((out) => gpu().readFloats(out)));
    expectSame(first ?? [], second ?? [1]);
  });
});

describe('what a product refuses', () => {
  const gpu = useGpu();

  test('operands that do not fit', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const bits = scratch.tensor('bits', [4, 33], 'bits');
    const other = scratch.tensor('other', [4, 34], 'bits');
    const reals = scratch.tensor('reals', [4, 33], 'f32');
    const image = scratch.tensor('image', [2, 2, 33], 'bits');
    expect(() => binaryMatMul(b, bits, other)).toThrow(ShapeError);
    expect(() => binaryMatMul(b, bits, reals)).toThrow(ShapeError);
    expect(() => binaryMatMul(b, image, bits)).toThrow(ShapeError);
    expect(() => signMatMul(b, bits, bits)).toThrow(ShapeError);
    expect(() => matMul(b, reals, reals)).toThrow(ShapeError);
    expect(() => binaryMatMulGradInput(b, reals, bits)).toThrow(ShapeError);
    expect(() => binaryMatMul(b, bits, bits, { out: reals })).toThrow(ShapeError);
    expect(() => binaryMatMul(b, bits, bits, { dtype: 'u32' as 'i32' })).toThrow(OptionError);
  });

  test('products with more tiles along an axis than a device has workgroups take the kernel that fits', () => {
    // Shapes alone: nothing is allocated. 65,536 tiles of 32 rows.
    const rows = 65_536 * 32;
    const record = (what: (b: ProgramBuilder) => void) => {
      const b = new ProgramBuilder(gpu(), 'long');
      what(b);
      expect(b.dispatches).toBeGreaterThan(0);
    };
    const reals = (shape: Shape) => new Tensor('x', shape, 'f32');
    const bits = (shape: Shape) => new Tensor('w', shape, 'bits');
    record((b) => binaryMatMul(b, bits([rows, 4]), bits([4, 4])));
    record((b) => signMatMul(b, reals([rows, 4]), bits([4, 4])));
    record((b) => binaryMatMulGradInput(b, reals([rows, 4]), bits([4, 4])));
    record((b) => matMul(b, reals([2 * rows, 4]), reals([4, 4])));
  });
});
