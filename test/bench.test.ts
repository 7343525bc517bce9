/** The benchmark's own parts: its clock, its ceilings, what it says when a result is wrong. */
import { describe, expect, test } from 'vitest';
import { check, measureCeilings } from '../src/bench/ceilings.ts';
import { timing } from '../src/bench/measure.ts';
import { useGpu } from './helpers/gpu.ts';

describe('timings', () => {
  test('the median of an odd number of samples is the middle one, of an even number the mean of two', () => {
    expect(timing([5, 1, 3])).toEqual({ median: 3, fastest: 1, slowest: 5, runs: 3 });
    expect(timing([4, 1, 2, 9])).toEqual({ median: 3, fastest: 1, slowest: 9, runs: 4 });
  });
});

describe('ceilings', () => {
  const gpu = useGpu();

  test('are measured with checked results, and are positive', async () => {
    const ceilings = await measureCeilings(gpu(), { runs: 2, sample: 1 });
    for (const { perSecond, work, time } of [
      ceilings.popcounts,
      ceilings.logic,
      ceilings.multiplyAdds,
      ceilings.copy,
    ]) {
      expect(perSecond).toBeGreaterThan(0);
      expect(perSecond).toBeCloseTo((1000 * work) / time.fastest, 0);
      expect(time.runs).toBe(2);
    }
    expect(ceilings.roundTrip.median).toBeGreaterThan(0);
    expect(ceilings.dispatch.runs).toBe(2);
    expect(ceilings.submit.runs).toBe(2);
  });

  test('leave no memory behind', async () => {
    const before = gpu().memory.bytes;
    await measureCeilings(gpu(), { runs: 1, sample: 1 });
    expect(gpu().memory.bytes).toBe(before);
  });

  test('a wrong result names the place, what was found and what was expected', () => {
    expect(() => check('sums', [1, 2, 3, 5], 2, (row) => [2 * row + 1, 2 * row + 2])).toThrow(
      /sums, element 3.*given: +5.*expected: 4/s,
    );
    expect(() => check('sums', [1, 2, 3, 4], 2, (row) => [2 * row + 1, 2 * row + 2])).not.toThrow();
  });
});
