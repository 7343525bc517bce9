/** The figures of the report of `webgpu-bnn paper`. */
import type { FlippedOverlap } from '../geometry/overlaps.ts';
import type { LayerHulls, LayerTwins, PairOverlaps } from '../geometry/predictors.ts';
import type {
  FewBitCurves,
  LayerProportionality,
  PairHistogram,
  RandomAngles,
  RotatedAngles,
} from '../index.ts';
import { type Html, html } from './html.ts';
import { charts } from './page.ts';
import {
  AXIS,
  colourOf,
  draw,
  FAINT,
  figure,
  GREYS,
  HEIGHT,
  INK,
  named,
  PLOT,
  type Plot,
  type PlotAxis,
  SMALL_HEIGHT,
  SOFT,
  WIDTH,
} from './plots.ts';
import { percent, shortName, whole } from './words.ts';

/** Counts in equal bins. */
interface Bins {
  readonly from: number;
  readonly to: number;
  readonly counts: readonly number[];
}

export interface PaperLayer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly filters: number;
  readonly dimension: number;
  readonly meanAngle: number;
  readonly sdAngle: number;
  readonly expectedAngle: number;
  readonly expectedSd: number;
  /** Mean angle if the filters were rotated before their signs are taken. */
  readonly rotatedAngle: number;
  readonly angles: Bins;
  /** Latent weights by value. */
  readonly latent: Bins;
  readonly proportionality: LayerProportionality;
  /** Of the network with this layer's latent weights, statistics refitted. */
  readonly continuousAccuracy: number;
}

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly colour?: string | undefined;
  readonly dashed?: boolean;
  readonly dots?: boolean;
}

/** Lines of values. */
export function lines(
  all: readonly Line[],
  axes: { readonly x: PlotAxis; readonly y: PlotAxis; readonly mark?: object },
): Plot {
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: { ...AXIS, type: 'value', ...axes.x },
    yAxis: { ...AXIS, type: 'value', ...axes.y },
    series: all.map(({ name, points, colour, dashed, dots }, index) => {
      const color = dashed ? INK : (colour ?? colourOf(index));
      return {
        type: 'line',
        name,
        data: points.map((point) => [...point]),
        color,
        itemStyle: { color },
        lineStyle: { color, width: dashed ? 1.5 : 2, type: dashed ? 'dashed' : 'solid' },
        symbol: dots ? 'circle' : 'none',
        symbolSize: 6,
        showAllSymbol: true,
        ...(index === 0 && axes.mark ? { markLine: axes.mark } : {}),
      };
    }),
  });
}

/** The colour of a layer, whatever its weights are called in a list. */
function colourIn(layers: readonly PaperLayer[], name: string): string | undefined {
  const index = layers.findIndex((layer) => layer.name === shortName(name));
  return index < 0 ? undefined : colourOf(index);
}

/** A dotted line at 37.07 degrees, across an axis. */
function landmark(axis: 'xAxis' | 'yAxis'): object {
  return {
    symbol: 'none',
    silent: true,
    data: [
      {
        [axis]: 37.0714,
        lineStyle: { type: 'dotted', color: SOFT, width: 1.5 },
        label: { formatter: '37.07°', color: SOFT, position: axis === 'xAxis' ? 'end' : 'insideEndTop' },
      },
    ],
  };
}

export function randomChart(random: readonly RandomAngles[]): Plot {
  return lines(
    random.map(({ dimension, vectors, counts }) => {
      // Two bins in one: there are vectors enough for degrees, not for halves of them.
      const width = 180 / counts.length;
      const pairs = Array.from(
        { length: counts.length / 2 },
        (_, i) => (counts[2 * i] ?? 0) + (counts[2 * i + 1] ?? 0),
      );
      return {
        name: `d = ${dimension}`,
        points: pairs
          .map((count, bin) => [(bin + 0.5) * width, count / (vectors * width)] as const)
          .filter(([angle]) => angle <= 60),
      };
    }),
    {
      x: { ...named('degrees'), min: 0, max: 60 },
      y: { name: 'density' },
      mark: landmark('xAxis'),
    },
  );
}

export function spreadChart(layers: readonly PaperLayer[]): Plot {
  const shown = layers.filter(({ filters, sdAngle }) => filters > 1 && sdAngle > 0);
  const expected = shown
    .map(({ dimension, expectedSd }) => [dimension, expectedSd] as const)
    .sort(([a], [b]) => a - b);
  const logarithmic = { type: 'log', scale: true };
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: { ...AXIS, ...logarithmic, ...named('weights of a filter') },
    yAxis: {
      ...AXIS,
      ...logarithmic,
      name: 'standard deviation, degrees',
      nameTextStyle: { ...AXIS.nameTextStyle, align: 'left' },
    },
    series: [
      {
        type: 'line',
        symbol: 'none',
        data: expected.map((point) => [...point]),
        lineStyle: { color: SOFT, type: 'dashed', width: 1.5 },
      },
      ...shown.map(({ name, dimension, sdAngle }, index) => ({
        type: 'line',
        name,
        data: [[dimension, sdAngle]],
        symbol: 'circle',
        symbolSize: 9,
        itemStyle: { color: colourOf(layers.findIndex((layer) => layer.name === name)) },
        label: {
          show: true,
          // A function, since a text may hold what ECharts takes for a place to fill in.
          formatter: () => name,
          color: INK,
          position: index % 2 === 0 ? 'left' : 'right',
        },
      })),
    ],
  });
}

export function rotationChart(rotation: readonly RotatedAngles[]): Plot {
  return lines(
    [
      {
        name: 'without rotation',
        dots: true,
        points: rotation.map((one) => [one.dimension, one.plain.mean] as const),
      },
      {
        name: 'rotated',
        dots: true,
        points: rotation.map((one) => [one.dimension, one.rotated.mean] as const),
      },
    ],
    {
      x: { type: 'log', ...named('dimensions'), scale: true },
      y: { name: 'degrees', min: 0, max: 90, interval: 15 },
      mark: landmark('yAxis'),
    },
  );
}

export function ternaryChart(
  { thresholds, ternaryExpected, measured }: FewBitCurves,
  layers: readonly PaperLayer[],
): Plot {
  const points = (values: readonly number[]) =>
    thresholds.map((threshold, i) => [threshold, values[i] ?? 0] as const).filter(([, angle]) => angle < 60);
  return lines(
    [
      ...measured.map(({ name, ternary }) => ({
        name: shortName(name),
        colour: colourIn(layers, name),
        points: points(ternary),
      })),
      { name: 'closed form', points: points(ternaryExpected), dashed: true },
    ],
    { x: { ...named('threshold') }, y: { name: 'degrees', scale: true } },
  );
}

export function bitsChart({ bitsExpected, measured }: FewBitCurves, layers: readonly PaperLayer[]): Plot {
  const points = (values: readonly number[]) => values.map((angle, i) => [i + 1, angle] as const);
  return lines(
    [
      ...measured.map(({ name, bits }) => ({
        name: shortName(name),
        colour: colourIn(layers, name),
        points: points(bits),
        dots: true,
      })),
      { name: 'closed form', points: points(bitsExpected), dashed: true },
    ],
    {
      x: { ...named('bits'), min: 1, max: bitsExpected.length, interval: 1 },
      y: { name: 'degrees', min: 0 },
    },
  );
}

export function latentChart({ from, to, counts }: Bins, index: number): Plot {
  const width = (to - from) / counts.length;
  const total = counts.reduce((sum, count) => sum + count, 0);
  return draw(SMALL_HEIGHT, {
    grid: { left: 52, right: 16, top: 28, bottom: 48 },
    xAxis: {
      ...AXIS,
      type: 'value',
      ...named('latent weight'),
      min: from,
      max: to,
      splitLine: { show: false },
    },
    yAxis: { ...AXIS, type: 'value', name: 'density', splitNumber: 3 },
    series: [
      {
        type: 'bar',
        name: 'density',
        data: counts.map((count, bin) => [from + (bin + 0.5) * width, count / (total * width)]),
        barWidth: (0.95 * (WIDTH - 68)) / counts.length,
        itemStyle: { color: colourOf(index) },
      },
    ],
  });
}

export function correlationChart(layers: readonly PaperLayer[]): Plot {
  const names = layers.map(({ name }) => name);
  const series: readonly (readonly [string, (pairs: LayerProportionality) => number | undefined])[] = [
    ['weights', ({ weights }) => weights.meanR],
    ['permuted', ({ permuted }) => permuted?.weights.meanR],
    ['activations', ({ activations }) => activations?.meanR],
    ['both', ({ both }) => both?.meanR],
  ];
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: { ...AXIS, type: 'category', data: names },
    yAxis: { ...AXIS, type: 'value', name: 'r', min: 0, max: 1 },
    series: [
      ...series.map(([name, of], index) => ({
        type: 'bar',
        name,
        data: layers.map(({ proportionality }) => of(proportionality) ?? '-'),
        // Shades of grey: colours stand for layers.
        itemStyle: { color: GREYS[index] ?? SOFT },
      })),
      {
        type: 'line',
        name: 'cos θ',
        data: layers.map(({ proportionality }) => proportionality.meanCosine),
        symbol: 'diamond',
        symbolSize: 9,
        showAllSymbol: true,
        itemStyle: { color: colourOf(1) },
        lineStyle: { width: 0 },
      },
    ],
  });
}

export function accuracyChart(layers: readonly PaperLayer[], accuracy: number): Plot {
  const points = layers.map(({ continuousAccuracy }) => 100 * (continuousAccuracy - accuracy));
  const most = Math.max(2, Math.ceil(Math.max(...points.map(Math.abs))));
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: {
      ...AXIS,
      type: 'category',
      data: layers.map(({ name }) => name),
      axisLabel: { color: INK },
      position: 'bottom',
    },
    yAxis: {
      ...AXIS,
      type: 'value',
      name: 'percentage points',
      nameTextStyle: { ...AXIS.nameTextStyle, align: 'left' },
      min: -most,
      max: most,
    },
    series: [
      {
        type: 'bar',
        name: 'difference',
        data: points.map((value, index) => ({ value, itemStyle: { color: colourOf(index) } })),
        barWidth: '50%',
        label: {
          show: true,
          color: INK,
          position: 'top',
          formatter: ({ dataIndex }: { dataIndex: number }) =>
            percent(layers[dataIndex]?.continuousAccuracy ?? 0),
        },
        markLine: {
          symbol: 'none',
          silent: true,
          label: { show: false },
          lineStyle: { color: INK, type: 'solid', width: 1 },
          data: [{ yAxis: 0 }],
        },
      },
    ],
  });
}

/** Layers by depth: whole numbers from 1. */
const depthAxis = (layers: number) => ({
  ...named('layer that reads signs'),
  min: 1,
  max: Math.max(2, layers),
  interval: 1,
});

export function overlapChart(overlaps: readonly PairOverlaps[]): Plot {
  return lines(
    overlaps.flatMap(({ pairs, layers }, index) => [
      {
        name: pairs,
        colour: colourOf(index),
        dots: true,
        points: layers.map(({ overlap }, i) => [i + 1, overlap] as const),
      },
      {
        name: `${pairs}: (2/π)·arcsin`,
        dashed: true,
        points: layers.flatMap(({ law }, i) => (law === undefined ? [] : [[i + 1, law] as const])),
      },
    ]),
    { x: depthAxis(overlaps[0]?.layers.length ?? 1), y: { name: 'overlap', max: 1 } },
  );
}

export function flipsChart(flips: readonly FlippedOverlap[]): Plot {
  const points = (of: (one: FlippedOverlap) => number) => [
    [0, 1] as const,
    ...flips.map((one) => [one.flipped, of(one)] as const),
  ];
  return lines(
    [
      { name: 'cosine of outputs', dots: true, points: points(({ overlap }) => overlap) },
      { name: 'same answer', dots: true, points: points(({ agree }) => agree) },
      { name: '1 − 2p', dashed: true, points: points(({ flipped }) => 1 - 2 * flipped) },
    ],
    { x: { ...named('share of weights flipped') }, y: { name: '', max: 1 } },
  );
}

export function hullsChart(hulls: readonly LayerHulls[]): Plot {
  return lines(
    [{ name: 'right', dots: true, points: hulls.map(({ accuracy }, i) => [i + 1, accuracy] as const) }],
    { x: depthAxis(hulls.length), y: { name: 'share', min: 0, max: 1 } },
  );
}

export function skippedChart(twins: readonly LayerTwins[]): Plot {
  return lines(
    twins.map(({ layer, skippable }) => ({
      name: layer,
      dots: true,
      points: skippable.map(({ threshold, skipped }) => [threshold, skipped] as const),
    })),
    { x: { ...named('threshold of r'), min: 0, max: 1 }, y: { name: 'share skipped', min: 0 } },
  );
}

/** Maps of the pairs of a layer: weights, weights on permuted data, activations. */
export function pairMaps(
  { name, products, weights, permuted, activations }: LayerProportionality,
  colour: string,
): Html {
  const about = (r: number, change: number) => `r = ${r.toFixed(3)}, signs change in ${percent(change)}.`;
  const maps = [
    { title: 'weights', x: 'A·w_c', y: 'A·w_b', pairs: weights },
    { title: 'weights, permuted', x: 'A·w_c', y: 'A·w_b', pairs: permuted?.weights },
    { title: 'activations', x: 'A_c·w_b', y: 'A_b·w_b', pairs: activations },
  ].flatMap(({ title, x, y, pairs }) =>
    pairs?.histogram === undefined
      ? []
      : figure(
          `${name}: ${title}`,
          about(pairs.meanR, pairs.meanSignChange),
          pairMap(pairs.histogram, x, y, colour),
          'map',
        ),
  );
  return html`<h3>${name} <small>${whole(products)} products a filter</small></h3>
${charts(maps, 'maps')}`;
}

/** Shades of a map; each one is a fixed factor in counts. */
const SHADES = 8;

/** A histogram of pairs as squares in shades of one colour: one path a shade, for a page of maps must stay small. */
function pairMap(
  { bins, x0, y0, cellX, cellY, counts }: PairHistogram,
  xName: string,
  yName: string,
  colour: string,
): Html {
  const [left, top, size] = [46, 10, 240];
  const cell = size / bins;
  const most = Math.max(1, ...counts);
  const paths = Array.from({ length: SHADES }, () => '');
  counts.forEach((count, at) => {
    if (count === 0) return;
    const shade = Math.min(SHADES - 1, Math.floor((SHADES * Math.log1p(count)) / Math.log1p(most)));
    const [column, row] = [at % bins, bins - 1 - Math.floor(at / bins)];
    paths[shade] += `M${column} ${row}h1v1h-1z`;
  });
  const opacity = (shade: number) => ((shade + 1) / SHADES).toFixed(3);
  const shades = paths.map((path, shade) =>
    path === '' ? undefined : html`<path d="${path}" fill="${colour}" fill-opacity="${opacity(shade)}"/>`,
  );
  const ticks = (from: number, range: number) => {
    const step = niceStep(range / 3);
    const first = Math.ceil(from / step);
    const count = Math.floor((from + range) / step) - first + 1;
    return Array.from({ length: count }, (_, i) => (first + i) * step);
  };
  const text = (x: number, y: number, content: string, anchor: string) =>
    html`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${INK}">${content}</text>`;
  const [rangeX, rangeY] = [bins * cellX, bins * cellY];
  const horizontal = ticks(x0, rangeX).map((value) => {
    const at = left + (size * (value - x0)) / rangeX;
    return html`<path d="M${at.toFixed(1)} ${top + size}v4" stroke="${FAINT}"/>${text(at, top + size + 16, tickText(value), 'middle')}`;
  });
  const vertical = ticks(y0, rangeY).map((value) => {
    const at = top + size - (size * (value - y0)) / rangeY;
    return html`<path d="M${left} ${at.toFixed(1)}h-4" stroke="${FAINT}"/>${text(left - 6, at + 4, tickText(value), 'end')}`;
  });
  // What a shade stands for: each begins at the count of its left edge.
  const scaleTop = top + size + 44;
  const scale = paths.map((_, shade) => {
    const x = left + (size * shade) / SHADES;
    return html`<rect x="${x}" y="${scaleTop}" width="${size / SHADES}" height="8" fill="${colour}" fill-opacity="${opacity(shade)}"/>`;
  });
  const least = (shade: number) => whole(Math.max(1, Math.expm1((shade * Math.log1p(most)) / SHADES)));
  const marks = [0, SHADES / 2].map((shade) =>
    text(left + (size * shade) / SHADES, scaleTop + 22, least(shade), 'start'),
  );
  return html`<svg viewBox="0 0 300 322" font-size="11" font-family="system-ui, sans-serif">
<rect x="${left}" y="${top}" width="${size}" height="${size}" fill="none" stroke="${FAINT}"/>
<g shape-rendering="crispEdges" transform="translate(${left} ${top}) scale(${cell.toFixed(4)})">${shades}</g>
${horizontal}${vertical}
${text(left + size / 2, top + size + 34, xName, 'middle')}
<g transform="rotate(-90 10 ${top + size / 2})">${text(10, top + size / 2, yName, 'middle')}</g>
${scale}${marks}
${text(left + size, scaleTop + 22, `${whole(most)} pairs`, 'end')}
</svg>`;
}

/** 1, 2 or 5 times a power of ten, near to `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = rough / power;
  return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

function tickText(value: number): string {
  return Number(value.toPrecision(4)).toString().replace('-', '−');
}
