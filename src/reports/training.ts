/** The report of a training: `report.json` for machines and one self-contained `report.html` for people. */
import type { AdapterSummary, EpochInfo, Monitor, Scores } from '../index.ts';
import { type Html, html } from './html.ts';
import { charts, type Fact, type Made, page, table } from './page.ts';
import { AXIS, angleHistogram, colourOf, draw, figure, HEIGHT, named, PLOT, type Plot } from './plots.ts';
import { megabytes, percent, shortName, whole } from './words.ts';

export interface TrainReport {
  readonly version: 1;
  readonly made: Made;
  readonly adapter: AdapterSummary;
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
  /** What outputs should be, where that is no class. */
  readonly targets?: 'bits' | 'reals';
  /** Share of the test images, 0 to 1; of numbers that are predicted it says nothing. */
  readonly finalTestAccuracy: number;
  readonly imagesPerSecond: number;
  readonly peakGpuBytes: number;
  readonly weightsSha256: string;
  readonly layers: readonly LayerReport[];
  /** Of training; evaluation and start apart. */
  readonly seconds: number;
  /** On the test images. */
  readonly mistakes?: Mistakes;
  /** On the test split: each class or output by itself. */
  readonly scores?: Scores;
  /** The epoch whose network this is, where that is the best and not the last. */
  readonly best?: { readonly epoch: number; readonly monitor: Monitor };
  /** Epochs that there will be, while it trains. */
  readonly running?: { readonly epochs: number };
}

export interface Mistakes {
  readonly classes: readonly string[];
  /** Images by label and by the class that they were taken for. */
  readonly confusion: readonly (readonly number[])[];
  /** The largest distance between the score of the class that an image was taken for, and that of its label, first. */
  readonly surest: readonly {
    /** Among the test images. */
    readonly image: number;
    readonly label: number;
    readonly predicted: number;
    readonly margin: number;
    /** The image as PNG, in base64; empty where it is no picture. */
    readonly png: string;
  }[];
}

export interface EpochReport extends EpochInfo {
  readonly testLoss: number;
  readonly testAccuracy: number;
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
  const pictures = [
    figure('Loss', `Mean loss of an epoch on ${splitsOf(epochs)} images.`, lossChart(epochs)),
    ...(report.targets === 'reals'
      ? []
      : [figure('Accuracy', 'Share of images classified right, in per cent.', accuracyChart(epochs))]),
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
    ...(report.samples === undefined ? [] : sampleCharts(report.samples)),
  ];
  const histograms = layers.map((layer, index) =>
    figure(
      layer.name,
      `${layer.filters} filters of ${layer.fanIn} weights.`,
      angleHistogram(layer, index),
      'small',
    ),
  );
  const { running, best } = report;
  return page({
    refresh: running === undefined ? undefined : REFRESH_SECONDS,
    kicker: running === undefined ? 'webgpu-bnn training report' : 'webgpu-bnn, training',
    title: `${report.model} on ${report.dataset}`,
    header: html`<p class="figures"><strong>${report.targets === 'reals' ? (epochs.at(-1)?.testLoss ?? 0).toFixed(4) : percent(report.finalTestAccuracy)}</strong> test ${report.targets === 'reals' ? 'loss' : 'accuracy'} after ${epochs.length}${running === undefined ? '' : ` of ${running.epochs}`} epoch${(running?.epochs ?? epochs.length) === 1 ? '' : 's'}${best === undefined ? '' : `, of epoch ${best.epoch}, which is the best by ${best.monitor}`},
${whole(report.seconds)} seconds of training, ${whole(report.imagesPerSecond)} images a second</p>`,
    body: html`${charts(pictures)}
<h2>Angles at the end</h2>
<p>Each filter turns by an angle when its weights are replaced by their signs. The dotted lines mark the mean of uniform weights
(30°, the start of training) and of random directions in many dimensions (37.07°); the dashed line marks the closed form for the
layer's own dimension.</p>
${charts(histograms)}
<h2>Layers</h2>
${layerTable(layers)}
${report.scores === undefined ? undefined : scoresTable(report.scores)}
${report.mistakes === undefined ? undefined : mistakesOf(report.mistakes)}
<h2>Epochs</h2>
<details><summary>Loss and accuracy of every epoch</summary>${epochTable(epochs, report.targets === 'reals')}</details>`,
    facts: factsOf(report),
    made: report.made,
  });
}

/** A page of a training under way is loaded again after so long. */
const REFRESH_SECONDS = 5;

function splitsOf(epochs: readonly EpochReport[]): string {
  return epochs.some(({ validationLoss }) => validationLoss !== undefined)
    ? 'training, test and validation'
    : 'training and test';
}

/** A line where there is validation; none else. */
function validationLine(values: readonly (number | undefined)[]): Line[] {
  if (values.every((value) => value === undefined)) return [];
  return [{ name: 'validation', values: values.map((value) => value ?? Number.NaN) }];
}

/** More points than this are drawn as a bare line. */
const MAX_MARKERS = 15;

function lossChart(epochs: readonly EpochReport[]): Plot {
  return lines(numbersOf(epochs), { name: '' }, [
    { name: 'train', values: epochs.map(({ trainLoss }) => trainLoss) },
    { name: 'test', values: epochs.map(({ testLoss }) => testLoss) },
    ...validationLine(epochs.map(({ validationLoss }) => validationLoss)),
  ]);
}

function accuracyChart(epochs: readonly EpochReport[]): Plot {
  return lines(numbersOf(epochs), { name: '%' }, [
    { name: 'train', values: epochs.map(({ trainAccuracy }) => 100 * trainAccuracy) },
    { name: 'test', values: epochs.map(({ testAccuracy }) => 100 * testAccuracy) },
    ...validationLine(
      epochs.map(({ validationAccuracy: own }) => (own === undefined ? undefined : 100 * own)),
    ),
  ]);
}

/** From the start of the training (epoch 0) on. */
function angleChart({ epochs, initial }: TrainReport): Plot {
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

function flipChart(epochs: readonly EpochReport[]): Plot {
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
function sampleCharts(samples: readonly SampleReport[]) {
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

export interface Line {
  readonly name: string;
  /** NaN where there is nothing to draw. */
  readonly values: readonly number[];
  /** Drawn as a dashed horizontal line. */
  readonly expected?: number | undefined;
}

/** Lines over epochs or steps. */
export function lines(
  places: readonly number[],
  axis: { name: string; log?: boolean; of?: string },
  all: readonly Line[],
): Plot {
  const expected = all.flatMap((line) => line.expected ?? []);
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: {
      ...AXIS,
      ...named(axis.of ?? 'epoch'),
      type: 'category',
      data: places,
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
            min: ({ min }: Extent) => 2 * Math.floor(Math.min(min, ...expected) / 2),
            max: ({ max }: Extent) => 2 * Math.ceil(Math.max(max, ...expected) / 2),
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

function layerTable(layers: readonly LayerReport[]) {
  return table(
    ['layer', 'shape', 'bits', 'angle to its sign', 'expected', 'flips a step'],
    layers.map((layer) => [
      layer.name,
      layer.shape.join(' × '),
      String(layer.bits),
      `${layer.angleDegrees.toFixed(2)}° ± ${layer.angleSd.toFixed(2)}°`,
      `${layer.angleExpected.toFixed(2)}°`,
      layer.flipRatio.toExponential(2),
    ]),
  );
}

/** More classes than this make a table that nobody can read. */
const MOST_CLASSES = 40;

function mistakesOf({ classes, confusion, surest }: Mistakes): Html {
  const nameOf = (label: number) => classes[label] ?? String(label);
  const row = (counts: readonly number[], label: number): Html => {
    const all = counts.reduce((sum, count) => sum + count, 0);
    const cell = (count: number, predicted: number) => {
      // Mistakes are few beside what is right: their colour is as strong as their root.
      const share = all > 0 ? Math.sqrt(count / all) : 0;
      const colour = `var(${predicted === label ? '--s3' : '--s5'})`;
      const shade = `background: color-mix(in srgb, ${colour} ${Math.round(70 * share)}%, transparent)`;
      return html`<td style="${shade}">${count === 0 ? '' : whole(count)}</td>`;
    };
    return html`<tr><th scope="row">${nameOf(label)}</th>${counts.map(cell)}</tr>`;
  };
  const matrix = html`<div class="scroll"><table class="confusion"><thead><tr><th>is, taken for</th>${classes.map(
    (name) => html`<th>${name}</th>`,
  )}</tr></thead>
<tbody>${confusion.map(row)}</tbody></table></div>`;
  const pictures = surest
    .filter(({ png }) => png !== '')
    .map(
      ({
        image,
        label,
        predicted,
        png,
      }) => html`<figure><img src="data:image/png;base64,${png}" alt="test image ${image}">
<figcaption>${nameOf(predicted)}, is ${nameOf(label)}<br><span>image ${image}</span></figcaption></figure>`,
    );
  return html`<h2>Mistakes</h2>
<p>Test images by their class (rows) and by the class that the network takes them for (columns).</p>
${classes.length <= MOST_CLASSES ? matrix : undefined}
${
  pictures.length === 0
    ? undefined
    : html`<p>Wrong by the largest margin: the class that was taken, and the right one.</p>
<section class="wrong">${pictures}</section>`
}`;
}

/** More rows than this are read by nobody. */
const MOST_ROWS = 100;

function scoresTable(scores: Scores): Html {
  if (scores.targets === 'reals') {
    return html`<h2>Outputs</h2>
<p>On the test samples, in the units that the network was trained in.</p>
${table(
  ['output', 'mean square error', 'mean absolute error', 'variance explained'],
  scores.outputs
    .slice(0, MOST_ROWS)
    .map(({ name, meanSquare, meanAbsolute, r2 }) => [
      ...[name, meanSquare.toPrecision(4), meanAbsolute.toPrecision(4), percent(r2)],
    ]),
)}`;
  }
  const best =
    scores.targets === 'classes' && scores.classes.length > 5
      ? `, among the best five ${percent(scores.top5)}`
      : '';
  return html`<h2>Classes</h2>
<p>On the test samples: mean F1 ${percent(scores.f1)}${best}. Of what was taken for a class, precision is the share that is of it;
recall is the share of its samples that was found; F1 is between both.</p>
${table(
  ['class', 'samples', 'precision', 'recall', 'F1'],
  scores.classes
    .slice(0, MOST_ROWS)
    .map(({ name, count, precision, recall, f1 }) => [
      ...[name, whole(count), percent(precision), percent(recall), percent(f1)],
    ]),
)}`;
}

function epochTable(epochs: readonly EpochReport[], isRegression: boolean) {
  // Of numbers that are predicted there is no accuracy.
  const accuracy = (name: string) => (isRegression ? [] : [name]);
  return table(
    [
      ...['epoch', 'training loss', ...accuracy('training accuracy')],
      ...['test loss', ...accuracy('test accuracy'), 'learning rate', 'seconds'],
    ],
    epochs.map((epoch) => [
      ...[String(epoch.epoch), epoch.trainLoss.toFixed(4), ...accuracy(percent(epoch.trainAccuracy))],
      ...[epoch.testLoss.toFixed(4), ...accuracy(percent(epoch.testAccuracy))],
      ...[epoch.learningRate.toPrecision(3), epoch.seconds.toFixed(1)],
    ]),
  );
}

function factsOf(report: TrainReport): Fact[] {
  return [
    ['adapter', report.adapter.name],
    ['hardware', report.adapter.software ? 'no: a software adapter' : 'yes'],
    ['data set', report.dataset],
    ['model', report.model],
    ['seed', String(report.seed)],
    ...Object.entries(report.options).map(([name, value]): Fact => [optionName(name), optionText(value)]),
    ['GPU memory, most at once', megabytes(report.peakGpuBytes)],
    ...(report.weightsSha256 === '' ? [] : [['SHA-256 of the weights', report.weightsSha256] as const]),
  ];
}

const OPTION_NAMES: Readonly<Record<string, string>> = {
  lr: 'learning rate',
  batch: 'images a step',
  fanScaled: "steps scaled by the layer's fan",
  augment: 'images augmented',
  trainSamples: 'training images',
  testSamples: 'test images',
};

export function optionName(name: string): string {
  return Object.hasOwn(OPTION_NAMES, name) ? (OPTION_NAMES[name] ?? name) : name;
}

/** A method by its name and numbers: `rotate (degrees 5)`. */
function noteText(note: unknown): string {
  if (typeof note !== 'object' || note === null) return String(note);
  const { name, ...numbers } = note as Readonly<Record<string, unknown>>;
  return `${name} (${Object.entries(numbers).map((pair) => pair.join(' '))})`;
}

/** `0.02 to 0.001, exponentially` for a learning rate that decays. */
export function optionText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value) && value.some((one) => typeof one !== 'number')) {
    return value.map(noteText).join(', ');
  }
  const { from, to, decay, everyEpochs, cycles, warmupEpochs } = value as Readonly<Record<string, unknown>>;
  const more =
    (cycles === undefined ? '' : `, ${cycles} times`) +
    (warmupEpochs === undefined ? '' : `, after ${warmupEpochs} epochs of warming up`);
  if (decay === 'halving') return `${from}, halved every ${everyEpochs} epochs${more}`;
  if (from === undefined || to === undefined) return JSON.stringify(value);
  const how = { exponential: ', exponentially', linear: ', in a line', cosine: ', as a cosine falls' };
  return `${from} to ${to}${how[decay as keyof typeof how] ?? ''}${more}`;
}
