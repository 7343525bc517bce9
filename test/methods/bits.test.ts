/** Quantizers of several values: their levels, errors and likelihoods, by what defines them. */
import { describe, expect, test } from 'vitest';
import { magnitudeAwareSign, type Quantizer, quantizedRow, statisticsOf } from '../../src/methods/index.ts';
import {
  distributionAware,
  fracBits,
  greedyBits,
  leastSquares2Bits,
  uniq,
} from '../../src/methods/quantizers/others.ts';
import { meanOf } from '../../src/numerics/mean.ts';
import { normal } from '../../src/numerics/random.ts';

const drawn = (count: number, seed: number, map = (x: number) => x) =>
  Array.from({ length: count }, (_, i) => map(normal(seed, 1, i)));

function made(quantizer: Quantizer, x: readonly number[]) {
  if (quantizer.row === undefined) throw new Error('no rule');
  return quantizedRow(quantizer.row, x);
}

const errorOf = (x: readonly number[], values: readonly number[]) =>
  meanOf(x.map((value, i) => (value - (values[i] ?? Number.NaN)) ** 2));

/** The least error of two levels, by trying every bound between sorted values. */
function bestOfTwo(x: readonly number[]): number {
  const sorted = x.toSorted((a, b) => a - b);
  const squares = sorted.reduce((sum, value) => sum + value * value, 0);
  const total = sorted.reduce((sum, value) => sum + value, 0);
  let [below, best] = [0, Number.POSITIVE_INFINITY];
  for (const [i, value] of sorted.entries()) {
    below += value;
    const [few, many] = [i + 1, sorted.length - i - 1];
    const explained = below ** 2 / few + (many === 0 ? 0 : (total - below) ** 2 / many);
    best = Math.min(best, (squares - explained) / sorted.length);
  }
  return best;
}

const ROWS = [
  ['normal', drawn(400, 1)],
  ['short', drawn(27, 2)],
  ['skewed', drawn(300, 3, (x) => Math.exp(x) / 3)],
  ['two heaps', drawn(300, 4, (x) => (x < 0.5 ? x / 10 : 2 + x / 10))],
] as const;

describe('leastSquares2Bits', () => {
  test('of a normal distribution has v1 .981599, v2 .528819 and an error of .117482', () => {
    const x = drawn(200_001, 5);
    const { planes, values } = made(leastSquares2Bits(), x);
    expect(planes[0]?.scale).toBeCloseTo(0.981599, 2);
    expect(planes[1]?.scale).toBeCloseTo(0.528819, 2);
    expect(errorOf(x, values)).toBeCloseTo(0.117482, 2);
    // The equation that defines v1.
    const v1 = planes[0]?.scale ?? 0;
    const sizes = x.map(Math.abs);
    const [above, below] = [sizes.filter((size) => size > v1), sizes.filter((size) => size <= v1)];
    expect((meanOf(above) + meanOf(below)) / 2).toBeCloseTo(v1, 6);
  });

  test.each(ROWS)(
    'errs as little as the best scan, of a row that is %s, and less than greedy bits',
    (_, x) => {
      const own = errorOf(x, made(leastSquares2Bits(), x).values);
      // Two bits ±v1 ± v2 are two levels of |x|.
      expect(own).toBeLessThanOrEqual(1.02 * bestOfTwo(x.map(Math.abs)) + 1e-12);
      expect(own).toBeLessThanOrEqual(errorOf(x, made(greedyBits(), x).values) + 1e-12);
    },
  );
});

describe('greedyBits', () => {
  test('of one bit are magnitudeAwareSign, and each bit more errs less', () => {
    const [, x] = ROWS[0];
    expect(made(greedyBits({ bits: 1 }), x).values).toEqual(made(magnitudeAwareSign(), x).values);
    const errors = [1, 2, 3, 4].map((bits) => errorOf(x, made(greedyBits({ bits }), x).values));
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
    // What is explained by a bit is its scale squared.
    const [first] = made(greedyBits({ bits: 1 }), x).planes;
    expect(errors[0]).toBeCloseTo(meanOf(x.map((value) => value * value)) - (first?.scale ?? 0) ** 2, 10);
  });
});

describe('distributionAware', () => {
  test.each(ROWS)('has the two levels of least error, of a row that is %s', (_, x) => {
    const { values } = made(distributionAware(), x);
    expect(new Set(values.map((value) => value.toFixed(9))).size).toBe(2);
    expect(errorOf(x, values)).toBeLessThanOrEqual(1.02 * bestOfTwo(x) + 1e-12);
    const [lower, upper] = [Math.min(...values), Math.max(...values)];
    const bound = (lower + upper) / 2;
    expect(lower).toBeCloseTo(meanOf(x.filter((value) => value <= bound)), 6);
    expect(upper).toBeCloseTo(meanOf(x.filter((value) => value > bound)), 6);
  });

  test('of equal weights there is one level', () => {
    expect(statisticsOf([0.5, 0.5, 0.5])).toMatchObject({ lower: 0.5, upper: 0.5 });
    expect(made(distributionAware(), [0.5, 0.5, 0.5]).values).toEqual([0.5, 0.5, 0.5]);
  });
});

describe('uniq', () => {
  test('gives each of its values as often, of a normal distribution, whatever its mean and spread', () => {
    for (const bits of [1, 2]) {
      const x = drawn(40_000, 6, (value) => 3 + 0.2 * value);
      const counts = new Map<string, number>();
      for (const value of made(uniq({ bits }), x).values) {
        const key = value.toFixed(6);
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      expect(counts.size).toBe(2 ** bits);
      for (const count of counts.values()) {
        expect(count / x.length).toBeGreaterThan(0.97 / 2 ** bits);
        expect(count / x.length).toBeLessThan(1.03 / 2 ** bits);
      }
    }
  });

  test('has the middles of the quantiles, in deviations', () => {
    const x = drawn(1000, 7);
    const { mean, sd } = statisticsOf(x);
    const levels = [...new Set(made(uniq(), x).values.map((value) => ((value - mean) / sd).toFixed(4)))];
    // Φ⁻¹ of 1/8, 3/8, 5/8 and 7/8.
    expect(levels.sort()).toEqual(['-0.3186', '-1.1503', '0.3186', '1.1503']);
  });
});

test('fracBits is the nearest of -1, -1/3, 1/3 and 1', () => {
  for (const x of drawn(200, 8)) {
    const nearest = [-1, -1 / 3, 1 / 3, 1].toSorted((a, b) => Math.abs(a - x) - Math.abs(b - x))[0];
    expect(made(fracBits(), [x]).values[0], `of ${x}`).toBeCloseTo(nearest ?? Number.NaN, 12);
  }
});
