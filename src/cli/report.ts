/**
 * The report of a training: `report.json` for machines and one self-contained `report.html` for people. Charts are
 * rendered to SVG here, so the page needs neither scripts nor a network; colours are CSS variables, so it follows the
 * reader's light or dark scheme.
 */
import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

export interface TrainReport {
  readonly version: 1;
  readonly adapter: {
    readonly name: string;
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
    readonly software: boolean;
  };
  readonly dataset: string;
  readonly model: string;
  readonly seed: number;
  /** The other options of the run. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Mean angle of each layer before the first step. */
  readonly initial: readonly { readonly name: string; readonly angleDegrees: number }[];
  readonly epochs: readonly EpochReport[];
  /** Share of the test images, 0 to 1. */
  readonly finalTestAccuracy: number;
  readonly imagesPerSecond: number;
  readonly peakGpuBytes: number;
  readonly weightsSha256: string;
  readonly layers: readonly LayerReport[];
  /** Of training; evaluation and start apart. */
  readonly seconds: number;
}

export interface EpochReport {
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
  readonly learningRate: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
  readonly layers: readonly {
    readonly name: string;
    readonly angleDegrees: number;
    readonly angleExpected: number;
    /** Mean share of the weights whose sign changed in a step of this epoch. */
    readonly flipRatio: number;
  }[];
}

export interface LayerReport {
  readonly name: string;
  readonly shape: readonly number[];
  /** Bits a weight takes. */
  readonly bits: number;
  readonly filters: number;
  /** Weights of a filter. */
  readonly fanIn: number;
  /** Mean and standard deviation over the filters. */
  readonly angleDegrees: number;
  readonly angleSd: number;
  /** Closed form for filters of this length with a rotation-invariant law. */
  readonly angleExpected: number;
  readonly flipRatio: number;
  /** Filters by their angle, in equal bins from `from` to `to` degrees. */
  readonly angles: { readonly from: number; readonly to: number; readonly counts: readonly number[] };
}

/** The report as one HTML page. */
export function renderReport(report: TrainReport): string {
  const { epochs, layers } = report;
  const title = `${report.model} on ${report.dataset}`;
  const charts = [
    figure('Loss', 'Mean loss of an epoch on training and test images.', lossChart(epochs)),
    figure('Accuracy', 'Share of images classified right, in per cent.', accuracyChart(epochs)),
    figure(
      'Angle between filters and their signs',
      'Mean over the filters of each layer, from the start on; dashes mark what the closed form expects of random filters of that length.',
      angleChart(report),
    ),
    figure(
      'Sign flips',
      'Mean share of the weights whose sign changed in a step, per layer, on a logarithmic axis.',
      flipChart(epochs),
    ),
  ];
  const histograms = layers.map((layer, index) =>
    figure(
      layer.name,
      `${layer.filters} filters of ${layer.fanIn} weights.`,
      angleHistogram(layer, index),
      'small',
    ),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} – webgpu-bnn</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<p class="kicker">webgpu-bnn training report</p>
<h1>${escapeHtml(title)}</h1>
<p class="figures"><strong>${percent(report.finalTestAccuracy)}</strong> test accuracy after ${epochs.length} epoch${epochs.length === 1 ? '' : 's'},
${whole(report.seconds)} seconds of training, ${whole(report.imagesPerSecond)} images a second</p>
</header>
<section class="charts">${charts.join('\n')}</section>
<h2>Angles at the end</h2>
<p>Each filter turns by an angle when its weights are replaced by their signs. The dotted lines mark the mean of uniform weights
(30°, the start of training) and of random directions in many dimensions (37.07°); the dashed line marks the closed form for the
layer's own dimension.</p>
<section class="charts">${histograms.join('\n')}</section>
<h2>Layers</h2>
${layerTable(layers)}
<h2>Epochs</h2>
${epochTable(epochs)}
<h2>Run</h2>
${factsTable(report)}
</main>
</body>
</html>
`;
}

const WIDTH = 520;
const HEIGHT = 290;
const SMALL_HEIGHT = 190;
/** Series colours, as CSS variables defined in `STYLE`. */
const COLOURS = Array.from({ length: 10 }, (_, i) => `var(--s${i + 1})`);
/** Layers whose names fit one line of legend; more lines of it push the chart down. */
const LEGEND_COLUMNS = 5;
/** More points than this are drawn as a bare line. */
const MAX_MARKERS = 15;
/** What uniform weights, and random directions in many dimensions, turn by. */
const LANDMARKS = [30, 37.0714];
const INK = 'var(--ink)';
const SOFT = 'var(--soft)';
const FAINT = 'var(--faint)';

use([BarChart, LineChart, GridComponent, LegendComponent, MarkLineComponent, SVGRenderer]);

function lossChart(epochs: readonly EpochReport[]): string {
  return lines(numbersOf(epochs), { name: '' }, [
    { name: 'train', values: epochs.map(({ trainLoss }) => trainLoss) },
    { name: 'test', values: epochs.map(({ testLoss }) => testLoss) },
  ]);
}

function accuracyChart(epochs: readonly EpochReport[]): string {
  return lines(numbersOf(epochs), { name: '%' }, [
    { name: 'train', values: epochs.map(({ trainAccuracy }) => 100 * trainAccuracy) },
    { name: 'test', values: epochs.map(({ testAccuracy }) => 100 * testAccuracy) },
  ]);
}

/** From the start of the training (epoch 0) on. */
function angleChart({ epochs, initial }: TrainReport): string {
  return lines(
    [0, ...epochs.map(({ epoch }) => epoch)],
    { name: 'degrees' },
    perLayer(epochs).map(({ name, of }, index) => ({
      name,
      values: [initial[index]?.angleDegrees ?? Number.NaN, ...of.map(({ angleDegrees }) => angleDegrees)],
      expected: of.at(-1)?.angleExpected,
    })),
  );
}

function flipChart(epochs: readonly EpochReport[]): string {
  return lines(
    numbersOf(epochs),
    { name: 'share', log: true },
    perLayer(epochs).map(({ name, of }) => ({
      name,
      // A logarithmic axis has no place for zero: the line is broken there.
      values: of.map(({ flipRatio }) => (flipRatio > 0 ? flipRatio : Number.NaN)),
    })),
  );
}

function numbersOf(epochs: readonly EpochReport[]): number[] {
  return epochs.map(({ epoch }) => epoch);
}

function perLayer(epochs: readonly EpochReport[]) {
  const names = epochs[0]?.layers.map(({ name }) => name) ?? [];
  return names.map((name, index) => ({
    name: shortName(name),
    of: epochs.flatMap(({ layers }) => layers[index] ?? []),
  }));
}

interface Line {
  readonly name: string;
  /** NaN where there is nothing to draw. */
  readonly values: readonly number[];
  /** Drawn as a dashed horizontal line. */
  readonly expected?: number | undefined;
}

function lines(
  epochs: readonly number[],
  axis: { name: string; log?: boolean },
  all: readonly Line[],
): string {
  const legendRows = Math.ceil(all.length / LEGEND_COLUMNS);
  const expected = all.flatMap((line) => line.expected ?? []);
  return draw(HEIGHT + 18 * (legendRows - 1), {
    grid: { left: 52, right: 16, top: 28 + 18 * legendRows, bottom: 48 },
    legend: Array.from({ length: legendRows }, (_, row) => ({
      top: 18 * row,
      left: 'center',
      itemWidth: 16,
      textStyle: { color: INK },
      data: all.slice(row * LEGEND_COLUMNS, (row + 1) * LEGEND_COLUMNS).map(({ name }) => name),
    })),
    xAxis: {
      ...AXIS,
      type: 'category',
      name: 'epoch',
      nameLocation: 'middle',
      nameGap: 28,
      data: epochs.map(String),
      boundaryGap: epochs.length === 1,
    },
    yAxis: {
      ...AXIS,
      type: axis.log ? 'log' : 'value',
      name: axis.name,
      scale: true,
      // ECharts takes no notice of marked lines when it chooses the range.
      ...(expected.length === 0
        ? {}
        : {
            min: ({ min }: Extent) => Math.floor(Math.min(min, ...expected)),
            max: ({ max }: Extent) => Math.ceil(Math.max(max, ...expected)),
          }),
      ...(axis.log ? { axisLabel: { ...AXIS.axisLabel, formatter: powerOfTen } } : {}),
    },
    series: all.map(({ name, values, expected }, index) => {
      const color = colourOf(index);
      return {
        type: 'line',
        name,
        data: values.map((value) => (Number.isFinite(value) ? value : '-')),
        symbol: 'circle',
        symbolSize: 6,
        showSymbol: epochs.length <= MAX_MARKERS,
        color,
        itemStyle: { color },
        lineStyle: { color, width: 2 },
        ...(expected === undefined
          ? {}
          : {
              markLine: {
                symbol: 'none',
                label: { show: false },
                lineStyle: { type: 'dashed', color, opacity: 0.7 },
                data: [{ yAxis: expected }],
              },
            }),
      };
    }),
  });
}

interface Extent {
  readonly min: number;
  readonly max: number;
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? INK;
}

/** `10⁻³` for 0.001. */
function powerOfTen(value: number): string {
  const digits = [...String(Math.round(Math.log10(value)))];
  return `10${digits.map((digit) => (digit === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)])).join('')}`;
}

function angleHistogram({ angles, angleExpected }: LayerReport, index: number): string {
  const { from, to, counts } = angles;
  const width = (to - from) / counts.length;
  const bars = counts.map((count, bin) => [from + (bin + 0.5) * width, count] as const);
  const used = bars.flatMap(([angle, count]) => (count > 0 ? [angle] : []));
  const shown = [...used, ...LANDMARKS, angleExpected];
  // Ends at multiples of the ticks, with a degree to spare.
  const interval = Math.max(...shown) - Math.min(...shown) > 20 ? 10 : 2;
  const min = Math.max(from, interval * Math.floor((Math.min(...shown) - 1) / interval));
  const max = Math.min(to, interval * Math.ceil((Math.max(...shown) + 1) / interval));
  const left = 52;
  const right = 16;
  const landmark = (xAxis: number) => ({
    xAxis,
    lineStyle: { type: 'dotted', color: SOFT, width: 1.5 },
    // Too near to the closed form there is no room for a second label.
    label: {
      show: Math.abs(xAxis - angleExpected) > 0.15 * (max - min),
      formatter: `${Number(xAxis.toFixed(2))}°`,
      color: SOFT,
    },
  });
  return draw(SMALL_HEIGHT, {
    grid: { left, right, top: 28, bottom: 48 },
    xAxis: {
      ...AXIS,
      type: 'value',
      name: 'degrees',
      nameLocation: 'middle',
      nameGap: 28,
      min,
      max,
      interval,
      splitLine: { show: false },
    },
    yAxis: { ...AXIS, type: 'value', name: 'filters', minInterval: 1, splitNumber: 3 },
    series: [
      {
        type: 'bar',
        data: bars.filter(([angle]) => angle > min && angle < max),
        barWidth: Math.max(1, (0.9 * (WIDTH - left - right) * width) / (max - min)),
        itemStyle: { color: colourOf(index) },
        markLine: {
          symbol: 'none',
          silent: true,
          data: [
            ...LANDMARKS.map(landmark),
            {
              xAxis: angleExpected,
              lineStyle: { type: 'dashed', color: INK, width: 1.5 },
              label: { formatter: `expected ${angleExpected.toFixed(2)}°`, color: INK },
            },
          ],
        },
      },
    ],
  });
}

const AXIS = {
  axisLabel: { color: INK },
  axisLine: { lineStyle: { color: FAINT } },
  axisTick: { lineStyle: { color: FAINT } },
  splitLine: { lineStyle: { color: FAINT, opacity: 0.5 } },
  nameTextStyle: { color: INK },
};

function draw(height: number, options: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    ...options,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  // Scales with the page; ECharts fixes the size in pixels.
  return svg.replace(/<svg width="\d+" height="\d+"/, '<svg');
}

function figure(title: string, caption: string, svg: string, className = ''): string {
  const labelled = svg.replace('<svg', `<svg role="img" aria-label="${escapeHtml(`${title}. ${caption}`)}"`);
  return `<figure class="${className}"><figcaption><b>${escapeHtml(title)}</b><span>${escapeHtml(caption)}</span></figcaption>${labelled}</figure>`;
}

function layerTable(layers: readonly LayerReport[]): string {
  const rows = layers.map(
    (layer) =>
      `<tr><th scope="row">${escapeHtml(layer.name)}</th><td>${layer.shape.join(' × ')}</td><td>${layer.bits}</td>` +
      `<td>${layer.angleDegrees.toFixed(2)}° ± ${layer.angleSd.toFixed(2)}°</td><td>${layer.angleExpected.toFixed(2)}°</td>` +
      `<td>${layer.flipRatio.toExponential(2)}</td></tr>`,
  );
  return `<div class="scroll"><table><thead><tr><th>layer</th><th>shape</th><th>bits</th><th>angle to its sign</th><th>expected</th><th>flips a step</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

function epochTable(epochs: readonly EpochReport[]): string {
  const rows = epochs.map(
    (epoch) =>
      `<tr><th scope="row">${epoch.epoch}</th><td>${epoch.trainLoss.toFixed(4)}</td><td>${percent(epoch.trainAccuracy)}</td>` +
      `<td>${epoch.testLoss.toFixed(4)}</td><td>${percent(epoch.testAccuracy)}</td>` +
      `<td>${epoch.learningRate.toPrecision(3)}</td><td>${epoch.seconds.toFixed(1)}</td></tr>`,
  );
  return `<details><summary>Loss and accuracy of every epoch</summary><div class="scroll"><table><thead><tr><th>epoch</th><th>training loss</th><th>training accuracy</th><th>test loss</th><th>test accuracy</th><th>learning rate</th><th>seconds</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></details>`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** With separators between thousands. */
function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function factsTable(report: TrainReport): string {
  const facts: [string, string][] = [
    ['adapter', report.adapter.name],
    ['hardware', report.adapter.software ? 'no: a software adapter' : 'yes'],
    ['data set', report.dataset],
    ['model', report.model],
    ['seed', String(report.seed)],
    ...Object.entries(report.options).map(([name, value]): [string, string] => [
      name,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
    ['GPU memory, most at once', `${(report.peakGpuBytes / 2 ** 20).toFixed(1)} MB`],
    ['SHA-256 of the weights', report.weightsSha256],
  ];
  const rows = facts.map(
    ([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  return `<div class="scroll"><table class="facts"><tbody>${rows.join('\n')}</tbody></table></div>`;
}

/** `dense1/kernel` is `dense1` where there is no doubt. */
function shortName(name: string): string {
  return name.replace(/\/kernel$/, '');
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

const STYLE = `
:root { color-scheme: light dark; --page: #fbfaf8; --card: #fff; --ink: #24292f; --soft: #5c6670; --faint: #d5d9de;
  --s1: #0b6e99; --s2: #c2571a; --s3: #3f7d20; --s4: #7b3fa0; --s5: #a3241f; --s6: #8a6d00;
  --s7: #0f8a7e; --s8: #c2418a; --s9: #4a54b8; --s10: #6b7178; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --card: #1c2125; --ink: #e4e7ea; --soft: #9aa5ae; --faint: #3b434a;
  --s1: #58b4dc; --s2: #f0945c; --s3: #8ccf66; --s4: #c490e4; --s5: #f08580; --s6: #dcc04a;
  --s7: #4fd0c2; --s8: #f08cc4; --s9: #98a2f4; --s10: #aab1b8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
.kicker { margin: 0; color: var(--soft); font-size: .875rem; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; }
.figures strong { font-size: 1.5rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1rem; margin-top: 1rem; }
figure { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--faint); border-radius: 8px; }
figcaption b { display: block; }
figcaption span { color: var(--soft); font-size: .875rem; }
svg { display: block; width: 100%; height: auto; margin-top: .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem 1.25rem .35rem 0; text-align: left; border-bottom: 1px solid var(--faint); white-space: nowrap; }
.facts td { white-space: normal; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 600; }
`;
