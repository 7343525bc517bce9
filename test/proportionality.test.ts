/** Dot-product proportionality: kernels against float64, and the closed forms that measured networks must show. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import {
  type Comparisons,
  measureProportionality,
  type ProportionalityOptions,
} from '../src/geometry/proportionality.ts';
import { ProgramBuilder, type Shape, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { initialValues, Network, sequential } from '../src/graph/index.ts';
import {
  batchNormalization,
  dense,
  flatten,
  quantConv2d,
  quantDense,
  sign as signLayer,
} from '../src/layers/index.ts';
import { alignedCorrelation, LIMIT_COSINE, signChangeShare } from '../src/numerics/closed-forms.ts';
import {
  mergeMoments,
  NO_PAIRS,
  type PairMoments,
  proportionality,
} from '../src/numerics/proportionality.ts';
import { normal } from '../src/numerics/random.ts';
import * as spectrum from '../src/numerics/spectrum.ts';
import { type Conv2dOptions, resolveConv2d } from '../src/ops/conv.ts';
import {
  addToPairHistogram,
  encodeGrid,
  momentsFrom,
  pairMoments,
  permuteElements,
  samplePatches,
} from '../src/ops/proportionality.ts';
import { conv2d } from '../src/reference/conv.ts';
import { filterGeometry } from '../src/reference/geometry.ts';
import { matMul } from '../src/reference/matmul.ts';
import { normalize } from '../src/reference/norm.ts';
import * as reference from '../src/reference/proportionality.ts';
import { mlp } from '../src/zoo/index.ts';
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
        const wanted = expected[column] ?? NO_PAIRS;
        const scale = Math.sqrt(wanted.squaresX * wanted.squaresY);
        const close = (key: keyof PairMoments, size: number) => {
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
    let merged = whole.map(() => NO_PAIRS);
    for (const [at, end] of cuts.slice(1).entries()) {
      const range = [(cuts[at] ?? 0) * columns, end * columns] as const;
      const parts = reference.pairMoments(
        x.subarray(...range),
        y.subarray(...range),
        (range[1] - range[0]) / columns,
        columns,
      );
      if (range[1] > range[0]) {
        merged = merged.map((moments, i) => mergeMoments(moments, parts[i] ?? NO_PAIRS));
      }
    }
    for (const [column, wanted] of whole.entries()) {
      const got = merged[column] ?? NO_PAIRS;
      expectClose(Object.values(got), Object.values(wanted), 1e-10);
    }
  });

  test('what does not vary has no correlation', () => {
    const of = (x: Draw, y: Draw) => {
      const [moments = NO_PAIRS] = reference.pairMoments(fill(50, x), fill(50, y), 50, 1);
      return proportionality(moments);
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
    expect(proportionality(NO_PAIRS).signChange).toBeNaN();
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

describe('in a network', () => {
  const gpu = useGpu();

  /** The signs that the library takes. */
  const sign = (x: number) => (x < 0 ? -1 : 1);
  const signsOf = (x: ArrayLike<number>) => Float32Array.from(x, sign);

  test('every statistic of dense and convolutional layers is that of the float64 reference', async () => {
    const model = sequential(
      [
        quantConv2d({
          name: 'conv1',
          filters: 6,
          kernelSize: 3,
          padding: 'same',
          kernelQuantizer: 'steSign',
        }),
        batchNormalization({ name: 'norm1' }),
        quantConv2d({
          name: 'conv2',
          filters: 5,
          kernelSize: 3,
          padding: 'same',
          strides: 2,
          kernelQuantizer: 'steSign',
          inputQuantizer: 'steSign',
        }),
        batchNormalization({ name: 'norm2' }),
        signLayer(),
        flatten(),
        quantDense({ name: 'dense3', units: 7, kernelQuantizer: 'steSign' }),
      ],
      { input: [6, 6, 2], name: 'small' },
    );
    const values = initialValues(model, 3);
    for (const [name, array] of values) {
      if (/Variance$/.test(name))
        values.set(
          name,
          array.map((_, i) => 10 + i),
        );
      if (/Mean$|beta$/.test(name))
        values.set(
          name,
          array.map((_, i) => normal(2, 1, i)),
        );
    }
    using network = await Network.create(gpu(), model, { values });
    const count = 23;
    const samples = fill(count * 72, gaussian(1));
    const seen: number[] = [];
    const [conv1, conv2, dense3] = await measureProportionality(network, samples, {
      batch: 10,
      seed: 4,
      patches: 1000,
      bins: 5,
      onProgress: (done) => seen.push(done),
    });
    expect(seen).toEqual([10, 20, 23]);

    // The same forward pass and the same products in float64.
    const weights = (name: string) => values.get(`${name}/kernel`) ?? new Float32Array();
    const normed = (x: Float64Array, name: string) =>
      normalize(
        x,
        {
          mean: Float64Array.from(values.get(`${name}/runningMean`) ?? []),
          variance: Float64Array.from(values.get(`${name}/runningVariance`) ?? []),
        },
        1e-4,
        values.get(`${name}/gamma`),
        values.get(`${name}/beta`),
      );
    const g1 = resolveConv2d([count, 6, 6, 2], [6, 3, 3, 2], { padding: 'same' });
    const g2 = resolveConv2d([count, 6, 6, 6], [5, 3, 3, 6], { padding: 'same', strides: 2 });
    const c1 = (x: ArrayLike<number>, w: ArrayLike<number>) => conv2d(x, w, g1);
    const c2 = (x: ArrayLike<number>, w: ArrayLike<number>) => conv2d(x, w, g2);
    const c3 = (x: ArrayLike<number>, w: ArrayLike<number>) =>
      matMul(x, w, { m: count, n: 7, k: 45 }, { transposeB: true });
    const a2 = normed(c1(samples, signsOf(weights('conv1'))), 'norm1');
    const a3 = normed(c2(signsOf(a2), signsOf(weights('conv2'))), 'norm2');
    const layers = [
      { got: conv1, name: 'conv1', product: c1, reals: samples, binary: false, rows: count * 36, filters: 6 },
      { got: conv2, name: 'conv2', product: c2, reals: a2, binary: true, rows: count * 9, filters: 5 },
      { got: dense3, name: 'dense3', product: c3, reals: a3, binary: true, rows: count, filters: 7 },
    ];
    for (const { got, name, product, reals, binary, rows, filters } of layers) {
      if (got === undefined) throw new Error(`${name} is missing`);
      const w = weights(name);
      const wb = signsOf(w);
      const check = (
        seen: Comparisons,
        per: number,
        shuffle: (x: ArrayLike<number>) => ArrayLike<number>,
      ) => {
        const shown = shuffle(reals);
        const input = binary ? signsOf(shown) : shown;
        const pairs = {
          weights: [product(input, w), product(input, wb)],
          ...(binary
            ? {
                activations: [product(shown, wb), product(input, wb)],
                both: [product(shown, w), product(input, wb)],
              }
            : { activations: undefined, both: undefined }),
        };
        for (const key of ['weights', 'activations', 'both'] as const) {
          const pair = pairs[key];
          const comparison = seen[key];
          expect(comparison === undefined, `${name} ${key}`).toBe(pair === undefined);
          if (pair === undefined || comparison === undefined) continue;
          const [x = [], y = []] = pair;
          const moments = reference.pairMoments(x, y, per, filters);
          const wanted = moments.map(proportionality);
          const what = `${name} ${key}`;
          expectClose(
            comparison.r,
            wanted.map(({ r }) => r),
            1e-4,
            what,
          );
          expectClose(
            comparison.slopes,
            wanted.map(({ slope }) => slope),
            1e-4,
            what,
          );
          expectClose(
            comparison.signChanges,
            wanted.map(({ signChange }) => signChange),
            1e-9,
            what,
          );
          expect(comparison.meanR).toBeCloseTo(wanted.reduce((sum, { r }) => sum + r, 0) / filters, 4);
          const pooled = proportionality(moments.reduce(mergeMoments, NO_PAIRS));
          expectClose([comparison.pooled.r, comparison.pooled.slope], [pooled.r, pooled.slope], 1e-4, what);
          expect(comparison.undefinedFilters).toBe(0);
          // Four standard deviations of the first batch hold nearly all of the pairs.
          const counted = comparison.histogram?.counts.reduce((sum, value) => sum + value, 0) ?? 0;
          expect(counted / (per * filters)).toBeGreaterThan(0.97);
          expect(counted).toBeLessThanOrEqual(per * filters);
        }
      };
      expect(got).toMatchObject({ name, filters, samples: count, products: rows });
      check(got, rows, (x) => x);
      // The batches of 10, 10 and 3 are shuffled each.
      const each = reals.length / count;
      if (got.permuted === undefined) throw new Error('no control');
      check(got.permuted, rows, (x) => {
        const all = Array.from(x);
        return [
          [0, 10],
          [10, 20],
          [20, 23],
        ].flatMap(([from = 0, to = 0]) => reference.permuteElements(all.slice(from * each, to * each), 4));
      });
      expectClose(
        got.cosines,
        Array.from(
          { length: filters },
          (_, f) =>
            filterGeometry(w.subarray((f * w.length) / filters, ((f + 1) * w.length) / filters)).cosine,
        ),
      );
    }

    // All places of all images were sampled, so the covariance is the whole one.
    const patches = reference.samplePatches(signsOf(a2), g2, count * 9, 4);
    const d = 54;
    const products = matMul(patches, patches, { m: d, n: d, k: count * 9 }, { transposeA: true });
    const sums = Float64Array.from({ length: d }, (_, i) =>
      patches.reduce((sum, value, at) => (at % d === i ? sum + value : sum), 0),
    );
    const C = spectrum.covarianceOf(products, sums, count * 9);
    const eigenvalues = spectrum.symmetricEigenvalues(C, d);
    const measured = conv2?.covariance;
    expect(measured?.samples).toBe(count * 9);
    expectClose(measured?.eigenvalues ?? [], eigenvalues, 1e-4);
    expect(measured?.participationRatio).toBeCloseTo(spectrum.participationRatio(C, d), 3);
    expect(measured?.effectiveRank).toBeCloseTo(spectrum.effectiveRank(eigenvalues), 3);
    const filters = Array.from({ length: 5 }, (_, f) => weights('conv2').subarray(f * d, (f + 1) * d));
    expectClose(
      measured?.correlations ?? [],
      filters.map((w) => reference.correlationUnder(w, C)),
      1e-4,
    );
    // In the covariance of all places, that is r itself.
    expectClose(measured?.correlations ?? [], conv2?.weights.r ?? [], 1e-4);
    expectClose(
      measured?.alignments ?? [],
      filters.map(
        (w) => (reference.bilinear(w, w, C) * d) / (filterGeometry(w).l2 ** 2 * spectrum.trace(C, d)),
      ),
      1e-4,
    );
  });

  /** A dense layer of given filters, on given rows. */
  async function onRows(
    rows: Float32Array<ArrayBuffer>,
    filters: Float32Array<ArrayBuffer>,
    d: number,
    options: { readonly binary?: boolean } & ProportionalityOptions = {},
  ) {
    const { binary, ...rest } = options;
    const layer = quantDense({
      name: 'dense',
      units: filters.length / d,
      kernelQuantizer: 'steSign',
      ...(binary ? { inputQuantizer: 'steSign' as const } : {}),
    });
    const model = sequential([layer], { input: [d], name: 'rows' });
    using network = await Network.create(gpu(), model, { values: new Map([['dense/kernel', filters]]) });
    const [measured] = await measureProportionality(network, rows, { batch: 512, bins: 0, ...rest });
    if (measured === undefined) throw new Error('nothing was measured');
    return measured;
  }

  // A Gaussian direction u, and filters whose cosine with it is sqrt(1/2).
  const [d, count, units] = [1152, 2048, 24];
  const unit = (x: Float64Array) => {
    const length = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
    return x.map((value) => value / length);
  };
  const u = unit(Float64Array.from({ length: d }, (_, i) => normal(1, 2, i)));
  const filters = Float32Array.from(
    Array.from({ length: units }, (_, filter) => {
      const v = Float64Array.from({ length: d }, (_, i) => normal(1, 100 + filter, i));
      const along = v.reduce((sum, value, i) => sum + value * (u[i] ?? 0), 0);
      const across = unit(v.map((value, i) => value - along * (u[i] ?? 0)));
      return across.map((value, i) => value + (u[i] ?? 0));
    }).flatMap((w) => [...w]),
  );
  const noise = fill(count * d, gaussian(1));
  /** Rows of the covariance I + (lambda - 1)uu'. */
  const spiked = (lambda: number) => {
    const rows = noise.slice();
    for (let row = 0; row < count; row++) {
      const x = rows.subarray(row * d, (row + 1) * d);
      const along = (Math.sqrt(lambda) - 1) * x.reduce((sum, value, i) => sum + value * (u[i] ?? 0), 0);
      for (let i = 0; i < d; i++) x[i] = (x[i] ?? 0) + along * (u[i] ?? 0);
    }
    return rows;
  };
  /** Four standard deviations of a correlation that is estimated from all rows. */
  const slack = (r: number) => (4 * (1 - r * r)) / Math.sqrt(count);

  test.each([
    [5, 0.919],
    [20, 0.975],
    [100, 0.995],
  ])('where the variance along the filters is %d times larger, r is %d', async (lambda, expected) => {
    const { weights } = await onRows(spiked(lambda), filters, d, { permuted: false, patches: 0 });
    const closed = alignedCorrelation((lambda + 1) / 2);
    expect(Math.abs(closed - expected)).toBeLessThan(0.003);
    expect(Math.abs(weights.meanR - closed)).toBeLessThan(slack(closed));
    expect(Math.abs(weights.pooled.r - closed)).toBeLessThan(slack(closed));
    expect(Math.abs(weights.pooled.signChange - signChangeShare(expected))).toBeLessThan(0.01);
  });

  test('in isotropic data r is the cosine: .7979 for weights or activations, 2/pi for both', async () => {
    const cosine = LIMIT_COSINE;
    const real = await onRows(noise, filters, d, { permuted: false, patches: 0 });
    for (const [filter, r] of real.weights.r.entries()) {
      expect(Math.abs(r - (real.cosines[filter] ?? 0))).toBeLessThan(slack(cosine));
    }
    expect(Math.abs(real.weights.meanSlope / real.meanScale - 1)).toBeLessThan(0.02);
    const binary = await onRows(noise, filters, d, { permuted: false, patches: 0, binary: true });
    const [share, whole] = [signChangeShare(cosine), signChangeShare(cosine ** 2)];
    expect(Math.abs(share - 0.206)).toBeLessThan(5e-4);
    expect(Math.abs(whole - 0.28)).toBeLessThan(5e-4);
    for (const [comparison, r, changes] of [
      [binary.weights, cosine, share],
      [binary.activations, cosine, share],
      [binary.both, cosine ** 2, whole],
    ] as const) {
      expect(Math.abs((comparison?.meanR ?? 0) - r)).toBeLessThan(slack(r));
      expect(Math.abs((comparison?.meanSignChange ?? 0) - changes)).toBeLessThan(0.01);
    }
  });

  test('permuted data fall to the cosine, whatever the data were', async () => {
    const { weights, permuted, cosines } = await onRows(spiked(100), filters, d, { patches: 0 });
    expect(weights.meanR).toBeGreaterThan(0.98);
    for (const [filter, r] of (permuted?.weights.r ?? []).entries()) {
      expect(Math.abs(r - (cosines[filter] ?? 0))).toBeLessThan(slack(LIMIT_COSINE));
    }
  });

  test('the covariance of the data tells alignment, dimensions and r', async () => {
    const [n, rowsOf] = [64, 2048];
    const rows = fill(rowsOf * n, (i) => (i % n < 16 ? 3 : 1) * normal(1, 5, i) + 0.5);
    const latent = fill(12 * n, gaussian(6));
    const { covariance, weights } = await onRows(rows, latent, n, { permuted: false, batch: 500 });
    if (covariance === undefined) throw new Error('no covariance');
    expect(covariance.samples).toBe(rowsOf);
    // 16 directions of variance 9, 48 of variance 1.
    expect(Math.abs(covariance.trace / 192 - 1)).toBeLessThan(0.02);
    expect(Math.abs(covariance.participationRatio / (192 ** 2 / (16 * 81 + 48)) - 1)).toBeLessThan(0.05);
    expectClose(covariance.correlations, weights.r, 1e-4);
    expect(Math.abs(covariance.expectedCorrelation - weights.meanR)).toBeLessThan(0.03);
    const alignment =
      latent.reduce((sum, w, i) => sum + w * w * (i % n < 16 ? 9 : 1), 0) /
      latent.reduce((sum, w) => sum + w * w, 0) /
      3;
    expect(Math.abs(covariance.meanAlignment / alignment - 1)).toBeLessThan(0.06);
  });

  test('dead inputs and filters of zeros have no correlation, and no say in the means', async () => {
    const n = 8;
    const latent = fill(3 * n, gaussian(1));
    latent.fill(0, n, 2 * n);
    const { weights, cosines } = await onRows(fill(40 * n, gaussian(2)), latent, n, { patches: 0 });
    expect(weights.undefinedFilters).toBe(1);
    expect(weights.r[1]).toBeNaN();
    expect(cosines[1]).toBe(0);
    expect(weights.meanR).toBeCloseTo(((weights.r[0] ?? 0) + (weights.r[2] ?? 0)) / 2, 10);
    const dead = await onRows(new Float32Array(40 * n), latent, n, { bins: 4 });
    expect(dead.weights.undefinedFilters).toBe(3);
    expect(dead.weights.meanR).toBeNaN();
    expect(dead.weights.histogram?.counts.reduce((sum, value) => sum + value, 0)).toBe(120);
  });

  test('layers are chosen by name, and memory is given back', async () => {
    const model = mlp({ input: [4, 4, 1], classes: 3, units: 8 });
    using network = await Network.create(gpu(), model, { seed: 1 });
    const samples = fill(5 * 16, gaussian(1));
    await measureProportionality(network, samples, { patches: 0 });
    const before = gpu().memory.bytes;
    const chosen = await measureProportionality(network, samples, {
      layers: ['dense3', 'dense1'],
      patches: 0,
    });
    expect(chosen.map(({ name }) => name)).toEqual(['dense1', 'dense3']);
    expect(gpu().memory.bytes).toBe(before);
    // GPU memory depends on the batch, not on the samples.
    await measureProportionality(network, samples, { batch: 5 });
    const peak = gpu().memory.peakBytes;
    const [more] = await measureProportionality(network, fill(100 * 16, gaussian(2)), { batch: 5 });
    expect(more?.samples).toBe(100);
    expect(gpu().memory.peakBytes).toBe(peak);
    const all = { layers: ['dense9'] };
    await expect(measureProportionality(network, samples, all)).rejects.toThrow(/dense1, dense2, dense3/);
    await expect(measureProportionality(network, samples.subarray(1))).rejects.toThrow(ShapeError);
    await expect(measureProportionality(network, samples, { batch: 0 })).rejects.toThrow(OptionError);
    const floats = sequential([flatten(), dense({ units: 2 })], { input: [4, 4, 1] });
    using other = await Network.create(gpu(), floats);
    await expect(measureProportionality(other, samples)).rejects.toThrow(/latent binary weights/);
  });
});
