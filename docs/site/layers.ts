/** Pictures of layers that are functions of single values, by the reference. */
import { clamp, curve, prelu } from '../../src/reference/pointwise.ts';
import { lines } from '../../src/reports/paper-figures.ts';
import { named } from '../../src/reports/plots.ts';
import type { Figure } from './plots.ts';

const XS = Array.from({ length: 161 }, (_, i) => -4 + i / 20);

const FUNCTIONS: Readonly<
  Record<string, readonly [caption: string, of: (x: readonly number[]) => ArrayLike<number>]>
> = {
  leakyRelu: ['With alpha 0.3.', (x) => curve('leakyRelu', x, 0.3)],
  prelu: ['With a slope of 0.25.', (x) => x.flatMap((one) => [...prelu([one], [0.25])])],
  relu: ['Without an upper bound.', (x) => clamp(x, 0, Number.POSITIVE_INFINITY)],
  selu: ['', (x) => curve('selu', x)],
  sigmoid: ['', (x) => curve('sigmoid', x)],
  sign: ['The sign of 0 is +1.', (x) => x.map((one) => (one < 0 ? -1 : 1))],
  tanh: ['', (x) => curve('tanh', x)],
};

/** What a layer makes of a value, where it is a function of that alone. */
export function layerFigure(kind: string): Figure | undefined {
  const [caption, of] = FUNCTIONS[kind] ?? [];
  if (of === undefined) return undefined;
  const ys = of(XS);
  return {
    title: kind,
    caption: `What becomes of a value from -4 to 4. ${caption}`.trim(),
    plot: lines([{ name: kind, points: XS.map((x, i) => [x, ys[i] ?? Number.NaN] as const) }], {
      x: { ...named('value'), min: -4, max: 4 },
      y: {},
    }),
  };
}
