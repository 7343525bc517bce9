/** The report of `webgpu-bnn geometry` as one self-contained page; its table sorts by any column. */
import { gaussianDensity, residualAngles, ternaryAngle } from '../geometry/curves.ts';
import type { LayerSurvey } from '../geometry/survey.ts';
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
  SOFT,
  SORT,
  whole,
} from './html.ts';
import { megabytes } from './words.ts';

export interface GeometryReport {
  readonly version: 1;
  readonly adapter: { readonly name: string; readonly software: boolean };
  readonly model: string;
  readonly layers: readonly LayerSurvey[];
  /** Tensors that were left out, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly weights: number;
  /** Of log sd(angle) against log d over the layers; null where there are too few. */
  readonly spreadSlope: number | null;
  readonly nearZero: number;
  /** Of this run; layers that --resume had are not measured again. */
  readonly seconds: number;
  readonly bytesPerSecond: number;
  readonly peakGpuBytes: number;
}

/** More layers than this have no histogram of their own: a page of hundreds of charts is slow. */
const MOST_HISTOGRAMS = 48;
/** Layers in one picture; more curves than this can't be told apart. */
const MOST_CURVES = 6;
const LEGEND_COLUMNS = 3;

export function renderGeometry(report: GeometryReport): string {
  const layers = report.layers.filter(({ filters, zeroFilters }) => zeroFilters < filters);
  const largest = new Set(
    [...layers].sort((a, b) => b.filters * b.dimension - a.filters * a.dimension).slice(0, MOST_HISTOGRAMS),
  );
  const histograms = layers
    .filter((layer) => largest.has(layer))
    .map((layer, index) =>
      figure(
        layer.name,
        `${whole(layer.filters)} filters of ${whole(layer.dimension)} weights.`,
        angleHistogram(
          { angles: { from: 0, to: 90, counts: layer.angles }, angleExpected: layer.expectedAngle },
          index,
        ),
        'small',
      ),
    );
  const shown = [...largest].slice(0, MOST_CURVES);
  const patterned = shown.filter(({ patterns }) => patterns !== undefined);
  const drawn = shown.length < layers.length ? `the ${shown.length} largest layers` : 'all layers';
  const missing = layers.length - histograms.length;
  const slope =
    report.spreadSlope === null
      ? ''
      : ` The slope is ${report.spreadSlope.toFixed(3).replace('-', '−')}; theory says −0.5.`;
  return page({
    kicker: 'webgpu-bnn geometry report',
    title: report.model,
    header: `<p class="figures"><strong>${whole(report.weights)}</strong> weights in ${whole(layers.length)} layers,
measured in ${report.seconds.toFixed(1)} seconds</p>`,
    body: `<section class="charts">
${figure('Angle between filters and their signs', 'Mean of each layer, in the order of the file, and the 37.07° of random directions in many dimensions.', angleChart(layers))}
${figure('Spread of the angles against the length of the filters', `A point a layer, on logarithmic axes; the line is the closed form for random filters.${slope}`, spreadChart(layers))}
${figure('Weights', `Density of the weights in units of the root mean square of their filter, ${drawn}; dashes mark the normal law.`, densityChart(shown))}
${figure('Ternary weights', `Angle between the weights and 1[|w| > a]·sign(w), against the threshold a, ${drawn}; dashes mark the normal law, which is nearest (25.86°) at a = 0.612.`, ternaryChart(shown))}
${figure('More bits', `Angle between the weights and the greedy residual version of 1 to 4 bits, ${drawn}; dashes mark the normal law.`, bitsChart(shown))}
${layers.some(({ rotatedAngle }) => rotatedAngle !== undefined) ? figure('Rotation before the signs are taken', 'Mean angle of each layer as it is (filled) and after a random rotation (hollow): sign(Rx) brings any filter near the 37.07° of random directions.', rotationChart(layers)) : ''}
${patterned.length > 0 ? figure('Patterns of 3 × 3 kernels', `The 512 patterns of signs from the most to the least frequent, with the share of each among the kernels, of ${patterned.length === 1 ? 'the layer' : 'the largest layers'} that has them; the dashed line is 1/512, as of random signs.`, patternChart(patterned)) : ''}
</section>
<h2>Angles</h2>
<p>Each filter turns by an angle when its weights are replaced by their signs. The dotted lines mark the mean of uniform weights
(30°) and of random directions in many dimensions (37.07°); the dashed line marks the closed form for the layer's own dimension.${
      missing > 0
        ? ` The ${MOST_HISTOGRAMS} largest layers are drawn; ${missing} smaller ones are in the table.`
        : ''
    }</p>
<section class="charts">${histograms.join('\n')}</section>
<h2>Layers</h2>
${layerTable(report.layers)}
<h2>Run</h2>
${factRows([
  ['adapter', report.adapter.name],
  ['near zero means', `|w| < ${report.nearZero}`],
  ['read', `${(report.bytesPerSecond / 1e6).toFixed(0)} MB/s`],
  ['GPU memory, most at once', megabytes(report.peakGpuBytes)],
  ...report.skipped.map(({ name, reason }) => [`left out: ${name}`, reason] as const),
])}
<script>${SORT}</script>`,
  });
}

const PLOT = { left: 64, right: 20, top: 28, bottom: 48 };

/** Axes for an angle of each layer. */
function anglePerLayer(layers: readonly LayerSurvey[]) {
  return {
    xAxis: {
      ...AXIS,
      type: 'category',
      name: 'layer',
      nameLocation: 'middle',
      nameGap: 28,
      data: layers.map((_, i) => i + 1),
    },
    // The line at 37.07 degrees is always in the picture.
    yAxis: {
      ...AXIS,
      type: 'value',
      name: 'degrees',
      scale: true,
      max: ({ max }: { readonly max: number }) => Math.ceil(Math.max(max, 37.5)),
    },
  };
}

function angleChart(layers: readonly LayerSurvey[]): string {
  return draw(HEIGHT, {
    grid: PLOT,
    ...anglePerLayer(layers),
    series: [
      {
        ...points(0),
        data: layers.map(({ meanAngle }) => meanAngle),
        markLine: {
          symbol: 'none',
          silent: true,
          data: [
            {
              yAxis: 37.0714,
              lineStyle: { type: 'dotted', color: SOFT, width: 1.5 },
              label: { formatter: '37.07°', position: 'insideEndTop', color: SOFT },
            },
          ],
        },
      },
    ],
  });
}

function spreadChart(layers: readonly LayerSurvey[]): string {
  const shown = layers.filter(({ filters, sdAngle }) => filters > 1 && sdAngle > 0);
  const lengths = [...new Set(shown.map(({ dimension }) => dimension))].sort((a, b) => a - b);
  const expected = new Map(shown.map(({ dimension, expectedSd }) => [dimension, expectedSd]));
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: {
      ...AXIS,
      type: 'log',
      name: 'weights of a filter',
      nameLocation: 'middle',
      nameGap: 28,
      scale: true,
    },
    yAxis: {
      ...AXIS,
      type: 'log',
      name: 'standard deviation, degrees',
      nameTextStyle: { color: INK, align: 'left' },
      scale: true,
    },
    series: [
      {
        type: 'line',
        symbol: 'none',
        data: lengths.map((length) => [length, expected.get(length) ?? 0]).filter(([, sd]) => (sd ?? 0) > 0),
        lineStyle: { color: SOFT, type: 'dashed', width: 1.5 },
      },
      { ...points(1), data: shown.map(({ dimension, sdAngle }) => [dimension, sdAngle]) },
    ],
  });
}

type Curve = readonly (readonly [number, number])[];

/** Curves of layers over the one that the normal law gives. */
function curves(
  x: object,
  y: object,
  all: readonly { name: string; data: Curve }[],
  normal: Curve,
  symbol = 'none',
): string {
  const rows = Math.ceil(all.length / LEGEND_COLUMNS);
  return draw(HEIGHT + 18 * (rows - 1), {
    grid: { ...PLOT, top: 28 + 18 * rows },
    legend: Array.from({ length: rows }, (_, row) => ({
      top: 18 * row,
      left: 'center',
      itemWidth: 16,
      itemGap: 24,
      textStyle: { color: INK, width: 110, overflow: 'truncate' },
      data: all.slice(row * LEGEND_COLUMNS, (row + 1) * LEGEND_COLUMNS).map(({ name }) => name),
    })),
    xAxis: { ...AXIS, type: 'value', nameLocation: 'middle', nameGap: 28, ...x },
    yAxis: { ...AXIS, type: 'value', nameTextStyle: { color: INK, align: 'left' }, ...y },
    series: [
      ...all.map(({ name, data }, index) => ({
        type: 'line',
        name,
        symbol,
        symbolSize: 6,
        data,
        color: colourOf(index),
        lineStyle: { width: 2, color: colourOf(index) },
      })),
      {
        type: 'line',
        symbol: 'none',
        data: normal,
        z: 5,
        lineStyle: { color: SOFT, type: 'dashed', width: 1.5 },
      },
    ],
  });
}

function densityChart(layers: readonly LayerSurvey[]): string {
  // Four bins of the survey make one of the picture.
  const points = ({ from, to, counts }: LayerSurvey['density']): Curve => {
    const width = (4 * (to - from)) / counts.length;
    const total = Array.from(counts).reduce((sum, count) => sum + count, 0);
    return Array.from({ length: Math.floor(counts.length / 4) }, (_, bin): [number, number] => {
      const count = [0, 1, 2, 3].reduce((sum, i) => sum + (counts[4 * bin + i] ?? 0), 0);
      return [from + (bin + 0.5) * width, count / (total * width)];
    }).filter(([x]) => Math.abs(x) <= 4);
  };
  return curves(
    { name: 'w / root mean square', min: -4, max: 4 },
    { name: 'density', nameLocation: 'middle', nameGap: 44, nameTextStyle: { color: INK } },
    layers.map(({ name, density }) => ({ name, data: points(density) })),
    points(gaussianDensity(640)),
  );
}

function ternaryChart(layers: readonly LayerSurvey[]): string {
  const places = Array.from({ length: 61 }, (_, i) => i / 40);
  const curve = (density: LayerSurvey['density']): Curve => places.map((a) => [a, ternaryAngle(density, a)]);
  return curves(
    { name: 'threshold a, root mean squares', max: 1.5 },
    { name: 'degrees', scale: true },
    layers.map(({ name, density }) => ({ name, data: curve(density) })),
    curve(gaussianDensity()),
  );
}

function bitsChart(layers: readonly LayerSurvey[]): string {
  const numbered = (angles: readonly number[]): Curve => angles.map((angle, index) => [index + 1, angle]);
  return curves(
    { name: 'bits', min: 1, max: 4, interval: 1 },
    { name: 'degrees' },
    layers.map((layer) => ({ name: layer.name, data: numbered(layer.residualAngles) })),
    numbered(residualAngles(gaussianDensity(), 4)),
    'circle',
  );
}

function rotationChart(layers: readonly LayerSurvey[]): string {
  return draw(HEIGHT, {
    grid: PLOT,
    ...anglePerLayer(layers),
    series: [
      { ...points(0), data: layers.map(({ meanAngle }) => meanAngle) },
      { ...points(1), symbol: 'emptyCircle', data: layers.map(({ rotatedAngle }) => rotatedAngle ?? '-') },
    ],
  });
}

function patternChart(layers: readonly LayerSurvey[]): string {
  const ranked = (counts: readonly number[]): Curve => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const sorted = [...counts].sort((a, b) => b - a);
    return sorted.map((count, rank) => [rank + 1, (100 * count) / total]);
  };
  return curves(
    { name: 'pattern, by how often it occurs', min: 1, max: 512, interval: 73 },
    { name: '% of the kernels' },
    layers.map(({ name, patterns = [] }) => ({ name, data: ranked(patterns) })),
    [
      [1, 100 / 512],
      [512, 100 / 512],
    ],
  );
}

/** A line chart that draws its points only. */
function points(index: number) {
  const color = colourOf(index);
  return {
    type: 'line',
    symbol: 'circle',
    symbolSize: 8,
    showAllSymbol: true,
    itemStyle: { color },
    lineStyle: { width: 0 },
  };
}

/** What filters have to do with each other: the sort key and the text of each cell. */
function pairCells({ pairs }: LayerSurvey): [sortBy: number, text: string][] {
  if (pairs === undefined) return Array.from({ length: 4 }, () => [-1, '–']);
  const { largestCosine, participation, duplicates, negatedDuplicates } = pairs;
  return [
    [largestCosine, largestCosine.toFixed(3)],
    [participation, participation.toFixed(1)],
    [duplicates, whole(duplicates)],
    [negatedDuplicates, whole(negatedDuplicates)],
  ];
}

function layerTable(layers: readonly LayerSurvey[]): string {
  const head = [
    'layer',
    'shape',
    'type',
    'angle',
    'sd',
    'expected',
    'rotated',
    'ternary',
    '2 bits',
    'scale',
    'error',
    'kurtosis',
    'signs +1',
    'entropy',
    'near 0',
    'saturated',
    'largest |cos|',
    'directions',
    'equal',
    'opposite',
    'zero filters',
    'NaN or infinite',
  ];
  const rows = layers.map((layer) => {
    const measured = layer.zeroFilters < layer.filters;
    const cells: [sortBy: number, text: string][] = [
      [layer.filters * layer.dimension, layer.shape.join(' × ')],
      [0, layer.format],
      [layer.meanAngle, `${layer.meanAngle.toFixed(2)}°`],
      [layer.sdAngle, `${layer.sdAngle.toFixed(2)}°`],
      [layer.expectedAngle, `${layer.expectedAngle.toFixed(2)}°`],
      [
        layer.rotatedAngle ?? -1,
        layer.rotatedAngle === undefined ? '–' : `${layer.rotatedAngle.toFixed(2)}°`,
      ],
      [layer.ternary.angle, `${layer.ternary.angle.toFixed(2)}°`],
      [layer.twoBitAngle, `${layer.twoBitAngle.toFixed(2)}°`],
      [layer.meanScale, layer.meanScale.toPrecision(3)],
      [layer.meanError, layer.meanError.toFixed(4)],
      [layer.meanKurtosis, layer.meanKurtosis.toFixed(2)],
      [layer.positiveShare, `${(100 * layer.positiveShare).toFixed(1)} %`],
      [layer.signEntropy, layer.signEntropy.toFixed(4)],
      [layer.nearZeroShare, `${(100 * layer.nearZeroShare).toFixed(1)} %`],
      [layer.saturatedShare, `${(100 * layer.saturatedShare).toFixed(1)} %`],
      ...pairCells(layer),
      [layer.zeroFilters, whole(layer.zeroFilters)],
      [layer.nonFinite, whole(layer.nonFinite)],
    ];
    const shown = cells.map(([sortBy, text]) =>
      measured || Number.isFinite(sortBy)
        ? `<td data-sort="${sortBy}">${text}</td>`
        : '<td data-sort="-1">–</td>',
    );
    return `<tr><th scope="row">${escapeHtml(layer.name)}</th>${shown.join('')}</tr>`;
  });
  const buttons = head.map((name) => `<th aria-sort="none"><button type="button">${name}</button></th>`);
  return `<div class="scroll"><table class="sortable"><thead><tr>${buttons.join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}
