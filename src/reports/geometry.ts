/** The report of `webgpu-bnn geometry` as one self-contained page; its table sorts by any column. */
import { gaussianDensity, residualAngles, ternaryAngle } from '../geometry/curves.ts';
import type { LayerSurvey } from '../geometry/survey.ts';
import { type Html, html } from './html.ts';
import { ALL_LAYERS, oneBitTable } from './one-bit.ts';
import { type Cell, charts, type Fact, type Made, page, table } from './page.ts';
import {
  AXIS,
  angleHistogram,
  colourOf,
  draw,
  figure,
  HEIGHT,
  INK,
  named,
  PLOT,
  type Plot,
  type PlotAxis,
  SOFT,
} from './plots.ts';
import { megabytes, whole } from './words.ts';

export interface GeometryReport {
  readonly version: 1;
  readonly made: Made;
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

export function renderGeometry(report: GeometryReport): string {
  const layers = report.layers.filter(({ filters, zeroFilters }) => zeroFilters < filters);
  const largest = new Set(
    [...layers].sort((a, b) => b.filters * b.dimension - a.filters * a.dimension).slice(0, MOST_HISTOGRAMS),
  );
  // A layer has its colour by its place in the file.
  const coloured = layers.map((layer, index) => ({ layer, colour: colourOf(index), index }));
  const histograms = coloured
    .filter(({ layer }) => largest.has(layer))
    .map(({ layer, index }) =>
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
  const most = new Set([...largest].slice(0, MOST_CURVES));
  const shown = coloured.filter(({ layer }) => most.has(layer));
  const patterned = shown.filter(({ layer }) => layer.patterns !== undefined);
  const grouped = shown.filter(({ layer }) => layer.oneBit !== undefined);
  const drawn = shown.length < layers.length ? `the ${shown.length} largest layers` : 'all layers';
  const missing = layers.length - histograms.length;
  const slope =
    report.spreadSlope === null
      ? ''
      : ` The slope is ${report.spreadSlope.toFixed(3).replace('-', '−')}; theory says −0.5.`;
  const pictures = [
    figure(
      'Angle between filters and their signs',
      'Mean of each layer, in the order of the file, and the 37.07° of random directions in many dimensions.',
      angleChart(coloured),
    ),
    figure(
      'Spread of the angles against the length of the filters',
      `A point a layer, on logarithmic axes; the line is the closed form for random filters.${slope}`,
      spreadChart(coloured),
    ),
    figure(
      'Weights',
      `Density of the weights in units of the root mean square of their filter, ${drawn}; dashes mark the normal law.`,
      densityChart(shown),
    ),
    figure(
      'Ternary weights',
      `Angle between the weights and 1[|w| > a]·sign(w), against the threshold a, ${drawn}; dashes mark the normal law, which is nearest (25.86°) at a = 0.612.`,
      ternaryChart(shown),
    ),
    figure(
      'More bits',
      `Angle between the weights and the greedy residual version of 1 to 4 bits, ${drawn}; dashes mark the normal law.`,
      bitsChart(shown),
    ),
    layers.some(({ rotatedAngle }) => rotatedAngle !== undefined)
      ? figure(
          'Rotation before the signs are taken',
          'Mean angle of each layer as it is (filled) and after a random rotation (hollow): sign(Rx) brings any filter near the 37.07° of random directions.',
          rotationChart(coloured),
        )
      : undefined,
    patterned.length > 0
      ? figure(
          'Patterns of 3 × 3 kernels',
          `The 512 patterns of signs from the most to the least frequent, with the share of each among the kernels, of ${patterned.length === 1 ? 'the layer' : 'the largest layers'} that has them; the dashed line is 1/512, as of random signs.`,
          patternChart(patterned),
        )
      : undefined,
    grouped.length > 0
      ? figure(
          'One bit a weight',
          `Relative error ‖w − ŵ‖ / ‖w‖ where so many weights share a scale, ŵ = mean |w| · sign(w); the last point is a scale for each filter, ${drawn}; the dashed line is the closed form for normal weights.`,
          oneBitChart(grouped),
        )
      : undefined,
  ];
  return page({
    kicker: 'webgpu-bnn geometry report',
    title: report.model,
    header: html`<p class="figures"><strong>${whole(report.weights)}</strong> weights in ${whole(layers.length)} layers,
measured in ${report.seconds.toFixed(1)} seconds</p>`,
    body: html`${charts(pictures)}
<h2>Angles</h2>
<p>Each filter turns by an angle when its weights are replaced by their signs. The dotted lines mark the mean of uniform weights
(30°) and of random directions in many dimensions (37.07°); the dashed line marks the closed form for the layer's own dimension.${
      missing > 0
        ? ` The ${MOST_HISTOGRAMS} largest layers are drawn; ${missing} smaller ones are in the table.`
        : ''
    }</p>
${charts(histograms)}
${grouped.length > 0 ? groupTable(layers.filter(({ oneBit }) => oneBit !== undefined)) : undefined}
<h2>Layers</h2>
${layerTable(report.layers)}`,
    facts: [
      ['adapter', report.adapter.name],
      ['near zero means', `|w| < ${report.nearZero}`],
      ['read', `${(report.bytesPerSecond / 1e6).toFixed(0)} MB/s`],
      ['GPU memory, most at once', megabytes(report.peakGpuBytes)],
      ...report.skipped.map(({ name, reason }): Fact => [`left out: ${name}`, reason]),
    ],
    made: report.made,
  });
}

/** A layer, and the colour that is its own in every figure. */
interface Coloured {
  readonly layer: LayerSurvey;
  readonly colour: string;
}

/** Axes for an angle of each layer. */
function anglePerLayer(layers: readonly Coloured[]) {
  return {
    xAxis: { ...AXIS, ...named('layer'), type: 'category', data: layers.map((_, i) => i + 1) },
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

function angleChart(layers: readonly Coloured[]): Plot {
  return draw(HEIGHT, {
    grid: PLOT,
    ...anglePerLayer(layers),
    series: [
      {
        ...points,
        name: 'mean angle',
        data: layers.map(({ layer, colour }) => ({ value: layer.meanAngle, itemStyle: { color: colour } })),
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

function spreadChart(layers: readonly Coloured[]): Plot {
  const shown = layers.filter(({ layer: { filters, sdAngle } }) => filters > 1 && sdAngle > 0);
  const lengths = [...new Set(shown.map(({ layer }) => layer.dimension))].sort((a, b) => a - b);
  const expected = new Map(shown.map(({ layer: { dimension, expectedSd } }) => [dimension, expectedSd]));
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: { ...AXIS, ...named('weights of a filter'), type: 'log', scale: true },
    yAxis: {
      ...AXIS,
      type: 'log',
      name: 'standard deviation, degrees',
      nameTextStyle: { ...AXIS.nameTextStyle, align: 'left' },
      scale: true,
    },
    series: [
      {
        type: 'line',
        symbol: 'none',
        data: lengths.map((length) => [length, expected.get(length) ?? 0]).filter(([, sd]) => (sd ?? 0) > 0),
        lineStyle: { color: SOFT, type: 'dashed', width: 1.5 },
      },
      {
        ...points,
        name: 'standard deviation',
        data: shown.map(({ layer: { dimension, sdAngle }, colour }) => ({
          value: [dimension, sdAngle],
          itemStyle: { color: colour },
        })),
      },
    ],
  });
}

type Curve = readonly (readonly [number, number])[];

/** Curves of layers over the one that the normal law gives. */
function curves(
  x: PlotAxis,
  y: PlotAxis,
  all: readonly (readonly [of: Coloured, data: Curve])[],
  [law, normal]: readonly [name: string, data: Curve],
  symbol = 'none',
): Plot {
  const axis = { ...AXIS, type: 'value' };
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: { ...axis, nameLocation: 'middle', nameGap: 30, ...x },
    yAxis: {
      ...axis,
      nameTextStyle: { ...AXIS.nameTextStyle, align: 'left' },
      ...y,
    },
    series: [
      ...all.map(([{ layer, colour }, data]) => ({
        type: 'line',
        name: layer.name,
        symbol,
        symbolSize: 6,
        showAllSymbol: true,
        data,
        color: colour,
        itemStyle: { color: colour },
        lineStyle: { width: 2, color: colour },
      })),
      {
        type: 'line',
        name: law,
        symbol: 'none',
        data: normal,
        z: 5,
        itemStyle: { color: INK },
        lineStyle: { color: INK, type: 'dashed', width: 1.5 },
      },
    ],
  });
}

function densityChart(layers: readonly Coloured[]): Plot {
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
    { name: 'density' },
    layers.map((one) => [one, points(one.layer.density)] as const),
    ['normal law', points(gaussianDensity(640))],
  );
}

function ternaryChart(layers: readonly Coloured[]): Plot {
  const places = Array.from({ length: 61 }, (_, i) => i / 40);
  const curve = (density: LayerSurvey['density']): Curve => places.map((a) => [a, ternaryAngle(density, a)]);
  return curves(
    { name: 'threshold a, root mean squares', max: 1.5 },
    { name: 'degrees', scale: true },
    layers.map((one) => [one, curve(one.layer.density)] as const),
    ['normal law', curve(gaussianDensity())],
  );
}

function bitsChart(layers: readonly Coloured[]): Plot {
  const numbered = (angles: readonly number[]): Curve => angles.map((angle, index) => [index + 1, angle]);
  return curves(
    { name: 'bits', min: 1, max: 4, interval: 1 },
    { name: 'degrees' },
    layers.map((one) => [one, numbered(one.layer.residualAngles)] as const),
    ['normal law', numbered(residualAngles(gaussianDensity(), 4))],
    'circle',
  );
}

function rotationChart(layers: readonly Coloured[]): Plot {
  return draw(HEIGHT, {
    grid: PLOT,
    ...anglePerLayer(layers),
    series: [
      {
        ...points,
        name: 'as it is',
        data: layers.map(({ layer, colour }) => ({ value: layer.meanAngle, itemStyle: { color: colour } })),
      },
      {
        ...points,
        name: 'rotated',
        data: layers.map(({ layer, colour }) => ({
          value: layer.rotatedAngle ?? '-',
          itemStyle: { color: 'transparent', borderColor: colour, borderWidth: 2 },
        })),
      },
    ],
  });
}

function patternChart(layers: readonly Coloured[]): Plot {
  const ranked = (counts: readonly number[]): Curve => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const sorted = [...counts].sort((a, b) => b - a);
    return sorted.map((count, rank) => [rank + 1, (100 * count) / total]);
  };
  return curves(
    { name: 'pattern, by how often it occurs', min: 1, max: 512, interval: 73 },
    { name: '% of the kernels' },
    layers.map((one) => [one, ranked(one.layer.patterns ?? [])] as const),
    [
      'random signs',
      [
        [1, 100 / 512],
        [512, 100 / 512],
      ],
    ],
  );
}

function oneBitChart(layers: readonly Coloured[]): Plot {
  const groupsOf = ({ layer }: Coloured) => layer.oneBit?.groups ?? [];
  const places = new Map(layers.flatMap(groupsOf).map(({ size, expectedError }) => [size, expectedError]));
  return curves(
    { name: 'weights that share a scale', type: 'log', logBase: 2, scale: true },
    { name: 'relative error', scale: true },
    layers.map((one) => [one, groupsOf(one).map(({ size, error }) => [size, error] as const)] as const),
    ['normal weights', [...places].sort(([a], [b]) => a - b)],
    'circle',
  );
}

function groupTable(layers: readonly LayerSurvey[]): Html {
  const { sizes, normal, rows, all } = oneBitTable(layers);
  const lines = [['normal weights', normal], ...rows, [ALL_LAYERS, all]] as const;
  return html`<h2>One bit a weight</h2>
<p>Angle between the weights of a layer and their signs, and the relative error, where so many weights share a scale, the mean of their
magnitudes as a half float; in groups that divide a filter. A sign and its share of a scale are 1 + 16/size bits.</p>
${table(
  ['weights to a scale', ...sizes.map(String), 'filter'],
  lines.map(([name, cells]) => [name, ...cells.map((cell) => cell.join(', ') || '–')]),
)}`;
}

/** A line chart that draws its points only. */
const points = {
  type: 'line',
  symbol: 'circle',
  symbolSize: 8,
  showAllSymbol: true,
  itemStyle: { color: INK },
  lineStyle: { width: 0 },
} as const;

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

function layerTable(layers: readonly LayerSurvey[]) {
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
    const shown = cells.map(
      ([sortBy, text]): Cell => (measured || Number.isFinite(sortBy) ? [text, sortBy] : ['–', -1]),
    );
    return [layer.name, ...shown];
  });
  return table(head, rows, { sortable: true });
}
