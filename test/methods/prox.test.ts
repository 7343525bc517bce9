/** What draws weights to signs: ProxQuant, PARQ, AskewSGD. */
import { describe, expect, test } from 'vitest';
import { adam, proxQuant } from '../../src/methods/index.ts';
import { askewSgd, parq, proxQuantTernary } from '../../src/methods/optimizers/others.ts';
import { normal } from '../../src/numerics/random.ts';
import { follow } from '../helpers/steps.ts';

const weights = Array.from({ length: 41 }, (_, i) => (i - 20) / 20);

describe('proxQuant', () => {
  test('with λ of 1 or more makes the sign of a weight up to 1 of it', () => {
    for (const w of weights) {
      const [, last] = follow(proxQuant({ strength: 1 }), w, () => 0, { steps: 2, epochSteps: 1 });
      expect(last?.w, `from ${w}`).toBe(w < 0 ? -1 : 1);
    }
  });

  test('draws a weight by λ, and no farther than to its sign, from both sides', () => {
    for (const [from, to] of [
      [0.5, 0.6],
      [-0.5, -0.6],
      [0.95, 1],
      [1.5, 1.4],
      [-1.05, -1],
    ] as const) {
      const [, last] = follow(proxQuant({ strength: 0.1 }), from, () => 0, {
        ...{ steps: 2, epochSteps: 1, clipped: false },
      });
      expect(last?.w).toBeCloseTo(to, 12);
    }
  });
});

describe('proxQuantTernary', () => {
  const [steps, epochSteps] = [180, 30];
  const optimizer = proxQuantTernary({ strength: 0.01 });
  const { twin, measure, finish } = optimizer.definition;

  /** A tensor without gradients. */
  function pulled(start: readonly number[]) {
    const slots = start.map(() => ({ m: 0, v: 0 }));
    let [w, measured] = [[...start], measure?.start ?? Number.NaN];
    for (let step = 0; step < steps; step++) {
      const row = optimizer.scalarsAt({ step, steps, epochSteps, rate: 0.01 });
      const scalars = Object.fromEntries(optimizer.scalars.map((name, i) => [name, row[i] ?? 0]));
      const own = { g: 0, scalars, stepScale: 1, measured, chance: 0.5 };
      const now = w.map((was, i) =>
        twin({ ...own, w: was, slots: slots[i] ?? {} }, optimizer.parameters as never),
      );
      const sum = now.reduce((all, one, i) => {
        const seen = { was: w[i] ?? 0, now: one, g: 0, slots: slots[i] ?? {}, measured };
        return all + (measure?.twin(seen, optimizer.parameters as never) ?? 0);
      }, 0);
      [w, measured] = [now, sum / now.length];
    }
    return { w, level: measured };
  }

  test('draws the weights of a tensor to -a, 0 and a, each to the nearest, and a is the level of least error', () => {
    const start = Array.from({ length: 600 }, (_, i) => 0.1 * normal(4, 1, i));
    const { w, level } = pulled(start);
    // Of a normal distribution: Lloyd and Max's three levels.
    expect(level / 0.1).toBeCloseTo(1.224, 1);
    const rounded = finish?.({ weights: Float32Array.from(w), slots: {} }, optimizer.parameters as never);
    for (const [i, one] of w.entries()) {
      const away = Math.abs(start[i] ?? 0) - level / 2;
      if (Math.abs(away) < 0.005) continue;
      const wanted = away < 0 ? 0 : Math.sign(start[i] ?? 0) * level;
      expect(one, `from ${start[i]}`).toBeCloseTo(wanted, 2);
      expect(rounded?.[i], `from ${start[i]}`).toBeCloseTo(wanted, 2);
    }
    expect(new Set(rounded?.map((value) => Math.fround(Math.abs(value)))).size).toBe(2);
  });

  test('leaves weights that have come there', () => {
    const there = [-0.3, 0, 0.3, 0.3, 0, 0];
    const { w, level } = pulled(there);
    expect(level).toBeCloseTo(0.3, 9);
    for (const [i, one] of w.entries()) expect(one).toBeCloseTo(there[i] ?? Number.NaN, 9);
  });
});

describe('parq', () => {
  const gradientOf = (w: number, step: number) => normal(3, 1, step) + 0.2 * w;

  test('is the clipped latent weight as long as nothing has fallen', () => {
    const made = follow(parq({ start: 0.999, end: 1 }), 0.3, gradientOf, { steps: 50, rate: 0.1 });
    for (const { w, slots } of made.slice(0, -1)) {
      const u = w + (slots.rest ?? 0);
      expect(w).toBeCloseTo(Math.max(-1, Math.min(1, u)), 9);
    }
    expect(made.some(({ slots }) => Math.abs(slots.rest ?? 0) > 0.01)).toBe(true);
  });

  test('is BinaryConnect where all has fallen: Adam on latent weights, by the gradient at their signs', () => {
    for (const start of [0.4, -0.02, 0.9]) {
      const steps = 200;
      const made = follow(parq({ start: 0, end: 0 }), start, gradientOf, { steps, rate: 0.02 });
      // Before the first step the weight is its value in both.
      const signs = [start, ...made.map(({ w }) => w)];
      const plain = follow(adam(), start, (_, step) => gradientOf(signs[step] ?? 0, step), {
        ...{ steps, rate: 0.02, clipped: false },
      });
      expect(made.map(({ w }) => w)).toEqual(plain.map(({ w }) => (w < 0 ? -1 : 1)));
      expect(new Set(made.map(({ w }) => w)).size).toBe(2);
    }
  });

  test('ends with signs, and gets there without turning back', () => {
    const optimizer = parq();
    const spreads = Array.from({ length: 100 }, (_, step) => {
      const row = optimizer.scalarsAt({ step, steps: 100, epochSteps: 100, rate: 0.1 });
      return row[optimizer.scalars.indexOf('spread')] ?? Number.NaN;
    });
    expect(spreads[0]).toBeCloseTo(1, 12);
    expect(spreads.at(-1)).toBe(0);
    expect(spreads.every((spread, i) => i === 0 || spread < (spreads[i - 1] ?? 0))).toBe(true);
  });
});

describe('askewSgd', () => {
  test('without gradients brings every weight but 0 to w² >= 1 - √ε, with its sign', () => {
    const [hold, decay, steps, epochSteps] = [1, 0.5, 4000, 200];
    const tolerance = decay ** (steps / epochSteps - 1 - hold);
    for (const w of weights) {
      const last = follow(askewSgd({ hold, decay }), w, () => 0, { steps, epochSteps, rate: 0.05 }).at(-1);
      if (w === 0) {
        expect(last?.w).toBe(0);
        continue;
      }
      expect(Math.sign(last?.w ?? 0), `from ${w}`).toBe(Math.sign(w));
      // A last step that falls short of the bound by what it moved is one more step away from it.
      expect((last?.w ?? 0) ** 2, `from ${w}`).toBeGreaterThan(1 - Math.sqrt(tolerance) - 0.02);
    }
  });

  test('lets gradients through as they are while ε is 1', () => {
    for (const w of [-0.7, 0.1, 0.6]) {
      expect(follow(askewSgd(), w, () => 0.3, { steps: 1, rate: 0.1 })[0]?.w).toBeCloseTo(w - 0.03, 12);
    }
  });

  test('in a constraint, a gradient counts only where it moves the weight farther outwards than the mending', () => {
    const late = { hold: 0, decay: 1e-9, pull: 0.2 };
    const moved = (g: number) => {
      const [, second] = follow(askewSgd(late), 0.5, (_, step) => (step === 0 ? 0 : g), {
        ...{ steps: 2, epochSteps: 1, rate: 0.01 },
      });
      return second?.w ?? Number.NaN;
    };
    expect(moved(5)).toBe(moved(0));
    expect(moved(0)).toBeGreaterThan(0.5);
    expect(moved(-5)).toBeGreaterThan(moved(0));
  });
});
