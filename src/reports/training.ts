/**
 * The report of a training: `report.json` for machines and one self-contained `report.html` for people, which needs
 * neither scripts nor a network.
 */

import type { AdapterSummary, EpochInfo } from '../index.ts';
import {
  AXIS,
  angleHistogram,
  colourOf,
  draw,
  escapeHtml,
  factRows,
  figure,
  HEIGHT,
  INK,
  page,
  whole,
} from './html.ts';
import { megabytes } from './words.ts';

export interface TrainReport {
  readonly version: 1;
  readonly adapter: AdapterSummary & { readonly name: string };
  readonly dataset: string;
  readonly model: string;
  readonly seed: number;
  /** The other options of the run. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Mean angle of each layer before the first step. */
  readonly initial: readonly { readonly name: string; readonly angleDegrees: number }[];
  readonly epochs: readonly EpochReport[];
  /** Geometry within epochs, where it was tapped. */
  readonly samples?: readonly SampleReport[];
  /** Share of the test images, 0 to 1. */
  readonly finalTestAccuracy: number;
  readonly imagesPerSecond: number;
  readonly peakGpuBytes: number;
  readonly weightsSha256: string;
  readonly layers: readonly LayerReport[];
  /** Of training; evaluation and start apart. */
  readonly seconds: number;
}

export interface EpochReport extends EpochInfo {
  readonly layers: readonly {
    readonly name: string;
    readonly angleDegrees: number;
    readonly angleExpected: number;
    /** Mean share of the weights whose sign changed in a step of this epoch. */
    readonly flipRatio: number;
  }[];
}

/** Means over the filters of each layer, after some step. */
export interface SampleReport {
  readonly step: number;
  readonly layers: readonly {
    readonly name: string;
    readonly angleDegrees: number;
    readonly angleSd: number;
    /** Of the latent weights: mean |w|, standard deviation, excess kurtosis. */
    readonly scale: number;
    readonly deviation: number;
    readonly kurtosis: number;
    readonly positiveShare: number;
    /** Bits. */
    readonly signEntropy: number;
    /** Shares of the latent weights near 0 and at ±1. */
    readonly nearZero: number;
    readonly saturated: number;
    /** Shares of the weights whose sign changed since the sample before and since the start. */
    readonly flipped: number;
    readonly flippedSinceStart: number;
    /** Samples that a weight has kept its sign for, on average. */
    readonly age: number;
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
  if (report.samples !== undefined) charts.push(...sampleCharts(report.samples));
  const histograms = layers.map((layer, index) =>
    figure(
      layer.name,
      `${layer.filters} filters of ${layer.fanIn} weights.`,
      angleHistogram(layer, index),
      'small',
    ),
  );
  return page({
    kicker: 'webgpu-bnn training report',
    title,
    header: `<p class="figures"><strong>${percent(report.finalTestAccuracy)}</strong> test accuracy after ${epochs.length} epoch${epochs.length === 1 ? '' : 's'},
${whole(report.seconds)} seconds of training, ${whole(report.imagesPerSecond)} images a second</p>`,
    body: `<section class="charts">${charts.join('\n')}</section>
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
${factsTable(report)}`,
  });
}

/** Layers whose names fit one line of legend; more lines of it push the chart down. */
const LEGEND_COLUMNS = 5;
/** More points than this are drawn as a bare line. */
const MAX_MARKERS = 15;

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

/** What the tap saw, step by step. */
function sampleCharts(samples: readonly SampleReport[]): string[] {
  type Column = 'angleDegrees' | 'flippedSinceStart' | 'flipped' | 'saturated';
  const names = samples[0]?.layers.map(({ name }) => name) ?? [];
  const chart = (column: Column, unit: string, scale = 1) =>
    lines(
      samples.map(({ step }) => step),
      { name: unit, of: 'step' },
      names.map((name, index) => ({
        name: shortName(name),
        values: samples.map(({ layers }) => scale * (layers[index]?.[column] ?? Number.NaN)),
      })),
    );
  return [
    figure('Angle, step by step', 'Mean over the filters of each layer.', chart('angleDegrees', 'degrees')),
    figure(
      'Away from the start',
      "Share of each layer's weights whose sign isn't the one that they started with, in per cent.",
      chart('flippedSinceStart', '%', 100),
    ),
    figure(
      'Flips between samples',
      "Share of each layer's weights whose sign changed since the sample before, in per cent.",
      chart('flipped', '%', 100),
    ),
    figure(
      'Saturated weights',
      'Share of the latent weights at −1 or +1, in per cent.',
      chart('saturated', '%', 100),
    ),
  ];
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
  places: readonly number[],
  axis: { name: string; log?: boolean; of?: string },
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
      name: axis.of ?? 'epoch',
      nameLocation: 'middle',
      nameGap: 28,
      data: places.map(String),
      boundaryGap: places.length === 1,
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
        showSymbol: places.length <= MAX_MARKERS,
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

/** `10⁻³` for 0.001. */
function powerOfTen(value: number): string {
  const digits = [...String(Math.round(Math.log10(value)))];
  return `10${digits.map((digit) => (digit === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)])).join('')}`;
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
    ['GPU memory, most at once', megabytes(report.peakGpuBytes)],
    ['SHA-256 of the weights', report.weightsSha256],
  ];
  return factRows(facts);
}

/** `dense1/kernel` is `dense1` where there is no doubt. */
function shortName(name: string): string {
  return name.replace(/\/kernel$/, '');
}
