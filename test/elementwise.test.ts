import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { normal } from '../src/numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import {
  add,
  addBias,
  addInto,
  biasGrad,
  concat,
  concatGrad,
  dropout,
  dropoutGrad,
  fill,
} from '../src/ops/elementwise.ts';
import * as reference from '../src/reference/elementwise.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const draw = (count: number, stream: number) =>
  Float32Array.from({ length: count }, (_, i) => normal(12, stream, i));

const between = (min: number, max: number) => fc.integer({ min, max });
const shapes: number[][] = [
  [1],
  [5],
  [3, 4],
  [100, 512],
  [7, 9, 9, 3],
  [51200, 4],
  ...fc.sample(
    fc.oneof(
      fc.tuple(between(1, 400), between(1, 50)),
      fc.tuple(between(1, 4), between(1, 9), between(1, 9), between(1, 20)),
    ),
    { seed: 1, numRuns: 50 },
  ),
];

describe('elementwise operations', () => {
  const gpu = useGpu();

  test(`sums, bias, bias gradient and fills on ${shapes.length} shapes`, async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'elementwise');
    const checks: { name: string; got: Tensor; expected: ArrayLike<number>; exact: boolean }[] = [];
    shapes.forEach((shape, s) => {
      const size = sizeOf(shape);
      const channels = shape.at(-1) ?? 1;
      const [xs, ys, biases] = [draw(size, 3 * s), draw(size, 3 * s + 1), draw(channels, 3 * s + 2)];
      const tensor = (data: Float32Array<ArrayBuffer>, label: string) =>
        scratch.tensor(label, shape, 'f32', data);
      const [x, y] = [tensor(xs, 'x'), tensor(ys, 'y')];
      const bias = scratch.tensor('bias', [channels], 'f32', biases);
      const target = tensor(xs, 'target');
      const filled = tensor(xs, 'filled');
      addInto(b, target, y);
      fill(b, filled, -2.5);
      const sums = xs.map((value, i) => value + (ys[i] ?? 0));
      const name = `[${shape}]`;
      checks.push(
        { name: `${name} add`, got: b.keep(add(b, x, y)), expected: sums, exact: true },
        { name: `${name} addInto`, got: target, expected: sums, exact: true },
        { name: `${name} fill`, got: filled, expected: xs.map(() => -2.5), exact: true },
        {
          name: `${name} addBias`,
          got: b.keep(addBias(b, x, bias)),
          expected: reference.addBias(xs, biases).map(Math.fround),
          exact: true,
        },
        {
          name: `${name} biasGrad`,
          got: b.keep(biasGrad(b, x)),
          expected: reference.columnSums(xs, channels),
          exact: false,
        },
      );
    });
    using program = await b.compile();
    program.run();
    for (const { name, got, expected, exact } of checks) {
      const values = await gpu().readFloats(got);
      if (exact) expectSame(values, expected, name);
      else expectClose(values, expected, 1e-4, name);
    }
  });

  const joins: { rows: number[]; widths: number[] }[] = [
    { rows: [3], widths: [4] },
    { rows: [3], widths: [4, 8] },
    { rows: [5], widths: [4, 3, 8] },
    { rows: [2, 3, 3], widths: [64, 64, 4] },
    ...fc.sample(
      fc.record({
        rows: fc.array(between(1, 6), { minLength: 1, maxLength: 3 }),
        widths: fc.array(between(1, 12), { minLength: 1, maxLength: 4 }),
      }),
      { seed: 2, numRuns: 30 },
    ),
  ];

  test(`concatenation and its gradient on ${joins.length} shapes`, async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'concat');
    const checks: { name: string; got: Tensor; expected: ArrayLike<number> }[] = [];
    joins.forEach(({ rows, widths }, s) => {
      const parts = widths.map((width, i) => draw(sizeOf(rows) * width, 10 * s + i));
      const tensors = parts.map((part, i) =>
        scratch.tensor(`part ${i}`, [...rows, widths[i] ?? 1], 'f32', part),
      );
      const joined = b.keep(concat(b, tensors));
      expect(joined.shape).toEqual([...rows, widths.reduce((sum, width) => sum + width, 0)]);
      const name = `[${rows}] ${widths.join('+')}`;
      checks.push({ name, got: joined, expected: reference.concat(parts, sizeOf(rows)) });
      // The gradient takes apart what was put together.
      concatGrad(b, joined, widths).forEach((got, i) => {
        checks.push({ name: `${name} part ${i}`, got: b.keep(got), expected: parts[i] ?? [] });
      });
    });
    using program = await b.compile();
    program.run();
    for (const { name, got, expected } of checks) expectSame(await gpu().readFloats(got), expected, name);
  });

  for (const shape of [[1], [3], [4], [50, 7], [3, 5, 5, 8], [70_001]]) {
    for (const rate of [0, 0.2, 0.5, 0.999]) {
      test(`dropout_${shape.join('x')}_rate${rate}: mask of the reference, the same for the gradient`, async () => {
        using scratch = new Scratch(gpu());
        const size = sizeOf(shape);
        const xs = draw(size, 1);
        const key = { seed: 5, stream: 3, step: 17 };
        const x = scratch.tensor('x', shape, 'f32', xs);
        const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState(key));
        const b = new ProgramBuilder(gpu(), 'dropout');
        const y = b.keep(dropout(b, { x, rate, state, stream: key.stream, training: true }));
        const g = b.keep(dropoutGrad(b, { gradOutput: x, rate, state, stream: key.stream }));
        expect(dropout(b, { x, rate, state, stream: key.stream, training: false })).toBe(x);
        using program = await b.compile();
        program.run();
        const factors = reference.dropoutFactors(size, rate, key);
        const expected = xs.map((value, i) => value * (factors[i] ?? 0));
        const got = await gpu().readFloats(y);
        expectClose(got, expected, 1e-6, 'values');
        expect(got.every((value, i) => (value === 0) === (factors[i] === 0))).toBe(true);
        expectSame(await gpu().readFloats(g), got, 'gradient');
      });
    }
  }

  test('dropout drops its share, another one at every step and in every stream', () => {
    const count = 100_000;
    const dropped = (stream: number, step: number) =>
      reference.dropoutFactors(count, 0.3, { seed: 1, stream, step }).map((factor) => (factor === 0 ? 1 : 0));
    const share = (mask: ArrayLike<number>) => Array.from(mask).reduce((sum, bit) => sum + bit, 0) / count;
    const first = dropped(0, 0);
    expect(Math.abs(share(first) - 0.3)).toBeLessThan(0.006);
    for (const other of [dropped(0, 1), dropped(1, 0)]) {
      expect(Math.abs(share(first.map((bit, i) => bit * (other[i] ?? 0))) - 0.09)).toBeLessThan(0.005);
    }
  });

  test('wrong shapes and options are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const x = scratch.tensor('x', [2, 3], 'f32');
    const y = scratch.tensor('y', [3, 2], 'f32');
    const words = scratch.tensor('words', [2, 3], 'u32');
    const state = scratch.tensor('state', [STATE_WORDS], 'u32');
    expect(() => add(b, x, y)).toThrow(ShapeError);
    expect(() => add(b, x, words)).toThrow(ShapeError);
    expect(() => addInto(b, x, x)).toThrow(OptionError);
    expect(() => addInto(b, x, y)).toThrow(ShapeError);
    expect(() => addBias(b, x, y)).toThrow(ShapeError);
    expect(() => concat(b, [])).toThrow(OptionError);
    expect(() => concat(b, [x, y])).toThrow(ShapeError);
    expect(() => concatGrad(b, x, [1, 1])).toThrow(ShapeError);
    expect(() => fill(b, x, Number.POSITIVE_INFINITY)).toThrow(OptionError);
    expect(() => fill(b, words, 1)).toThrow(ShapeError);
    const good = { x, rate: 0.5, state, stream: 0, training: true };
    expect(() => dropout(b, { ...good, rate: 1 })).toThrow(OptionError);
    expect(() => dropout(b, { ...good, rate: -0.1 })).toThrow(OptionError);
    expect(() => dropout(b, { ...good, stream: -1 })).toThrow(OptionError);
    expect(() => dropout(b, { ...good, state: x })).toThrow(ShapeError);
  });

  test('a bias gradient has the same bits every time', async () => {
    using scratch = new Scratch(gpu());
    const g = scratch.tensor('g', [5000, 10], 'f32', draw(50_000, 2));
    const results: Float32Array[] = [];
    for (let i = 0; i < 2; i++) {
      using run = await runOnce(gpu(), 'sums', (b) => b.keep(biasGrad(b, g)));
      results.push(await gpu().readFloats(run.result));
    }
    expectSame(results[0] ?? [], results[1] ?? []);
  });
});
