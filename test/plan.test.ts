import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { growSlots, type Lifetime, planSlots, sharedSlots } from '../src/gpu/plan.ts';

const lifetimes = fc.array(
  fc
    .record({ bytes: fc.integer({ min: 1, max: 5000 }), first: fc.nat(30), length: fc.nat(10) })
    .map(({ bytes, first, length }): Lifetime => ({ bytes, first, last: first + length })),
  { maxLength: 40 },
);

describe('the memory plan', () => {
  test('gives every tensor a slot that holds it and is its own while it lives', () => {
    fc.assert(
      fc.property(lifetimes, (all) => {
        const { slots, assignment, peakBytes, lowerBound } = planSlots(all, 16);
        all.forEach((a, i) => {
          const slot = assignment[i] ?? -1;
          expect(slots[slot] ?? 0).toBeGreaterThanOrEqual(a.bytes);
          all.forEach((b, j) => {
            const overlap = a.first <= b.last && b.first <= a.last;
            if (i !== j && overlap) expect(assignment[j]).not.toBe(slot);
          });
        });
        expect(peakBytes).toBe(slots.reduce((sum, bytes) => sum + bytes, 0));
        expect(peakBytes).toBeGreaterThanOrEqual(lowerBound);
        expect(peakBytes).toBeLessThanOrEqual(
          all.reduce((sum, { bytes }) => sum + Math.ceil(bytes / 16) * 16, 0),
        );
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test('a chain of equal tensors needs two slots', () => {
    const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 256, first: i, last: i + 1 }));
    expect(planSlots(chain).slots).toEqual([256, 256]);
  });

  test('tensors that all live at once share nothing', () => {
    const all = [100, 300, 500].map((bytes) => ({ bytes, first: 0, last: 5 }));
    expect(planSlots(all).peakBytes).toBe(256 + 512 + 512);
  });

  test('plans share their buffers: each finds enough of them, and they take no more than what each rank needs', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 5 }), (plans) => {
        const have = sharedSlots(plans);
        for (const wanted of plans) {
          const { bytes, matched } = growSlots(have, wanted);
          expect(bytes).toEqual(have);
          expect(matched.every((buffer, slot) => (have[buffer] ?? -1) >= (wanted[slot] ?? 0))).toBe(true);
          expect(new Set(matched).size).toBe(wanted.length);
        }
        const ranked = plans.map((wanted) => [...wanted].sort((a, b) => b - a));
        const least = Array.from({ length: 8 }, (_, rank) =>
          Math.max(0, ...ranked.map((wanted) => wanted[rank] ?? 0)),
        );
        const sum = (bytes: readonly number[]) => bytes.reduce((total, each) => total + each, 0);
        expect(sum(have)).toBe(sum(least));
      }),
      { seed: 2, numRuns: 500 },
    );
  });
});
