/** Dot-product proportionality: kernels against float64, and the closed forms that measured networks must show. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, type Shape, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { type Conv2dOptions, resolveConv2d } from '../src/ops/conv.ts';
import {
  addToPairHistogram,
  encodeGrid,
  momentsFrom,
  pairMoments,
  permuteElements,
  samplePatches,
} from '../src/ops/proportionality.ts';
import * as reference from '../src/reference/proportionality.ts';
import { normal } from '../src/reference/random.ts';
import * as spectrum from '../src/reference/spectrum.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

type Draw = (index: number) => number;
const gaussian =
  (stream: number): Draw =>
  (i) =>
    normal(7, stream, i);
const fill = (count: number, draw: Draw) => Float32Array.from({ length: count }, (_, i) => draw(i));

describe('kernels', () => {
  const gpu = useGpu();

  test('moments of pairs agree with the reference, whatever the shape, the means and the scales', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'pair moments');
    const draws: readonly (readonly [name: string, x: Draw, y: Draw])[] = [
      ['independent', gaussian(1), gaussian(2)],
      ['proportional', gaussian(3), (i) => 2 * normal(7, 3, i) + 0.1 * normal(7, 4, i)],
      // Integers of a wide layer: their squares sum up to more than 2^32.
      ['integer dots', (i) => Math.round(4000 * normal(7, 5, i)), (i) => Math.round(4000 * normal(7, 6, i))],
      // Raw sums of squares would lose the variance in f32.
      ['far from zero', (i) => 1000 + normal(7, 8, i), (i) => -3000 + normal(7, 8, i) + normal(7, 9, i)],
      ['constant', () => 1 / 3, gaussian(10)],
      ['zeros of both signs', (i) => (i % 2 ? 0 : -0), gaussian(11)],
    ];
    const shapes: readonly Shape[] = [
      [1, 1],
      [3, 5, 7, 2],
      [64, 3],
      [65, 1],
      [129, 70],
      [20_000, 3],
    ];
    const cases = draws.flatMap(([name, drawX, drawY]) =>
      shapes.map((shape) => {
        const [x, y] = [fill(sizeOf(shape), drawX), fill(sizeOf(shape), drawY)];
        const columns = shape.at(-1) ?? 1;
        const rows = sizeOf(shape) / columns;
        const tensors = [scratch.tensor('x', shape, 'f32', x), scratch.tensor('y', shape, 'f32', y)] as const;
        return { name, shape, rows, x, y, columns, out: b.keep(pairMoments(b, ...tensors)) };
      }),
    );
    using program = await b.compile();
    program.run();
    for (const { name, shape, rows, x, y, columns, out } of cases) {
      const measured = momentsFrom(await gpu().readFloats(out), rows);
      const expected = reference.pairMoments(x, y, rows, columns);
      const what = `${name} [${shape}]`;
      for (const [column, moments] of measured.entries()) {
        const wanted = expected[column] ?? reference.NO_PAIRS;
        const scale = Math.sqrt(wanted.squaresX * wanted.squaresY);
        const close = (key: keyof reference.PairMoments, size: number) => {
          const error = Math.abs(moments[key] - wanted[key]);
          if (!(error <= 1e-4 * size)) expect.fail(`${what}: ${key} ${moments[key]}, not ${wanted[key]}`);
        };
        close('meanX', Math.abs(wanted.meanX) + Math.sqrt(wanted.squaresX / rows) + 1e-30);
        close('meanY', Math.abs(wanted.meanY) + Math.sqrt(wanted.squaresY / rows) + 1e-30);
        // Beside its own size, what the rounding of values as large as the mean amounts to.
        close('squaresX', wanted.squaresX + rows * (1e-5 * wanted.meanX) ** 2 + 1e-30);
        close('squaresY', wanted.squaresY + rows * (1e-5 * wanted.meanY) ** 2 + 1e-30);
        const slip = (mean: number, squares: number) => 1e-5 * Math.abs(mean) * Math.sqrt(rows * squares);
        const slips = slip(wanted.meanX, wanted.squaresY) + slip(wanted.meanY, wanted.squaresX);
        close('products', scale + slips + rows * 1e-9 * Math.abs(wanted.meanX * wanted.meanY) + 1e-30);
        expect(moments.signChanges, what).toBe(wanted.signChanges);
        expect(moments.count).toBe(rows);
      }
    }
  });

  test('the same pairs give the same bits', async () => {
    using scratch = new Scratch(gpu());
    const shape = [3000, 17];
    const x = scratch.tensor('x', shape, 'f32', fill(sizeOf(shape), gaussian(1)));
    const y = scratch.tensor('y', shape, 'f32', fill(sizeOf(shape), gaussian(2)));
    const results: Float32Array[] = [];
    for (let run = 0; run < 2; run++) {
      const b = new ProgramBuilder(gpu(), 'pair moments');
      const out = b.keep(pairMoments(b, x, y));
      using program = await b.compile();
      program.run();
      results.push(await gpu().readFloats(out));
    }
    expectSame(results[1] ?? [], results[0] ?? []);
  });

  test('moments merged batch by batch are those of all pairs together', () => {
    const [rows, columns] = [300, 3];
    const [x, y] = [
      fill(rows * columns, (i) => 5 + normal(1, 1, i)),
      fill(rows * columns, (i) => normal(1, 2, i) - 40),
    ];
    const whole = reference.pairMoments(x, y, rows, columns);
    const cuts = [0, 1, 100, 100, 299, 300];
    let merged = whole.map(() => reference.NO_PAIRS);
    for (const [at, end] of cuts.slice(1).entries()) {
      const range = [(cuts[at] ?? 0) * columns, end * columns] as const;
      const parts = reference.pairMoments(
        x.subarray(...range),
        y.subarray(...range),
        (range[1] - range[0]) / columns,
        columns,
      );
      if (range[1] > range[0]) {
        merged = merged.map((moments, i) => reference.mergeMoments(moments, parts[i] ?? reference.NO_PAIRS));
      }
    }
    for (const [column, wanted] of whole.entries()) {
      const got = merged[column] ?? reference.NO_PAIRS;
      expectClose(Object.values(got), Object.values(wanted), 1e-10);
    }
  });

  test('what does not vary has no correlation', () => {
    const of = (x: Draw, y: Draw) => {
      const [moments = reference.NO_PAIRS] = reference.pairMoments(fill(50, x), fill(50, y), 50, 1);
      return reference.proportionality(moments);
    };
    expect(of(() => 3, gaussian(1)).r).toBeNaN();
    expect(of(gaussian(1), () => -2).slope).toBeNaN();
    expect(of(gaussian(1), (i) => 4 * normal(7, 1, i))).toEqual({
      r: expect.closeTo(1, 6),
      slope: expect.closeTo(0.25, 6),
      signChange: 0,
    });
    expect(of(gaussian(1), (i) => -normal(7, 1, i))).toMatchObject({
      r: expect.closeTo(-1, 6),
      signChange: 1,
    });
    expect(reference.proportionality(reference.NO_PAIRS).signChange).toBeNaN();
  });

  test('histograms of pairs count every pair in its cell, and add up over calls', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'pair histogram');
    const cases = [
      { size: 1, bins: 1 },
      { size: 5000, bins: 7 },
      { size: 40_000, bins: 48 },
    ].map(({ size, bins }) => {
      // Halves and quarters, so that f32 and float64 agree on every edge.
      const [x, y] = [
        fill(size, (i) => Math.round(8 * normal(3, 1, i)) / 4),
        fill(size, (i) => Math.round(8 * normal(3, 2, i)) / 2),
      ];
      const grid = { bins, x0: -2, y0: -4, cellX: 4 / bins, cellY: 8 / bins };
      const exact = { ...grid, cellX: Math.fround(grid.cellX), cellY: Math.fround(grid.cellY) };
      const counts = scratch.tensor('counts', [bins, bins], 'u32', new Uint32Array(bins * bins));
      const tensors = [scratch.tensor('x', [size], 'f32', x), scratch.tensor('y', [size], 'f32', y)] as const;
      addToPairHistogram(b, ...tensors, {
        grid: scratch.tensor('grid', [4], 'f32', encodeGrid(exact)),
        counts,
      });
      return { size, bins, x, y, grid: exact, counts };
    });
    using program = await b.compile();
    program.run(2);
    for (const { bins, x, y, grid, counts } of cases) {
      const scaled = { ...grid, x0: 0, y0: 0, cellX: 1, cellY: 1 };
      const [sx = 1, sy = 1] = encodeGrid(grid).subarray(2);
      const expected = reference.pairHistogram(
        Array.from(x, (value) => Math.fround((value - grid.x0) * sx)),
        Array.from(y, (value) => Math.fround((value - grid.y0) * sy)),
        scaled,
      );
      expectSame(
        await gpu().readWords(counts),
        expected.map((count) => 2 * count),
        `${bins} bins`,
      );
    }
  });

  test('permuted elements are the same elements in the order of the reference', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'permute');
    const cases = [
      [[1], 0],
      [[7, 3], 5],
      [[4, 9, 11, 3], 0xffffffff],
    ].map(([shape, seed]) => {
      const x = fill(sizeOf(shape as Shape), (i) => i);
      const out = b.keep(
        permuteElements(b, scratch.tensor('x', shape as Shape, 'f32', x), { seed: seed as number }),
      );
      return { x, seed: seed as number, out };
    });
    using program = await b.compile();
    program.run();
    for (const { x, seed, out } of cases) {
      const permuted = await gpu().readFloats(out);
      expectSame(permuted, reference.permuteElements(x, seed));
      expectSame(permuted.sort(), x);
    }
  });

  test('sampled patches are what a convolution reads at these places', async () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'patches');
    const cases: readonly (readonly [Shape, Shape, Conv2dOptions, number])[] = [
      [[2, 5, 6, 3], [4, 3, 3, 3], { padding: 'same' }, 60],
      [[2, 5, 6, 3], [4, 3, 2, 3], { padding: 'valid', strides: 2 }, 6],
      [[1, 7, 7, 5], [4, 3, 3, 5], { padding: 'same', dilations: 2, padValue: -1 }, 20],
      [[3, 1, 1, 4], [2, 1, 1, 4], {}, 3],
    ];
    const made = cases.map(([shape, filterShape, options, count], seed) => {
      const x = fill(sizeOf(shape), gaussian(seed));
      const tensor = scratch.tensor('x', shape, 'f32', x);
      const patches = b.keep(samplePatches(b, tensor, { ...options, filterShape, count, seed }));
      const geometry = resolveConv2d(shape, filterShape, options);
      return { patches, expected: reference.samplePatches(x, geometry, count, seed) };
    });
    using program = await b.compile();
    program.run();
    for (const { patches, expected } of made) {
      expectSame(await gpu().readFloats(patches), Float32Array.from(expected));
    }
  });

  test('wrong shapes and options are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const tensor = (shape: Shape, dtype: Tensor['dtype'] = 'f32') => scratch.tensor('x', shape, dtype);
    const x = tensor([4, 4]);
    expect(() => pairMoments(b, x, tensor([4, 5]))).toThrow(ShapeError);
    expect(() => pairMoments(b, tensor([4, 4], 'u32'), x)).toThrow(ShapeError);
    const grid = tensor([4]);
    expect(() => addToPairHistogram(b, x, x, { grid, counts: tensor([2, 3], 'u32') })).toThrow(OptionError);
    expect(() => addToPairHistogram(b, x, x, { grid: x, counts: tensor([4, 4], 'u32') })).toThrow(ShapeError);
    expect(() => permuteElements(b, x, { seed: -1 })).toThrow(OptionError);
    const image = tensor([1, 4, 4, 4]);
    const patch = { filterShape: [2, 3, 3, 4], seed: 0 };
    expect(() => samplePatches(b, image, { ...patch, count: 5 })).toThrow(OptionError);
    expect(() => samplePatches(b, image, { ...patch, count: 1, seed: 0.5 })).toThrow(OptionError);
    expect(() =>
      samplePatches(b, image, { filterShape: [2, 3, 3, 2], groups: 2, count: 1, seed: 0 }),
    ).toThrow(OptionError);
  });
});

describe('spectra', () => {
  const covariance = (d: number, rows: number) => {
    const products = new Float64Array(d * d);
    const sums = new Float64Array(d);
    for (let row = 0; row < rows; row++) {
      const x = Array.from({ length: d }, (_, i) => 1 + (1 + (i % 3)) * normal(1, 2, row * d + i));
      for (let i = 0; i < d; i++) {
        sums[i] = (sums[i] ?? 0) + (x[i] ?? 0);
        for (let j = 0; j < d; j++)
          products[i * d + j] = (products[i * d + j] ?? 0) + (x[i] ?? 0) * (x[j] ?? 0);
      }
    }
    return spectrum.covarianceOf(products, sums, rows);
  };

  test.each([
    [1, 3],
    [2, 5],
    [3, 2],
    [30, 90],
    [80, 40],
  ])('eigenvalues of %d dimensions and %d rows agree with ml-matrix', (d, rows) => {
    const matrix = covariance(d, rows);
    const theirs = new EigenvalueDecomposition(
      new Matrix(Array.from({ length: d }, (_, i) => Array.from(matrix.subarray(i * d, (i + 1) * d)))),
      { assumeSymmetric: true },
    ).realEigenvalues.sort((a, b) => b - a);
    const mine = spectrum.symmetricEigenvalues(matrix, d);
    const largest = Math.max(...theirs.map(Math.abs));
    for (const [i, value] of mine.entries()) {
      expect(Math.abs(value - (theirs[i] ?? 0))).toBeLessThan(1e-12 * largest);
    }
    const total = mine.reduce((sum, value) => sum + value, 0);
    expect(spectrum.trace(matrix, d)).toBeCloseTo(total, 9);
    const squares = mine.reduce((sum, value) => sum + value * value, 0);
    expect(spectrum.participationRatio(matrix, d)).toBeCloseTo(total ** 2 / squares, 9);
  });

  test('known spectra: identity, diagonal, zero, and one direction that stands out', () => {
    const diagonal = (values: readonly number[]) =>
      Float64Array.from({ length: values.length ** 2 }, (_, i) =>
        i % (values.length + 1) === 0 ? (values[i / (values.length + 1)] ?? 0) : 0,
      );
    expect(spectrum.symmetricEigenvalues(diagonal([3, -1, 2]), 3)).toEqual([3, 2, -1]);
    expect(spectrum.symmetricEigenvalues(diagonal([0, 0]), 2)).toEqual([0, 0]);
    expect(spectrum.participationRatio(diagonal([1, 1, 1, 1]), 4)).toBe(4);
    expect(spectrum.participationRatio(diagonal([0, 0]), 2)).toBe(0);
    expect(spectrum.effectiveRank([1, 1, 1, 1, 0, -1e-17])).toBeCloseTo(4, 12);
    const d = 60;
    const u = Array.from({ length: d }, (_, i) => Math.sin(i + 1));
    const norm = Math.sqrt(u.reduce((sum, value) => sum + value * value, 0));
    const spiked = Float64Array.from({ length: d * d }, (_, at) => {
      const [i, j] = [Math.floor(at / d), at % d];
      return (i === j ? 1 : 0) + (19 * (u[i] ?? 0) * (u[j] ?? 0)) / norm ** 2;
    });
    const values = spectrum.symmetricEigenvalues(spiked, d);
    expect(values[0]).toBeCloseTo(20, 10);
    expect(Math.max(...values.slice(1).map((value) => Math.abs(value - 1)))).toBeLessThan(1e-12);
    const { value, vector } = spectrum.powerIteration(spiked, d);
    expect(value).toBeCloseTo(20, 8);
    const along = vector.reduce((sum, x, i) => sum + (x * (u[i] ?? 0)) / norm, 0);
    expect(Math.abs(along)).toBeCloseTo(1, 5);
    expect(spectrum.powerIteration(diagonal([0, 0]), 2).value).toBe(0);
  });
});
