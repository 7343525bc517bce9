/** Pictures of methods and of theory: by the same plotting as the reports', and of the library's own functions. */
import {
  alignedCorrelation,
  arcsinLaw,
  expectedAngleDegrees,
  gaussianDensity,
  limitCosine,
  residualAngles,
  saturatedCosine,
  sdAngleDegrees,
  signChangeShare,
  ternaryCosine,
} from '../../src/geometry/index.ts';
import { type DescribedMethod, describeMethod } from '../../src/methods/describe.ts';
import { curvePlot } from '../../src/reports/methods.ts';
import { type Line, lines } from '../../src/reports/paper-figures.ts';
import { named, type Plot } from '../../src/reports/plots.ts';

const DEGREES = 180 / Math.PI;

/** A picture with its title and what it shows in words. */
export interface Figure {
  readonly title: string;
  readonly caption: string;
  readonly plot: Plot;
}

function sampled(from: number, to: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
}

function line(name: string, xs: readonly number[], f: (x: number) => number, more: Partial<Line> = {}): Line {
  return { name, points: xs.map((x) => [x, f(x)] as const), ...more };
}

/** The functions of a method, as its page on the command line draws them. */
export function methodFigures(method: DescribedMethod): readonly Figure[] {
  return describeMethod(method).figures.map((one) => ({
    title: `${method.name}: ${one.title.toLowerCase()}`,
    caption: one.caption,
    plot: curvePlot(one),
  }));
}

/** The pictures of docs/theory.md, by the names of their files. */
export const THEORY: Readonly<Record<string, () => Figure>> = {
  angles: () => {
    const dimensions = [...sampled(2, 20, 19), ...sampled(22, 100, 40), ...sampled(105, 400, 60)];
    const sd = (d: number) => sdAngleDegrees(d);
    return {
      title: 'The angle between a random vector and its signs',
      caption:
        'Mean over random directions of d dimensions, and one standard deviation to either side; the limit is 37.07 degrees.',
      plot: lines(
        [
          line('mean', dimensions, expectedAngleDegrees),
          line('mean - sd', dimensions, (d) => expectedAngleDegrees(d) - sd(d), {
            colour: 'var(--s3, #3f7d20)',
          }),
          line('mean + sd', dimensions, (d) => expectedAngleDegrees(d) + sd(d), {
            colour: 'var(--s3, #3f7d20)',
          }),
          line('limit', [2, 400], () => Math.acos(limitCosine('gaussian')) * DEGREES, { dashed: true }),
        ],
        { x: { ...named('dimensions'), min: 2, max: 400, type: 'log' }, y: { name: 'degrees' } },
      ),
    };
  },
  saturation: () => {
    const shares = sampled(0, 1, 101);
    return {
      title: 'What saturation does',
      caption:
        'Angle between weights and their signs, when a share of the weights lies at -1 or +1 and the others are normal with a deviation of 0.1, 0.3 or 0.5.',
      plot: lines(
        [0.1, 0.3, 0.5].map((sigma) =>
          line(
            `deviation ${sigma}`,
            shares,
            (p) => Math.acos(Math.min(1, saturatedCosine(p, sigma))) * DEGREES,
          ),
        ),
        { x: { ...named('share of weights at -1 or +1'), min: 0, max: 1 }, y: { name: 'degrees' } },
      ),
    };
  },
  arcsin: () => {
    const xs = sampled(-1, 1, 201);
    return {
      title: 'What a layer of signs does to overlaps',
      caption:
        'Correlation of the signs of two normal numbers, by the correlation of the numbers: (2/π) asin c.',
      plot: lines(
        [line('of signs', xs, arcsinLaw), line('of numbers', [-1, 1], (x) => x, { dashed: true })],
        { x: { ...named('correlation of the numbers'), min: -1, max: 1 }, y: { min: -1, max: 1 } },
      ),
    };
  },
  flips: () => {
    const xs = sampled(0, 1, 201);
    return {
      title: 'How many products change their sign',
      caption:
        'Share of dot products whose sign differs, by the correlation between products with latent and with binary weights.',
      plot: lines([line('share', xs, signChangeShare)], {
        x: { ...named('correlation of the products'), min: 0, max: 1 },
        y: { min: 0 },
      }),
    };
  },
  proportionality: () => {
    const xs = sampled(0.1, 10, 200);
    return {
      title: 'How well products are kept',
      caption:
        'Correlation of products with latent and with binary weights, by how much more the data vary along a filter than in other directions (1: alike in all).',
      plot: lines(
        [
          line('closed form', xs, (alignment) => alignedCorrelation(alignment)),
          line('cosine of the angle', [0.1, 10], () => limitCosine('gaussian'), { dashed: true }),
        ],
        { x: { ...named('alignment'), min: 0.1, max: 10, type: 'log' }, y: { max: 1 } },
      ),
    };
  },
  ternary: () => {
    const xs = sampled(0, 2.4, 121);
    return {
      title: 'Ternary weights',
      caption:
        'Angle between normal weights and their ternary version, which is 0 where |w| is below a threshold.',
      plot: lines([line('angle', xs, (a) => Math.acos(ternaryCosine(a)) * DEGREES)], {
        x: { ...named('threshold, in standard deviations'), min: 0, max: 2.4 },
        y: { name: 'degrees' },
      }),
    };
  },
  bits: () => {
    const angles = residualAngles(gaussianDensity(), 4);
    return {
      title: 'More bits',
      caption:
        'Angle between normal weights and a sum of 1 to 4 signs, each of what those before it left over.',
      plot: lines(
        [{ name: 'angle', points: angles.map((angle, i) => [i + 1, angle] as const), dots: true }],
        {
          x: { ...named('bits'), min: 1, max: 4, interval: 1 },
          y: { name: 'degrees', min: 0 },
        },
      ),
    };
  },
};

/** A picture as a file of its own, on white: what it says in words is its title. */
export function svgFile({ title, caption, plot }: Figure): string {
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  // What ECharts styles is what moves, and nothing does here.
  const drawn = plot.picture
    .toString()
    .replaceAll(/<style[\s\S]*?<\/style>/g, '')
    .replace('<svg', '<svg style="background:#fff"');
  return `${drawn.replace(/(<svg[^>]*>)/, `$1<title>${escaped(`${title}. ${caption}`)}</title>`)}\n`;
}
