import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { type Gpu, ProgramBuilder, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { BINARY, type Family, real, SIGN, SIGN_GRAD_INPUT, SIGN_GRAD_WEIGHTS } from '../src/kernels/gemm.ts';
import {
  binaryMatMul,
  binaryMatMulGradInput,
  binaryMatMulGradWeights,
  matMul,
  signMatMul,
  signMatMulGradWeights,
} from '../src/ops/dense.ts';
import * as reference from '../src/reference/matmul.ts';
import { packSigns } from '../src/reference/pack.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

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
  signs(shape: readonly [number, number]) {
    this.#seed += 1;
    const words = packSigns(noise(sizeOf(shape), this.#seed), shape[0], shape[1]);
    return { words, tensor: this.#scratch.tensor(`signs ${this.#seed}`, shape, 'bits', words) };
  }
}

type Record = (b: ProgramBuilder, operands: Operands, shape: Case) => Check[];

/** Records the checks of many cases into one program, runs it once and compares everything. */
async function runCases(gpu: Gpu, cases: readonly Case[], record: Record): Promise<void> {
  for (let start = 0; start < cases.length; start += 64) {
    using scratch = new Scratch(gpu);
    const b = new ProgramBuilder(gpu, 'matmul');
    const checks = cases.slice(start, start + 64).flatMap((shape, i) =>
      record(b, new Operands(scratch, 10 * (start + i)), shape).map((check) => {
        b.keep(check.out);
        return { ...check, name: `${check.name} ${nameOf(shape)}` };
      }),
    );
    using program = await b.compile();
    await gpu.scoped('matmul', () => program.run());
    for (const { name, out, expected, exact } of checks) {
      const actual = await gpu.read(out);
      if (exact) expectSame(actual, expected, name);
      else expectClose(actual, expected, 1e-4, name);
    }
  }
}

/** The kernels of a family that take this shape, the general one among them. */
function kernelsFor<Kernel>(family: Family<Kernel>, { m, n, k }: Case): Kernel[] {
  const extents = { M: m, N: n, K: k };
  const fast = family.variants.filter((variant) => variant.canApply(extents));
  return [...fast.map(({ kernel }) => kernel), family.general];
}

/** The operation for one element type, and every kernel of the family for the other. */
const binaryChecks: Record = (b, operands, shape) => {
  const { m, n, k } = shape;
  const a = operands.signs([m, k]);
  const w = operands.signs([n, k]);
  const expected = reference.binaryMatMul(a.words, w.words, shape);
  const [dtype, other] = (m + k) % 2 === 0 ? (['f32', 'i32'] as const) : (['i32', 'f32'] as const);
  return [
    {
      name: `binaryMatMul ${dtype}`,
      out: binaryMatMul(b, a.tensor, w.tensor, { dtype }),
      expected,
      exact: true,
    },
    ...kernelsFor(BINARY, shape).map((kernel) => {
      const out = b.transient(kernel.name, [m, n], other);
      const constants = { M: m, N: n, K: k, INTEGER: other === 'i32' ? 1 : 0 };
      b.dispatch(kernel, { a: a.tensor, w: w.tensor, out }, constants);
      return { name: `${kernel.name} ${other}`, out, expected, exact: true };
    }),
  ];
};

/** Every operation, and every kernel of its family. */
const realChecks: Record = (b, operands, shape) => {
  const { m, n, k } = shape;
  const constants = { M: m, N: n, K: k };
  const x = operands.reals([m, k]);
  const a = operands.signs([m, k]);
  const w = operands.signs([n, k]);
  const g = operands.reals([m, n]);
  const open = operands.signs([m, k]);
  const checks: Check[] = [];
  const check = (name: string, expected: ArrayLike<number>, outs: readonly Tensor[]) => {
    for (const out of outs) checks.push({ name: `${name} by ${out.label}`, out, expected, exact: false });
  };
  const each = <Kernel extends { readonly name: string }>(
    family: Family<Kernel>,
    extents: readonly [number, number],
    record: (kernel: Kernel, out: Tensor) => void,
  ): Tensor[] =>
    kernelsFor(family, shape).map((kernel) => {
      const out = b.transient(kernel.name, extents, 'f32');
      record(kernel, out);
      return out;
    });

  check('signMatMul', reference.signMatMul(x.values, w.words, shape), [
    signMatMul(b, x.tensor, w.tensor),
    ...each(SIGN, [m, n], (kernel, out) => b.dispatch(kernel, { x: x.tensor, w: w.tensor, out }, constants)),
  ]);
  for (const gate of [undefined, open]) {
    const name = `${gate === undefined ? '' : 'gated '}binaryMatMulGradInput`;
    check(name, reference.signMatMulGradInput(g.values, w.words, shape, gate?.words), [
      binaryMatMulGradInput(b, g.tensor, w.tensor, { gate: gate?.tensor }),
      ...each(SIGN_GRAD_INPUT, [m, k], (kernel, out) =>
        b.dispatch(
          kernel,
          { g: g.tensor, w: w.tensor, gate: (gate ?? w).tensor, out },
          { ...constants, GATED: gate === undefined ? 0 : 1 },
        ),
      ),
    ]);
  }
  check('binaryMatMulGradWeights', reference.binaryMatMulGradWeights(g.values, a.words, shape), [
    binaryMatMulGradWeights(b, g.tensor, a.tensor),
    ...each(SIGN_GRAD_WEIGHTS, [n, k], (kernel, out) =>
      b.dispatch(kernel, { g: g.tensor, a: a.tensor, out }, constants),
    ),
  ]);
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
      check(
        `matMul ${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`,
        reference.matMul(left.values, right.values, shape, options),
        [matMul(b, left.tensor, right.tensor, options), general],
      );
    }
  }
  return checks;
};

/** Extents of all kinds, around multiples of words and tiles; the longer K, the smaller M and N. */
function shapes(count: number, seed: number, longest: number): Case[] {
  const around = (step: number, most: number) =>
    fc
      .tuple(fc.integer({ min: 0, max: Math.floor(most / step) }), fc.integer({ min: -1, max: 1 }))
      .map(([times, off]) => Math.max(1, Math.min(most, times * step + off)));
  const extent = (most: number) =>
    fc.oneof(fc.integer({ min: 1, max: most }), around(4, most), around(32, most));
  const k = fc.oneof(
    { weight: 4, arbitrary: around(32, Math.min(longest, 512)) },
    { weight: 4, arbitrary: around(128, Math.min(longest, 1024)) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: longest }) },
    { weight: 1, arbitrary: around(32, longest) },
  );
  const cases = fc.record({ m: extent(64), n: extent(72), k }).map(({ m, n, k }) => {
    const most = Math.max(1, Math.floor(400_000 / k));
    const rows = Math.min(m, most);
    return { m: rows, n: Math.min(n, Math.max(1, Math.floor(most / rows))), k };
  });
  return fc.sample(cases, { seed, numRuns: count });
}

describe('product of packed signs', () => {
  const gpu = useGpu();

  test('800 random shapes, K up to 20,000', async () => {
    await runCases(gpu(), shapes(800, 1, 20_000), binaryChecks);
  });
});

describe('products with reals, and gradients', () => {
  const gpu = useGpu();

  test('120 random shapes', async () => {
    await runCases(gpu(), shapes(120, 2, 600), realChecks);
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
});
