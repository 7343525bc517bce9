/** The report of a comparison: one self-contained page for people, and its table in Markdown. */
import type { ComparedMethod, JobDone, JobResult } from '../compare/index.ts';
import type { MethodDescription } from '../methods/describe.ts';
import { meanOf } from '../numerics/mean.ts';
import type { KeptComparison } from './compared.ts';
import { type Html, html } from './html.ts';
import { curvePlot } from './methods.ts';
import { type Cell, charts, type Fact, type Made, page, table } from './page.ts';
import {
  AXIS,
  colourOf,
  draw,
  figure,
  HEIGHT,
  LETTERS,
  named,
  PLOT,
  type Plot,
  symbolOf,
  WIDTH,
} from './plots.ts';
import { optionText } from './training.ts';
import { bytesText, percent, whole } from './words.ts';

export interface ComparisonReport {
  readonly version: 1;
  readonly made: Made;
  readonly adapter: { readonly name: string; readonly software: boolean };
  readonly comparison: KeptComparison;
  readonly methods: readonly ComparedMethod[];
  readonly results: readonly JobResult[];
}

/** Lines that can be told from each other in one picture. */
const MOST_LINES = 9;

/** @param pages what each entry is made of, by its text */
export function renderComparison(
  report: ComparisonReport,
  pages: ReadonlyMap<string, readonly MethodDescription[]>,
): string {
  const { comparison, methods, results } = report;
  const done = methods.filter((method) => method.done > 0);
  const ranked = done.toSorted((a, b) => b.accuracy.mean - a.accuracy.mean);
  const [best] = ranked;
  const failed = methods.filter((method) => method.failed > 0);
  return page({
    kicker: 'webgpu-bnn comparison of methods',
    title: `${comparison.model} on ${comparison.dataset}`,
    header: html`<p class="figures">${
      best === undefined
        ? 'No training came to its end.'
        : html`<strong>${percent(best.accuracy.mean)}</strong> test accuracy with ${best.method}, the best of ${methods.length} methods over ${comparison.seeds?.length ?? 0} seed${comparison.seeds?.length === 1 ? '' : 's'}`
    }</p>`,
    body: html`<h2>Table</h2>
<p>Each method was trained once with each seed on the same data in the same order, from the same weights. Accuracies are means
over the seeds with their standard deviation.</p>
${methodTable(methods)}
${
  failed.length === 0
    ? undefined
    : html`<h2>Failed</h2>
${table(
  ['method', 'trainings', 'why'],
  failed.map(({ method, failed: count, error }) => [
    method,
    String(count),
    error?.message.split('\n')[0] ?? '',
  ]),
)}`
}
<h2>Accuracy</h2>
${charts([
  figure(
    'Accuracy',
    'Test accuracy of each seed after the last epoch, in per cent.',
    dots(ranked, 'test accuracy, %', [{ name: 'seeds', of: ({ method }) => accuraciesOf(results, method) }]),
  ),
  ...inParts(ranked).map((part, index, all) =>
    figure(
      all.length === 1
        ? 'Learning curves'
        : `Learning curves, ${index * MOST_LINES + 1} to ${index * MOST_LINES + part.length} by accuracy`,
      'Test accuracy after each epoch in per cent: mean over the seeds, and a band of one standard deviation.',
      curves(part, index * MOST_LINES),
    ),
  ),
  figure(
    'Accuracy and size',
    'Mean test accuracy in per cent against the size of the model file in kilobytes, on a logarithmic axis.',
    scatter(ranked, 'kB', ({ bytes }) => bytes / 1024),
  ),
  figure(
    'Accuracy and flips',
    'Mean test accuracy in per cent against the sign changes of a weight in the whole training, on a logarithmic axis.',
    scatter(ranked, 'flips of a weight', ({ flips }) => flips),
  ),
])}
<h2>Layers</h2>
${charts([
  figure(
    'Angles',
    'Mean angle between latent weights and their signs in each layer after the last epoch; 0 of methods without latent weights.',
    byLayer(ranked, 'degrees', ({ angle }) => angle),
  ),
  figure(
    'Proportionality',
    'Correlation r of dot products with binary and with continuous weights, a mean over the filters of each layer.',
    byLayer(ranked, 'r', ({ r }) => r),
  ),
])}
<h2>Functions</h2>
<p>What the methods compute, drawn from their float64 twins.</p>
${functionsOf(ranked, pages)}`,
    facts: factsOf(report),
    made: report.made,
  });
}

/** Columns of the table, and what each says of a method. */
const COLUMNS: readonly (readonly [string, (method: ComparedMethod) => Cell])[] = [
  ['method', ({ method }) => method],
  ['test accuracy', ({ accuracy }) => [accuracyText(accuracy), accuracy.mean]],
  ['bits a weight', ({ bitsPerWeight }) => [numberText(bitsPerWeight, 2), bitsPerWeight]],
  ['size', ({ bytes }) => [bytesText(bytes), bytes]],
  ['binary MACs', ({ operations }) => [whole(operations.binary), operations.binary]],
  ['float MACs', ({ operations }) => [whole(operations.float), operations.float]],
  ['images a second', ({ imagesPerSecond }) => [whole(imagesPerSecond), imagesPerSecond]],
  [
    'flips of a weight',
    ({ flips }) => [Number.isFinite(flips) ? numberText(flips, 3) : '–', sortable(flips)],
  ],
  ['angle by layer', ({ layers }) => [anglesText(layers), sortable(layers[0]?.angle ?? Number.NaN)]],
  ['r by layer', ({ layers }) => [rText(layers), sortable(layers[0]?.r ?? Number.NaN)]],
];

function methodTable(methods: readonly ComparedMethod[]): Html {
  return table(
    COLUMNS.map(([name]) => name),
    methods.map((method) =>
      method.done === 0
        ? [method.method, ['failed', -1], ...COLUMNS.slice(2).map((): Cell => ['–', -1])]
        : COLUMNS.map(([, cell]) => cell(method)),
    ),
    { sortable: true, className: 'dense' },
  );
}

/** The table as Markdown. */
export function comparisonMarkdown(methods: readonly ComparedMethod[]): string {
  const text = (cell: Cell) => (typeof cell === 'string' ? cell : cell[0]).replaceAll('|', '\\|');
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rows = methods.map((method) =>
    method.done === 0
      ? [method.method, 'failed', ...COLUMNS.slice(2).map(() => '–')]
      : COLUMNS.map(([, cell]) => text(cell(method))),
  );
  const ruler = COLUMNS.map((_, column) => (column === 0 ? '---' : '---:'));
  return `${[line(COLUMNS.map(([name]) => name)), line(ruler), ...rows.map(line)].join('\n')}\n`;
}

/** `97.39 ± 0.12 %`; of one seed without its deviation. */
export function accuracyText({ mean, sd }: ComparedMethod['accuracy']): string {
  return Number.isNaN(sd) ? percent(mean) : `${(100 * mean).toFixed(2)} ± ${(100 * sd).toFixed(2)} %`;
}

/** Without zeros at the end. */
function numberText(value: number, digits: number): string {
  return Number.isFinite(value) ? String(Number(value.toFixed(digits))) : '–';
}

function sortable(value: number): number {
  return Number.isFinite(value) ? value : -1;
}

/** Layers whose numbers are told one by one; of more it is their mean and range. */
const MOST_LAYERS = 6;

/** Degrees by layer. */
export function anglesText(layers: ComparedMethod['layers']): string {
  return byLayerText(
    layers.map(({ angle }) => angle),
    (angle) => `${angle.toFixed(1)}°`,
  );
}

/** Correlations by layer. */
export function rText(layers: ComparedMethod['layers']): string {
  return byLayerText(
    layers.map(({ r }) => r),
    (r) => r.toFixed(3),
  );
}

function byLayerText(values: readonly number[], text: (value: number) => string): string {
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length === 0) return '–';
  if (values.length <= MOST_LAYERS) {
    return values.map((value) => (Number.isNaN(value) ? '–' : text(value))).join(' ');
  }
  return `${text(meanOf(known))} (${text(Math.min(...known))} to ${text(Math.max(...known))})`;
}

function accuraciesOf(results: readonly JobResult[], method: string): number[] {
  return results
    .filter((result): result is JobDone => result.state === 'done' && result.job.method === method)
    .map(({ testAccuracy }) => 100 * testAccuracy);
}

function inParts<T>(list: readonly T[]): (readonly T[])[] {
  const count = Math.ceil(list.length / MOST_LINES);
  return Array.from({ length: count }, (_, part) => list.slice(part * MOST_LINES, (part + 1) * MOST_LINES));
}

function coloured(index: number) {
  const color = colourOf(index);
  return { color, itemStyle: { color } };
}

function curves(methods: readonly ComparedMethod[], first: number): Plot {
  const epochs = Math.max(...methods.map(({ curve }) => curve.length));
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: {
      ...AXIS,
      ...named('epoch'),
      type: 'category',
      data: Array.from({ length: epochs }, (_, index) => index + 1),
      boundaryGap: epochs === 1,
    },
    yAxis: { ...AXIS, type: 'value', name: '%', scale: true },
    series: methods.flatMap(({ method, curve }, index) => {
      const { color, itemStyle } = coloured(first + index);
      const around = curve.map(({ mean, sd }) => [100 * mean, 100 * (sd || 0)] as const);
      const hidden = {
        type: 'line',
        stack: `band ${index}`,
        symbol: 'none',
        lineStyle: { opacity: 0 },
        silent: true,
      };
      return [
        {
          ...{ type: 'line', name: method, color, itemStyle },
          data: around.map(([mean]) => mean),
          lineStyle: { color, width: 2 },
          symbol: 'circle',
          symbolSize: 6,
          showSymbol: epochs <= 15,
        },
        { ...hidden, data: around.map(([mean, sd]) => mean - sd) },
        { ...hidden, data: around.map(([, sd]) => 2 * sd), areaStyle: { color, opacity: 0.15 } },
      ];
    }),
  });
}

function scatter(
  methods: readonly ComparedMethod[],
  x: string,
  of: (method: ComparedMethod) => number,
): Plot {
  const shown = methods.filter((method) => of(method) > 0);
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: { ...AXIS, ...named(x), type: 'log' },
    yAxis: { ...AXIS, type: 'value', name: '%', scale: true },
    series: shown.map((method) => ({
      ...{ type: 'scatter', name: method.method, ...coloured(methods.indexOf(method)) },
      data: [[of(method), 100 * method.accuracy.mean]],
      symbol: symbolOf(methods.indexOf(method)),
      symbolSize: 10,
    })),
  });
}

/** A row a method, and dots on it. */
const ROW_HEIGHT = 22;
const NAMES = 192;

interface Dots {
  readonly name: string;
  readonly of: (method: ComparedMethod) => readonly number[];
}

function dots(methods: readonly ComparedMethod[], x: string, series: readonly Dots[]): Plot {
  const rows = methods.toReversed();
  return draw(76 + ROW_HEIGHT * rows.length, {
    grid: { left: NAMES, right: 24, top: 12, bottom: 48 },
    xAxis: {
      ...AXIS,
      ...named(x),
      type: 'value',
      scale: true,
      splitNumber: Math.round((WIDTH - NAMES) / 80),
    },
    yAxis: {
      ...AXIS,
      type: 'category',
      data: rows.map(({ method }) => method),
      axisLabel: {
        ...AXIS.axisLabel,
        fontSize: LETTERS,
        interval: 0,
        // Letters of other fonts are up to a tenth wider than they are measured.
        width: 0.85 * NAMES,
        overflow: 'truncate',
      },
      splitLine: { show: true, lineStyle: AXIS.splitLine.lineStyle },
    },
    series: series.map(({ name, of }, index) => ({
      ...{ type: 'scatter', name, ...coloured(index) },
      data: rows.flatMap((method, row) => of(method).map((value) => [value, row])),
      symbolSize: 8,
    })),
  });
}

function byLayer(
  methods: readonly ComparedMethod[],
  x: string,
  of: (layer: ComparedMethod['layers'][number]) => number,
): Plot {
  const shown = methods.filter(({ layers }) => layers.length > 0);
  const names = [...new Set(shown.flatMap(({ layers }) => layers.map(({ name }) => name)))];
  return dots(
    shown,
    x,
    names.map((name) => ({
      name,
      of: ({ layers }) => layers.filter((layer) => layer.name === name && Number.isFinite(of(layer))).map(of),
    })),
  );
}

/** Figures of every method once, whatever entries it is in. */
function functionsOf(
  methods: readonly ComparedMethod[],
  pages: ReadonlyMap<string, readonly MethodDescription[]>,
): Html {
  const parts = methods.flatMap(({ method }) => pages.get(method) ?? []);
  const seen = new Set<string>();
  const figures = parts.flatMap((part) => {
    const key = JSON.stringify([part.name, part.parameters]);
    if (seen.has(key)) return [];
    seen.add(key);
    return part.figures.map((one) =>
      figure(`${part.name}: ${one.title.toLowerCase()}`, `${part.formula}. ${one.caption}`, curvePlot(one)),
    );
  });
  return charts(figures);
}

function factsOf({ adapter, comparison }: ComparisonReport): Fact[] {
  const { dataset, model, methods: _, description: _made, ...options } = comparison;
  const names: Readonly<Record<string, string>> = {
    learningRate: 'learning rate of methods that do not say theirs',
    batch: 'images a step',
    modelOptions: 'options of the model',
    own: 'how the data are read',
    float: 'with a float twin',
    trainSamples: 'training images',
    testSamples: 'test images',
  };
  return [
    ['adapter', adapter.name],
    ['hardware', adapter.software ? 'no: a software adapter' : 'yes'],
    ['data set', dataset],
    ['model', model],
    ...Object.entries(options).map(
      ([name, value]): Fact => [
        names[name] ?? name,
        Array.isArray(value) ? value.join(', ') : optionText(value),
      ],
    ),
  ];
}
