/** What is learned from a teacher's activations: teacherCosine; and RBNN's slope. */
import { expect, test } from 'vitest';
import { teacherCosine } from '../../src/methods/losses/others.ts';
import { rbnn } from '../../src/methods/quantizers/others.ts';
import { normal } from '../../src/numerics/random.ts';

const row = (stream: number, length = 9) => Array.from({ length }, (_, i) => normal(stream, 1, i));

test('teacherCosine is 0 of equal directions, 2 of opposite ones, and its gradient turns without stretching', () => {
  const taught = row(1);
  const lossOf = (outputs: number[]) => teacherCosine().twin({ outputs, taught, wanted: taught });
  for (const [factor, loss] of [
    [1, 0],
    [3, 0],
    [-2, 2],
  ] as const) {
    const found = lossOf(taught.map((value) => factor * value));
    expect(found.loss).toBeCloseTo(loss, 12);
    for (const g of found.gradient) expect(g).toBeCloseTo(0, 12);
  }
  const outputs = row(2);
  const { gradient } = lossOf(outputs);
  expect(Math.hypot(...gradient)).toBeGreaterThan(0.01);
  expect(gradient.reduce((sum, g, c) => sum + g * (outputs[c] ?? 0), 0)).toBeCloseTo(0, 12);
  expect(lossOf(outputs.map(() => 0))).toEqual({ loss: 1, gradient: outputs.map(() => 0) });
});

test('the slope of rbnn has the area of the step from -k to k, whatever its steepness is', () => {
  for (const steepness of [0.01, 0.3, 1, 10]) {
    const own = rbnn({ steepness });
    const end = Math.SQRT2 / steepness;
    const k = Math.max(1 / steepness, 1);
    const steps = 4000;
    let area = 0;
    for (let i = 0; i < steps; i++) area += own.gradient(-end + (2 * end * (i + 0.5)) / steps);
    expect((area * 2 * end) / steps / k).toBeCloseTo(2, 4);
    expect(own.gradient(end * 1.001)).toBe(0);
    expect((own.surrogate(end) ?? 0) / k).toBeCloseTo(1, 12);
  }
});
