/** Shift-based AdaMax: every step is m over v, shifted by whole bits. */
import { expect, test } from 'vitest';
import { shiftAdaMax } from '../../src/methods/optimizers/others.ts';
import { normal } from '../../src/numerics/random.ts';
import { follow } from '../helpers/steps.ts';

const isPowerOfTwo = (x: number) => Math.abs(Math.log2(x) - Math.round(Math.log2(x))) < 1e-9;

test('every step is a power of two times m / v, and v one plus 2^-27', () => {
  const rate = 2 ** -10;
  const made = follow(shiftAdaMax(), 0.2, (_, step) => normal(1, 1, step), { steps: 200, rate });
  let [before, m, v] = [0.2, 0, 0];
  for (const [step, { w, slots }] of made.entries()) {
    const g = normal(1, 1, step);
    m = 0.9 * m + 0.1 * g;
    expect(slots.m).toBeCloseTo(m, 12);
    // Rounded to the nearest power of what AdaMax keeps.
    const most = Math.max(0.999 * v, Math.abs(g));
    v = slots.v ?? 0;
    expect(isPowerOfTwo(v - 2 ** -27)).toBe(true);
    expect(Math.abs(Math.log2((v - 2 ** -27) / most))).toBeLessThanOrEqual(0.5);
    const shift = ((before - w) * v) / m;
    expect(isPowerOfTwo(shift), `step ${step}: ${shift}`).toBe(true);
    expect(Math.abs(Math.log2(shift / (rate / (1 - 0.9 ** (step + 1)))))).toBeLessThanOrEqual(0.5);
    before = w;
  }
});
