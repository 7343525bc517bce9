import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import {
  bestTernary,
  gaussianDensity,
  leastSquaresTwoBits,
  residualAngles,
  ternaryAngle,
} from '../src/geometry/curves.ts';
import { measureGeometry } from '../src/geometry/measure.ts';
import { ProgramBuilder, type Shape, sizeOf, type Tensor } from '../src/gpu/index.ts';
import { initialValues, Network, sequential } from '../src/graph/index.ts';
import { quantDense } from '../src/layers/index.ts';
import * as theory from '../src/numerics/closed-forms.ts';
import { spreadSlope } from '../src/numerics/lines.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { normal, uniform01 } from '../src/numerics/random.ts';
import { angleHistogram, FILTER_STATISTICS, filterGeometry } from '../src/ops/geometry.ts';
import * as reference from '../src/reference/geometry.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const COLUMNS = FILTER_STATISTICS.length;
const DEGREES = 180 / Math.PI;
/** Absolute errors allowed beside the relative one: what is small by cancellation. */
const SLACK: Readonly<Record<string, number>> = {
  standardDeviation: 1e-6,
  angleDegrees: 1e-6,
  signEntropy: 2e-6,
  excessKurtosis: 3e-5,
};

type Draw = (seed: number, index: number) => number;
const gaussian: Draw = (seed, i) => normal(seed, 1, i);
const uniform: Draw = (seed, i) => 2 * uniform01(seed, 2, i) - 1;
const clippedGaussian: Draw = (seed, i) => Math.min(1, Math.max(-1, 0.7 * normal(seed, 3, i)));
const sparse: Draw = (seed, i) => (i % 3 === 0 ? normal(seed, 4, i) : 0);
const nearlySigns: Draw = (seed, i) => (i % 2 ? 0.9 : -0.9) + 1e-4 * normal(seed, 5, i);
const shifted: Draw = (seed, i) => 0.5 + 1e-3 * normal(seed, 6, i);

describe('filter statistics', () => {
  const gpu = useGpu();

  async function measure(
    scratch: Scratch,
    cases: readonly { shape: Shape; values: Float32Array<ArrayBuffer> }[],
  ) {
    const b = new ProgramBuilder(gpu(), 'geometry');
    const tensors = cases.map(({ shape, values }): Tensor => {
      const latent = scratch.tensor('latent', shape, 'f32', values);
      return b.keep(filterGeometry(b, { latent }));
    });
    using program = await b.compile();
    program.run();
    return await Promise.all(tensors.map((tensor) => gpu().readFloats(tensor)));
  }

  const between = (min: number, max: number) => fc.integer({ min, max });
  const laws: Readonly<Record<string, Draw>> = {
    gaussian,
    uniform,
    clippedGaussian,
    sparse,
    nearlySigns,
    shifted,
  };
  const cases = Object.entries(laws).flatMap(([law, draw], seed) =>
    [
      [4, 3, 3, 3],
      [2, 1],
      [3, 63],
      [3, 64],
      [5, 65],
      [3, 784],
      [2, 3, 3, 512],
      [1, 70_000],
      ...fc.sample(
        fc.oneof(
          fc.tuple(between(1, 9), between(1, 900)),
          fc.tuple(between(1, 5), fc.constant(3), fc.constant(3), between(1, 40)),
        ),
        { seed: 1, numRuns: 8 },
      ),
    ].map((shape) => ({
      name: `${law}_${shape.join('x')}`,
      shape,
      values: Float32Array.from({ length: sizeOf(shape) }, (_, i) => draw(seed, i)),
    })),
  );

  test(`${cases.length} layers agree with the reference`, async () => {
    using scratch = new Scratch(gpu());
    const measured = await measure(scratch, cases);
    cases.forEach(({ name, shape, values }, i) => {
      const filters = shape[0] ?? 1;
      const length = values.length / filters;
      const got = measured[i] ?? new Float32Array();
      for (let o = 0; o < filters; o++) {
        const expected = reference.filterGeometry(values.subarray(o * length, (o + 1) * length));
        FILTER_STATISTICS.forEach((column, c) => {
          const value = got[o * COLUMNS + c] ?? Number.NaN;
          // The spread of a filter that is nearly constant keeps its digits, apart from those of f32 itself.
          // Weights have 24 bits: where they lie at 0.5 +- 0.001, their spread has 14.
          const rounding = column === 'excessKurtosis' && name.startsWith('shifted') ? 1e-4 : 0;
          const slack = (SLACK[column] ?? 1e-12) + rounding;
          const error = Math.abs(value - expected[column]);
          if (!(error <= 1e-5 * Math.abs(expected[column]) + slack)) {
            expect.fail(`${name} filter ${o} ${column}: got ${value}, expected ${expected[column]}`);
          }
        });
      }
    });
  });

  test('zeros, signs, one saturated weight, signed zeros', async () => {
    using scratch = new Scratch(gpu());
    const rows: [number[], number[]][] = [
      [
        [0, 0, 0, 0],
        [0, 0, 0, 90, 0, 1, 0, 0, 1, 0, 0, 0],
      ],
      [
        [1, -1, 1, 1],
        [4, 2, 1, 0, 1, 0.75, 1, Math.sqrt(0.75), 0, 2 - 0.75 * Math.log2(3), 7 / 3 - 3, 0],
      ],
      [
        [1, 0, 0, -0],
        [1, 1, 0.5, 60, 0.25, 1, 0.25, Math.sqrt(3) / 4, 0.75, 0, 7 / 3 - 3, 0],
      ],
      [
        [-0.5, -0.5, -0.5, -0.5],
        [2, 1, 1, 0, 0.5, 0, 0, 0, 0, 0, 0, 0],
      ],
      [
        [0, 0.999, 0, -0.999],
        [
          1.998,
          0.999 * Math.SQRT2,
          Math.SQRT1_2,
          45,
          0.4995,
          0.75,
          0,
          0.999 / Math.SQRT2,
          0.5,
          2 - 0.75 * Math.log2(3),
          -1,
          0,
        ],
      ],
    ];
    const values = Float32Array.from(rows.flatMap(([weights]) => weights));
    const [got] = await measure(scratch, [{ shape: [rows.length, 4], values }]);
    rows.forEach(([, expected], o) => {
      expectClose(got?.subarray(o * COLUMNS, (o + 1) * COLUMNS) ?? [], expected, 1e-6, `row ${o}`);
    });
  });

  test('a filter of a million weights with outliers keeps five digits in every sum', async () => {
    using scratch = new Scratch(gpu());
    const d = 1_000_003;
    const heavy = (i: number) => normal(9, 7, i) * (i % 1000 === 0 ? 40 : 1);
    const values = Float32Array.from({ length: d }, (_, i) => 0.02 * (heavy(i) + 0.3));
    // The first weight is far off: nothing may be summed relative to it.
    values[0] = 5;
    const expected = reference.filterGeometry(values);
    for (const length of [d, d - 3]) {
      const [got = []] = await measure(scratch, [{ shape: [1, length], values: values.subarray(0, length) }]);
      const wanted = length === d ? expected : reference.filterGeometry(values.subarray(0, length));
      FILTER_STATISTICS.forEach((column, c) => {
        const error = Math.abs((got[c] ?? Number.NaN) - wanted[column]);
        expect(error, `${column} of ${length}: ${got[c]}`).toBeLessThanOrEqual(
          1e-5 * Math.abs(wanted[column]),
        );
      });
    }
  });

  test('the same filters give the same bits, however often they are measured', async () => {
    using scratch = new Scratch(gpu());
    const values = Float32Array.from({ length: 3 * 4099 }, (_, i) => normal(2, 1, i));
    const layer = { shape: [3, 4099], values };
    const [first, second] = await measure(scratch, [layer, layer]);
    expect(first).toEqual(second);
  });

  for (const format of ['f16', 'bf16'] as const) {
    const decode = format === 'f16' ? reference.decodeF16 : reference.decodeBf16;

    test(`all ${format} numbers, and rows of any length, are decoded`, async () => {
      using scratch = new Scratch(gpu());
      const b = new ProgramBuilder(gpu(), format);
      // Every 16-bit pattern that leaves sums within f32, one weight a filter; then rows that start within words.
      const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
      const random = Uint16Array.from({ length: 7 * 1001 }, (_, i) => {
        const half = Math.floor(uniform01(4, 1, i) * 65536);
        return format === 'f16' ? half : (half & 0x80ff) | 0x3f00;
      });
      const cases = [
        { filters: [65536, 1], halves: all },
        { filters: [7, 1001], halves: random },
        { filters: [1001, 7], halves: random },
        { filters: [91, 77], halves: random },
      ] as const;
      const tensors = cases.map(({ filters, halves }) => {
        const padded = new Uint16Array(2 * Math.ceil(halves.length / 2));
        padded.set(halves);
        const words = new Uint32Array(padded.buffer);
        const latent = scratch.tensor('halves', [words.length], 'u32', words);
        return b.keep(filterGeometry(b, { latent, format, filters }));
      });
      using program = await b.compile();
      program.run();
      for (const [n, { filters, halves }] of cases.entries()) {
        const got = await gpu().readFloats(tensors[n] as Tensor);
        const [count, length] = filters;
        for (let o = 0; o < count; o++) {
          const weights = Array.from(halves.subarray(o * length, (o + 1) * length), decode);
          const expected = reference.filterGeometry(weights);
          for (const column of [
            'l1',
            'positiveShare',
            'nonFinite',
            'saturatedShare',
            'nearZeroShare',
          ] as const) {
            const value = got[o * COLUMNS + FILTER_STATISTICS.indexOf(column)] ?? Number.NaN;
            // Devices may flush what is below 2^-126.
            const error = Math.abs(value - expected[column]);
            if (!(error <= 1e-5 * Math.abs(expected[column]) + 2 ** -126)) {
              expect.fail(`${filters} filter ${o} ${column}: got ${value}, expected ${expected[column]}`);
            }
          }
        }
      }
    });
  }

  test('NaN and infinite weights are counted and left out', async () => {
    using scratch = new Scratch(gpu());
    const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
    const rows = [
      [1, nan, -2, inf, 0.5, 3, -inf],
      [nan, nan, inf, -inf, nan, nan, nan],
      [inf, 0, 0, 0, 0, 0, 0],
    ];
    const values = Float32Array.from(rows.flat());
    const [got = new Float32Array()] = await measure(scratch, [{ shape: [3, 7], values }]);
    rows.forEach((row, o) => {
      const expected = reference.filterGeometry(row);
      const wanted = FILTER_STATISTICS.map((column) => expected[column]);
      expectClose(got.subarray(o * COLUMNS, (o + 1) * COLUMNS), wanted, 2e-6, `row ${o}`);
    });
  });

  const sizes = [1, 1e-19, 1e19, 1e25, 1e-25, 3e-39, 1e34, 1e-8];
  test.each([5, 64, 65, 784, 4608, 70_001])(
    'angles of filters of any size are those of ordinary ones, side by side, at length %i',
    async (length) => {
      using scratch = new Scratch(gpu());
      const values = Float32Array.from({ length: sizes.length * length }, (_, i) => {
        const size = sizes[Math.floor(i / length)] ?? 1;
        return size * 0.2 * (0.1 + normal(6, 7, i % length));
      });
      const [got = new Float32Array()] = await measure(scratch, [{ shape: [sizes.length, length], values }]);
      sizes.forEach((size, o) => {
        const expected = reference.filterGeometry(values.subarray(o * length, (o + 1) * length));
        for (const [c, column] of FILTER_STATISTICS.entries()) {
          const value = got[o * COLUMNS + c] ?? Number.NaN;
          // Subnormal numbers may be written as zeros, and what is beyond f32 is infinite.
          const isSubnormal = Math.abs(expected[column]) < 2 ** -126;
          const wanted = Math.fround(expected[column]);
          const error = value === wanted ? 0 : Math.abs(value - wanted);
          const slack = ['standardDeviation'].includes(column) ? 0 : (SLACK[column] ?? 1e-12);
          if (!(error <= 1e-5 * Math.abs(wanted) + slack) && !(isSubnormal && value === 0)) {
            expect.fail(`size ${size}, ${column}: got ${value}, expected ${wanted}`);
          }
        }
      });
    },
  );

  test.each([300, 4608, 70_001])(
    'weights of very different sizes in one filter, and NaN among them, at length %i',
    async (length) => {
      using scratch = new Scratch(gpu());
      // Blocks of 256 weights that are tiny, ordinary and huge, in every order.
      const orders = [
        [-25, 0, 25],
        [25, 0, -25],
        [0, 25, -25],
        [-25, -19, 0],
        [0, -19, -25],
        [19, 25, 0],
      ];
      const values = Float32Array.from({ length: orders.length * length }, (_, i) => {
        const place = i % length;
        const exponent = orders[Math.floor(i / length)]?.[Math.floor((3 * place) / length)] ?? 0;
        return place % 97 === 5 ? Number.NaN : 10 ** exponent * normal(6, 8, i);
      });
      const [got = new Float32Array()] = await measure(scratch, [{ shape: [orders.length, length], values }]);
      orders.forEach((order, o) => {
        const expected = reference.filterGeometry(values.subarray(o * length, (o + 1) * length));
        for (const [c, column] of FILTER_STATISTICS.entries()) {
          const value = got[o * COLUMNS + c] ?? Number.NaN;
          const error = Math.abs(value - expected[column]);
          if (!(error <= 2e-5 * Math.abs(expected[column]) + (SLACK[column] ?? 1e-12))) {
            expect.fail(`${order}, ${column}: got ${value}, expected ${expected[column]}`);
          }
        }
      });
    },
  );

  test("one tiny filter leaves a layer's mean angle as it was", async () => {
    const model = sequential([quantDense({ name: 'd', units: 8, kernelQuantizer: 'steSign' })], {
      input: [1152],
    });
    const kernel = initialValues(model, 3).get('d/kernel') as Float32Array<ArrayBuffer>;
    const means: number[] = [];
    for (const size of [1, 1e-25, 1e-19, 1e19, 1e25]) {
      const values = kernel.map((weight, i) => (i < 1152 ? weight * size : weight));
      using network = await Network.create(gpu(), model, { values: new Map([['d/kernel', values]]) });
      const [layer] = await measureGeometry(network);
      means.push(layer?.meanAngle ?? Number.NaN);
    }
    for (const mean of means) expect(mean).toBeCloseTo(means[0] ?? 0, 4);
  });

  test('angles are counted in bins, filters of zeros apart', async () => {
    using scratch = new Scratch(gpu());
    for (const [filters, bins] of [
      [10_000, 180],
      [70, 7],
    ] as const) {
      // Columns of a filter: only |w|_1 and the angle count.
      const angles = Float32Array.from({ length: filters }, (_, i) =>
        i % 97 === 0 ? 90 : 90 * uniform01(1, 5, i),
      );
      const rows = new Float32Array(filters * COLUMNS);
      angles.forEach((angle, i) => {
        rows[i * COLUMNS] = i % 10 === 0 ? 0 : 1;
        rows[i * COLUMNS + 3] = angle;
      });
      const b = new ProgramBuilder(gpu(), 'histogram');
      const statistics = scratch.tensor('statistics', [filters, COLUMNS], 'f32', rows);
      const counts = b.keep(angleHistogram(b, statistics, { bins }));
      using program = await b.compile();
      program.run();
      const expected = reference.angleHistogram(
        angles.filter((_, i) => i % 10 !== 0),
        bins,
      );
      expect([...(await gpu().readWords(counts))]).toEqual(expected);
      expect(() => angleHistogram(b, statistics, { bins: 0 })).toThrow(OptionError);
      expect(() => angleHistogram(b, counts)).toThrow(ShapeError);
    }
  });

  test('the spread of Gaussian filters falls with the root of their length', async () => {
    using scratch = new Scratch(gpu());
    const layers = [27, 108, 432, 1728].map((d, n) => ({
      shape: [256, d],
      values: Float32Array.from({ length: 256 * d }, (_, i) => normal(20 + n, 1, i)),
    }));
    const measured = (await measure(scratch, layers)).map((rows, n) => {
      const angles = Array.from({ length: 256 }, (_, o) => rows[o * COLUMNS + 3] ?? 0);
      const mean = angles.reduce((sum, x) => sum + x, 0) / 256;
      const sdAngle = Math.sqrt(angles.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 256);
      return { dimension: layers[n]?.shape[1] ?? 0, sdAngle, filters: 256 };
    });
    expect(Math.abs(spreadSlope(measured).slope + 0.5)).toBeLessThan(0.05);
    expect(spreadSlope([{ dimension: 27, sdAngle: 3, filters: 9 }]).slope).toBeNaN();
  });

  for (const [d, filters] of [
    [27, 512],
    [576, 256],
    [1152, 256],
    [4608, 64],
  ] as const) {
    test(`${filters} Gaussian filters of ${d} weights lie at the mean cosine and angle of theory`, async () => {
      using scratch = new Scratch(gpu());
      const values = Float32Array.from({ length: filters * d }, (_, i) => normal(d, 1, i));
      const [got = new Float32Array()] = await measure(scratch, [{ shape: [filters, d], values }]);
      const column = (c: number) => Array.from({ length: filters }, (_, o) => got[o * COLUMNS + c] ?? 0);
      const mean = (xs: number[]) => xs.reduce((sum, x) => sum + x, 0) / xs.length;
      const root = Math.sqrt(filters);
      expect(Math.abs(mean(column(2)) - theory.expectedCosine(d))).toBeLessThan(
        (4 * theory.sdCosine(d)) / root,
      );
      expect(Math.abs(mean(column(3)) - theory.expectedAngleDegrees(d))).toBeLessThan(
        (4 * theory.sdAngleDegrees(d)) / root,
      );
      const angle = column(3);
      const spread = Math.sqrt(mean(angle.map((x) => (x - mean(angle)) ** 2)));
      // The sampling error of a standard deviation is 1/sqrt(2N) of it.
      expect(Math.abs(spread / theory.sdAngleDegrees(d) - 1)).toBeLessThan(4 / Math.sqrt(2 * filters));
    });
  }

  test('a uniform initialisation shows 30 degrees', async () => {
    using scratch = new Scratch(gpu());
    const [filters, d] = [256, 784];
    const values = Float32Array.from({ length: filters * d }, (_, i) => uniform(3, i) / 2);
    const [got = new Float32Array()] = await measure(scratch, [{ shape: [filters, d], values }]);
    let sum = 0;
    for (let o = 0; o < filters; o++) sum += got[o * COLUMNS + 3] ?? 0;
    const error = Math.abs(sum / filters - theory.limitAngleDegrees('uniform'));
    expect(error).toBeLessThan((4 * theory.lawSdAngleDegrees('uniform', d)) / Math.sqrt(filters) + 0.02);
  });

  test('packed signs are measured as filters of -1 and 1', async () => {
    for (const shape of [
      [5, 3, 3, 40],
      [3, 64],
      [2, 7, 1],
      [1, 100_001],
    ]) {
      using scratch = new Scratch(gpu());
      const size = shape.reduce((product, extent) => product * extent, 1);
      const channels = shape.at(-1) ?? 1;
      const values = Float32Array.from({ length: size }, (_, i) => (gaussian(4, i) < 0.3 ? -1 : 1));
      const [expected = new Float32Array()] = await measure(scratch, [{ shape, values }]);
      const packed = packSigns(values, size / channels, channels);
      const b = new ProgramBuilder(gpu(), 'signs');
      const got = b.keep(filterGeometry(b, { latent: scratch.tensor('bits', shape, 'bits', packed) }));
      using program = await b.compile();
      program.run();
      expectSame(await gpu().readFloats(got), expected, shape.join(' x '));
    }
  });

  test('wrong tensors are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    expect(() => filterGeometry(b, { latent: scratch.tensor('flat', [4], 'f32') })).toThrow(ShapeError);
    expect(() => filterGeometry(b, { latent: scratch.tensor('bits', [32], 'bits') })).toThrow(ShapeError);
    const words = scratch.tensor('words', [4], 'u32');
    expect(() => filterGeometry(b, { latent: words, format: 'f16' })).toThrow(ShapeError);
    expect(() => filterGeometry(b, { latent: words, format: 'bf16', filters: [3, 3] })).toThrow(ShapeError);
    const latent = scratch.tensor('latent', [2, 4], 'f32');
    expect(() => filterGeometry(b, { latent, nearZero: Number.NaN })).toThrow(OptionError);
  });
});

describe('other quantizers on the normal law', () => {
  const normal = gaussianDensity();

  test('two bits by least squares: levels, error and angle of theory', () => {
    const { v1, v2, error, angle } = leastSquaresTwoBits(normal);
    expect(v1).toBeCloseTo(0.981599, 3);
    expect(v2).toBeCloseTo(0.528819, 3);
    expect(error).toBeCloseTo(0.117482, 5);
    expect(angle).toBeCloseTo(20.045, 2);
  });

  test('greedy bits: 37.07, 20.80, 13.46 and 9.91 degrees', () => {
    const angles = residualAngles(normal, 4);
    for (const [bit, expected] of [37.0714, 20.8, 13.46, 9.91].entries()) {
      expect(Math.abs((angles[bit] ?? 0) - expected)).toBeLessThan(0.015);
    }
  });

  test('ternary: the closed form at every threshold, and its best at 0.6120', () => {
    for (const a of [0, 0.1, 0.2, 0.3, 0.5, 0.61, 1, 2]) {
      const closed = (Math.acos(theory.ternaryCosine(a)) * 180) / Math.PI;
      expect(Math.abs(ternaryAngle(normal, a) - closed), `a = ${a}`).toBeLessThan(0.01);
    }
    const { threshold, angle } = bestTernary(normal);
    expect(Math.abs(threshold - 0.612)).toBeLessThan(0.005);
    expect(angle).toBeCloseTo(25.855, 2);
  });

  test('weights of one size are lost by nothing, and no weights have no angle', () => {
    const counts = new Array<number>(640).fill(0);
    counts[319 - 40] = 5;
    counts[320 + 40] = 5;
    const signs = { from: -8, to: 8, counts };
    expect(residualAngles(signs, 2)).toEqual([expect.closeTo(0, 5), expect.closeTo(0, 5)]);
    expect(ternaryAngle(signs, 0.5)).toBeCloseTo(0, 5);
    expect(ternaryAngle(signs, 5)).toBe(90);
    expect(residualAngles({ ...signs, counts: counts.map(() => 0) }, 1)).toEqual([90]);
  });
});

describe('closed forms', () => {
  test('mean and standard deviation of the cosine, as tabulated', () => {
    const table: [number, number, number][] = [
      [2, 0.90031632, 0.0879796],
      [3, 0.8660254, 0.0880143],
      [10, 0.81804942, 0.0612613],
      [27, 0.80530499, 0.0395244],
      [288, 0.79857747, 0.0124714],
      [576, 0.79823094, 0.0088322],
      [784, 0.79813903, 0.00757353],
      [1152, 0.79805773, 0.00625009],
      [2304, 0.79797114, 0.00442118],
      [4608, 0.79792785, 0.00312684],
      [8192, 0.79790891, 0.00234533],
    ];
    for (const [d, mean, deviation] of table) {
      expect(Math.abs(theory.expectedCosine(d) - mean), `mean at ${d}`).toBeLessThan(6e-9);
      expect(Math.abs(theory.sdCosine(d) / deviation - 1), `deviation at ${d}`).toBeLessThan(1e-5);
    }
    expect(theory.LIMIT_COSINE).toBeCloseTo(0.79788456, 8);
    expect(theory.LIMIT_ANGLE_DEGREES).toBeCloseTo(37.0714, 4);
  });

  test('the gamma ratio is exact where it can be written down', () => {
    // E[cos] at d = 1, 2, 3, 4, 5: Gamma(d/2) and Gamma((d+1)/2) are rationals times 1 or sqrt(pi).
    const exact = [
      1,
      Math.sqrt(2 / Math.PI) * (2 / Math.sqrt(Math.PI)),
      Math.sqrt(3) / 2,
      Math.sqrt(4 / Math.PI) * (4 / (3 * Math.sqrt(Math.PI))),
      Math.sqrt(5) * (3 / 8),
    ];
    exact.forEach((value, i) => {
      expect(Math.abs(theory.expectedCosine(i + 1) / value - 1)).toBeLessThan(1e-14);
    });
    // Seams of the series.
    for (const d of [199, 200, 201, 999, 100_000]) {
      const step = theory.expectedCosine(d + 2) / theory.expectedCosine(d);
      expect(Math.abs(step / ((Math.sqrt((d + 2) / d) * d) / (d + 1)) - 1)).toBeLessThan(1e-14);
    }
  });

  test('the variance goes over into (1 - 3/pi)/d', () => {
    expect(theory.varianceCosine(1)).toBeCloseTo(0, 13);
    for (const d of [10_000, 1_000_000, 1_000_001]) {
      expect(Math.abs((theory.varianceCosine(d) * d) / (1 - 3 / Math.PI) - 1)).toBeLessThan(1e-3);
    }
  });

  test('mean angles and their spread', () => {
    for (const [d, mean, deviation] of [
      [27, 36.19, 3.84],
      [1152, 37.05, 0.596],
      [2304, 37.06, 0.42],
      [4608, 37.07, 0.3],
    ] as const) {
      expect(Math.abs(theory.expectedAngleDegrees(d) - mean)).toBeLessThan(0.01);
      expect(Math.abs(theory.sdAngleDegrees(d) / deviation - 1)).toBeLessThan(0.011);
    }
    expect(Math.acos(theory.expectedCosine(27)) * DEGREES).toBeCloseTo(36.36, 2);
    expect(theory.expectedAngleDegrees(1e6)).toBeCloseTo(37.0714 - 23.66e-6, 3);
  });

  test('angles of small dimensions, by simulation', () => {
    // Three dimensions: the integral over a spherical octant.
    expect(theory.expectedAngleDegrees(3)).toBeCloseTo(28.1183, 3);
    for (const d of [1, 2, 3, 4, 6, 9, 10, 11]) {
      const draws = 20_000;
      let [sum, squares] = [0, 0];
      for (let i = 0; i < draws; i++) {
        const w = Array.from({ length: d }, (_, j) => normal(d, 8, i * d + j));
        const { angleDegrees } = reference.filterGeometry(w);
        sum += angleDegrees / draws;
        squares += angleDegrees ** 2 / draws;
      }
      const deviation = theory.sdAngleDegrees(d);
      const error = Math.abs(sum - theory.expectedAngleDegrees(d));
      expect(error, `mean at ${d}`).toBeLessThan((4 * deviation) / Math.sqrt(draws) + 0.01);
      // The delta method is 5 % off at d = 10.
      expect(Math.abs(Math.sqrt(Math.max(0, squares - sum * sum)) - deviation)).toBeLessThan(
        0.05 * deviation + 1e-5,
      );
    }
  });

  test('other laws of weights', () => {
    expect(theory.limitAngleDegrees('gaussian')).toBeCloseTo(theory.LIMIT_ANGLE_DEGREES, 12);
    expect(theory.limitAngleDegrees('uniform')).toBeCloseTo(30, 12);
    expect(theory.limitAngleDegrees('logistic')).toBeCloseTo(40.15, 2);
    expect(theory.limitAngleDegrees('laplace')).toBeCloseTo(45, 12);
    expect((theory.lawSdAngleDegrees('uniform', 784) / DEGREES) * 28).toBeCloseTo(Math.sqrt(0.1), 12);
    expect(theory.lawSdAngleDegrees('gaussian', 10_000) * 100).toBeCloseTo(20.178, 3);
    expect(theory.independentSdCosine(784)).toBeCloseTo(1 / 28, 12);
  });

  test('a saturated share', () => {
    expect(theory.saturatedCosine(1, 0.3)).toBe(1);
    expect(theory.saturatedCosine(0, 0.3)).toBeCloseTo(theory.LIMIT_COSINE, 12);
    expect(theory.saturatedCosine(0.25, 0)).toBeCloseTo(0.5, 12);
    const d = 200_000;
    const w = Array.from({ length: d }, (_, i) => (i % 4 === 0 ? (i % 8 ? 1 : -1) : 0.4 * normal(1, 9, i)));
    expect(Math.abs(reference.filterGeometry(w).cosine - theory.saturatedCosine(0.25, 0.4))).toBeLessThan(
      0.003,
    );
  });

  test('sign changes and overlaps', () => {
    for (const [r, share] of [
      [0.798, 0.206],
      [0.95, 0.101],
      [0.98, 0.064],
      [0.99, 0.045],
      [2 / Math.PI, 0.28],
    ] as const) {
      expect(Math.abs(theory.signChangeShare(r) - share)).toBeLessThan(0.0006);
    }
    expect(theory.arcsinLaw(0.9)).toBeCloseTo(0.7129, 4);
    expect(theory.arcsinLaw(0.5)).toBeCloseTo(1 / 3, 12);
    expect(theory.arcsinLaw(0.1)).toBeCloseTo(0.0638, 4);
  });

  test('dot products in data that favour the filter', () => {
    // C = I + (lambda - 1) u u', (w.u)^2 = 1/2, d = 1152.
    for (const [lambda, r] of [
      [5, 0.919],
      [20, 0.975],
      [100, 0.995],
    ] as const) {
      const alignment = (1 + (lambda - 1) / 2) / ((1152 + lambda - 1) / 1152);
      expect(Math.abs(theory.alignedCorrelation(alignment) - r)).toBeLessThan(0.003);
    }
    expect(theory.alignedCorrelation(1)).toBeCloseTo(theory.LIMIT_COSINE, 12);
  });

  test('ternary weights', () => {
    const angle = (a: number) => Math.acos(theory.ternaryCosine(a)) * DEGREES;
    for (const [a, degrees] of [
      [0, 37.07],
      [0.1, 34.15],
      [0.2, 31.51],
      [0.3, 29.24],
      [0.5, 26.32],
      [1, 30.78],
    ] as const) {
      expect(Math.abs(angle(a) - degrees), `a = ${a}`).toBeLessThan(0.006);
    }
    expect(angle(0.612)).toBeCloseTo(25.855, 3);
    expect(angle(0.612)).toBeLessThan(Math.min(angle(0.605), angle(0.619)));
    // Both branches of the normal tail, and where they meet.
    expect(Math.abs(theory.normalTail(1) / 0.15865525393145705 - 1)).toBeLessThan(1e-14);
    expect(Math.abs(theory.normalTail(5) / 2.8665157187919333e-7 - 1)).toBeLessThan(1e-13);
    expect(Math.abs(theory.normalTail(3 - 1e-9) / theory.normalTail(3) - 1)).toBeLessThan(1e-8);
  });

  test('random sign filters', () => {
    expect(theory.randomGramParticipation(128, 27)).toBeCloseTo(22.4, 1);
    expect(theory.randomGramParticipation(256, 1152)).toBeCloseTo(209.6, 1);
    expect(theory.randomGramParticipation(512, 4608)).toBeCloseTo(460.9, 1);
    expect(theory.tieProbability(1)).toBe(0);
    expect(theory.tieProbability(2)).toBeCloseTo(1 / 2, 14);
    expect(theory.tieProbability(4)).toBeCloseTo(6 / 16, 14);
    expect(theory.tieProbability(1152)).toBeCloseTo(0.0235, 4);
  });

  test('what makes no sense is refused', () => {
    for (const wrong of [
      () => theory.expectedCosine(0),
      () => theory.expectedCosine(2.5),
      () => theory.sdAngleDegrees(-3),
      () => theory.arcsinLaw(1.1),
      () => theory.signChangeShare(Number.NaN),
      () => theory.ternaryCosine(-1),
      () => theory.saturatedCosine(0, 0),
      () => theory.saturatedCosine(2, 1),
      () => theory.alignedCorrelation(0),
      () => theory.limitCosine('cauchy' as 'laplace'),
    ]) {
      expect(wrong).toThrow(OptionError);
    }
  });
});
