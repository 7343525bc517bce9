/** Gradients that statistics of a row pass on; test/methods.test.ts holds each against central differences of whole rows. */
import { describe, expect, test } from 'vitest';
import { checkMethod } from '../../src/methods/check.ts';
import { adaBin, defineQuantizer, irNet, statisticsOf } from '../../src/methods/index.ts';
import { xnorNet } from '../../src/methods/quantizers/others.ts';
import { throughRow } from '../../src/methods/through.ts';
import { meanOf } from '../../src/numerics/mean.ts';
import { normal } from '../../src/numerics/random.ts';
import { useGpu } from '../helpers/gpu.ts';

const gpu = useGpu();

/** IR-Net with the gradient through the standardisation, as in the code of its authors; the power of two passes none. */
const irNetThrough = defineQuantizer({
  ...irNet.definition,
  name: 'irNetThrough',
  row: {
    ...irNet.definition.row,
    wgsl: `${irNet.definition.row?.wgsl}
      fn through(x: f32, sign: f32, passed: f32, row: RowStatistics) -> vec3f {
        return scale(row) * passed * slope(x, row) * vec3f(-1.0, 0.0, -argument(x, row));
      }`,
    through: throughRow(({ x, passed }, row) => {
      const slope = (irNet().row?.scale(row) ?? 1) * passed * (irNet().row?.slope(x, row) ?? 1);
      return [-slope, 0, -slope * (irNet().row?.argument(x, row) ?? x)];
    }),
  },
});

/** AdaBin's two values with the gradient through both of them. */
const adaBinThrough = defineQuantizer({
  ...adaBin.definition,
  name: 'adaBinThrough',
  row: {
    ...adaBin.definition.row,
    wgsl: `${adaBin.definition.row?.wgsl}
      fn through(x: f32, sign: f32, passed: f32, row: RowStatistics) -> vec3f {
        return vec3f(1.0 - passed, 0.0, sign - passed * argument(x, row));
      }`,
    through: throughRow(({ x, sign, passed }, row) => [
      1 - passed,
      0,
      sign - passed * (adaBin().row?.argument(x, row) ?? x),
    ]),
  },
});

test.each([
  ['of IR-Net', irNetThrough()],
  ['of AdaBin', adaBinThrough()],
] as const)(
  'the gradient through mean and deviation %s is that of central differences',
  async (_, quantizer) => {
    const { compared, worst } = await checkMethod(gpu(), quantizer);
    expect(compared).toBeGreaterThan(2000);
    expect(worst).toBeLessThan(1e-4);
  },
);

test('a row that is standardised passes on nothing along itself: it may be moved and stretched as one likes', () => {
  // Of a loss of the standardised row alone, as irNet's is.
  const { row, definition, parameters } = irNetThrough();
  const { through } = definition.row ?? {};
  if (row === undefined || through === undefined) throw new Error('no rule');
  const x = Array.from({ length: 40 }, (_, i) => 0.3 + 0.2 * normal(1, 1, i));
  const g = x.map((_, i) => normal(1, 2, i));
  const of = statisticsOf(x);
  const passed = x.map((value) => irNetThrough().gradient(row.argument(value, of)));
  const handed = [0, 0, 0];
  for (const [i, value] of x.entries()) {
    const slopes = through.twin({ x: value, sign: 1, passed: passed[i] ?? 0 }, of, parameters as never);
    for (const [k, slope] of slopes.entries())
      handed[k] = (handed[k] ?? 0) + (slope * (g[i] ?? 0)) / x.length;
  }
  const whole = x.map(
    (value, i) =>
      (g[i] ?? 0) * row.scale(of) * (passed[i] ?? 0) * row.slope(value, of) +
      (handed[0] ?? 0) +
      ((handed[2] ?? 0) * (value - of.mean)) / of.sd,
  );
  expect(meanOf(whole)).toBeCloseTo(0, 12);
  expect(meanOf(whole.map((slope, i) => slope * (x[i] ?? 0)))).toBeCloseTo(0, 12);
  expect(Math.hypot(...whole)).toBeGreaterThan(0.1);
});

describe('what is wrong with a rule that passes on is said', () => {
  const { row, ...rest } = xnorNet.definition;

  test('a wrong derivative is found', async () => {
    const wrong = defineQuantizer({
      ...rest,
      name: 'wrong',
      row: {
        ...row,
        wgsl: (row?.wgsl ?? '').replace('vec3f(0.0, sign, 0.0)', 'vec3f(0.0, 2.0 * sign, 0.0)'),
        through: throughRow(({ sign }) => [0, 2 * sign, 0]),
      },
    });
    await expect(checkMethod(gpu(), wrong())).rejects.toThrow(/gradient of values[\s\S]*central differences/);
  });

  test('a straight rule has none', () => {
    expect(() =>
      defineQuantizer({ ...rest, name: 'straight', row: { ...row, wgsl: row?.wgsl ?? '', straight: true } }),
    ).toThrow(/straight/);
  });
});
