/** Boolean logic: what it inverts, and how fast its memory fades, against a plain account of the rule. */
import { expect, test } from 'vitest';
import { boolean } from '../../src/methods/optimizers/others.ts';
import { normal } from '../../src/numerics/random.ts';

test('inverts a weight when signals against it have added up to 1, forgets it then, and fades by what stayed', () => {
  const [size, steps, eta] = [400, 60, 0.3];
  const optimizer = boolean({ eta });
  const { twin, measure } = optimizer.definition;
  const values = optimizer.parameters as never;
  const state = Array.from({ length: size }, (_, i) => ({ w: i % 3 === 0 ? -1 : 1, slots: { m: 0 } }));
  const plain = state.map(({ w }) => ({ w, m: 0 }));
  let measured = measure?.start ?? Number.NaN;
  let beta = 1;
  const shares: number[] = [];
  for (let step = 0; step < steps; step++) {
    const [scalar] = optimizer.scalarsAt({ step, steps, epochSteps: steps, rate: 1 });
    let [sum, stayed] = [0, 0];
    for (const [i, one] of state.entries()) {
      const g = normal(2, step, i) / (1 + step / 10);
      const was = one.w;
      const given = {
        w: was,
        g,
        slots: one.slots,
        scalars: { eta: scalar ?? 0 },
        stepScale: 1,
        measured,
        chance: 0.5,
      };
      one.w = twin(given, values);
      sum += measure?.twin({ was, now: one.w, g, slots: one.slots, measured }, values as never) ?? 0;

      const mine = plain[i] ?? { w: 1, m: 0 };
      mine.m = beta * mine.m + eta * g;
      if (mine.w * mine.m >= 1) Object.assign(mine, { w: -mine.w, m: 0 });
      else stayed += 1;
      expect([one.w, one.slots.m], `step ${step}, weight ${i}`).toEqual([mine.w, mine.m]);
    }
    [measured, beta] = [sum / size, stayed / size];
    expect(measured).toBe(beta);
    shares.push(beta);
  }
  // Some weights turn, and never all of them.
  expect(Math.min(...shares)).toBeLessThan(1);
  expect(Math.min(...shares)).toBeGreaterThan(0.5);
});
