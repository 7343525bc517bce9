/**
 * Plots of the reports: rendered to SVG here, so that a page needs no network. Colours are CSS variables, so they follow the
 * reader's light or dark scheme, with those of the light one as what a picture on its own falls back to.
 */
import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent } from 'echarts/components';
import { type EChartsCoreOption, type EChartsType, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { type Html, html, ourMarkup } from './html.ts';

export const WIDTH = 520;
export const HEIGHT = 270;
export const SMALL_HEIGHT = 190;
/** Where the axes lie in a plot. */
export const PLOT = { left: 64, right: 20, top: 28, bottom: 48 };
/** Readable where a page is as narrow as a phone, too: a plot is 520 wide and shrinks to 340 there. */
export const LETTERS = 14;

/** Colours of a scheme by the names of their CSS variables. */
type Scheme = Readonly<Record<string, string>>;
export const LIGHT = {
  page: '#fbfaf8',
  card: '#fff',
  ink: '#24292f',
  soft: '#5c6670',
  faint: '#d5d9de',
  s1: '#0b6e99',
  s2: '#c2571a',
  s3: '#3f7d20',
  s4: '#7b3fa0',
  s5: '#a3241f',
  s6: '#8a6d00',
  s7: '#0f8a7e',
  s8: '#c2418a',
  s9: '#4a54b8',
  s10: '#6b7178',
  g1: '#24292f',
  g2: '#5c6670',
  g3: '#949da6',
  g4: '#c3c9cf',
} as const satisfies Scheme;
export const DARK: Record<keyof typeof LIGHT, string> = {
  page: '#14171a',
  card: '#1c2125',
  ink: '#e4e7ea',
  soft: '#9aa5ae',
  faint: '#3b434a',
  s1: '#58b4dc',
  s2: '#f0945c',
  s3: '#8ccf66',
  s4: '#c490e4',
  s5: '#f08580',
  s6: '#dcc04a',
  s7: '#4fd0c2',
  s8: '#f08cc4',
  s9: '#98a2f4',
  s10: '#aab1b8',
  g1: '#e4e7ea',
  g2: '#9aa5ae',
  g3: '#6d7882',
  g4: '#4c565e',
};

export const INK = `var(--ink, ${LIGHT.ink})`;
export const SOFT = `var(--soft, ${LIGHT.soft})`;
export const FAINT = `var(--faint, ${LIGHT.faint})`;
/** Shades between the text's colour and the lines', for what is no layer. */
export const GREYS = ([1, 2, 3, 4] as const).map((shade) => `var(--g${shade}, ${LIGHT[`g${shade}`]})`);
const COLOURS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] as const;

/** What uniform weights, and random directions in many dimensions, turn by. */
export const LANDMARKS = [30, 37.0714];

use([BarChart, LineChart, ScatterChart, GridComponent, MarkLineComponent, SVGRenderer]);

/**
 * The colour of a layer, by its place among all layers of the report, in every figure. After ten they come again, but for
 * what they fall back to: by that, the page's script tells the lines of a plot from each other.
 */
export function colourOf(index: number): string {
  const name = `s${COLOURS[index % COLOURS.length] ?? 1}` as const;
  const fallback = Number.parseInt(LIGHT[name].slice(1), 16) + Math.floor(index / COLOURS.length);
  return `var(--${name}, #${fallback.toString(16).padStart(6, '0')})`;
}

/** The shape of a dot whose colour is `colourOf` the same place: where colours come again, it is another one. */
export function symbolOf(index: number): string {
  return ['circle', 'rect', 'triangle', 'diamond'][Math.floor(index / COLOURS.length) % 4] ?? 'circle';
}

export const AXIS = {
  axisLabel: { color: INK, fontSize: LETTERS },
  axisLine: { lineStyle: { color: FAINT } },
  axisTick: { lineStyle: { color: FAINT } },
  splitLine: { lineStyle: { color: FAINT, opacity: 0.5 } },
  nameTextStyle: { color: INK, fontSize: LETTERS },
};

/** An axis' name below the middle of it. */
export function named(name: string) {
  return { name, nameLocation: 'middle', nameGap: 30 };
}

/** A picture, and what its points say: to be shown where the pointer is, and as a table. */
export interface Plot {
  readonly picture: Html;
  readonly series: readonly PlotSeries[];
  /** Names of the axes. */
  readonly x: string;
  readonly y: string;
}

export interface PlotSeries {
  readonly name: string;
  /** Among all series of the plot. */
  readonly index: number;
  readonly colour: string;
  /** The shape of its dots. */
  readonly symbol: string;
  /** Of the picture, in its own units, and of the data. */
  readonly points: readonly (readonly [left: number, top: number, x: number | string, y: number])[];
}

/** What the plots here use of ECharts' options. */
export interface PlotOptions extends EChartsCoreOption {
  readonly xAxis: PlotAxis;
  readonly yAxis: PlotAxis;
  readonly series: readonly PlottedSeries[];
}

export interface PlotAxis {
  readonly [option: string]: unknown;
  readonly name?: string;
  readonly type?: string;
  /** Names of categories. */
  readonly data?: readonly unknown[];
}

interface PlottedSeries {
  readonly [option: string]: unknown;
  /** Absent for a line that only guides the eye. */
  readonly name?: string;
  readonly itemStyle?: { readonly color?: string };
  readonly symbol?: string;
  readonly data?: readonly unknown[];
}

export function draw(height: number, options: PlotOptions): Plot {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    ...options,
  });
  // ECharts fixes the size in pixels; without it a picture takes the width that there is.
  const svg = chart.renderToSVGString().replace(/<svg width="\d+" height="\d+"/, '<svg');
  const series = options.series.flatMap((one, index) =>
    one.name === undefined
      ? []
      : {
          name: one.name,
          index,
          colour: one.itemStyle?.color ?? INK,
          symbol: one.symbol ?? 'circle',
          points: pointsOf(chart, options, index, one.data ?? []),
        },
  );
  chart.dispose();
  return {
    picture: ourMarkup(svg),
    series,
    x: options.xAxis.name ?? '',
    y: options.yAxis.name ?? '',
  };
}

/** Points of a series that a page can name; a longer one is thinned out. */
const MOST_POINTS = 300;

function pointsOf(
  chart: EChartsType,
  { xAxis, yAxis }: PlotOptions,
  seriesIndex: number,
  data: readonly unknown[],
): PlotSeries['points'] {
  const every = Math.ceil(data.length / MOST_POINTS);
  return data.flatMap((item, index) => {
    if (index % every !== 0) return [];
    const value = typeof item === 'object' && item !== null && 'value' in item ? item.value : item;
    const lies = yAxis.type === 'category';
    const [x, y] = Array.isArray(value) ? value : lies ? [value, index] : [index, value];
    if (!Number.isFinite(x) || !Number.isFinite(y)) return [];
    const [left, top] = chart.convertToPixel({ seriesIndex }, [x, y]) as unknown as [number, number];
    const categories = lies ? yAxis.data : xAxis.type === 'category' ? xAxis.data : undefined;
    const label = categories?.[lies ? y : x];
    const place = label === undefined ? rounded(x) : typeof label === 'number' ? label : String(label);
    return [[Math.round(left), Math.round(top), place, rounded(lies ? x : y)] as const];
  });
}

function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

/**
 * A plot with a title, what it shows in words, names of its series that switch them off and on, and downloads; the script
 * of the page brings these to life.
 */
export function figure(title: string, caption: string, plot: Plot | Html, className = ''): Html {
  const { picture, series, x, y } = 'picture' in plot ? plot : { picture: plot, series: [], x: '', y: '' };
  const legend =
    series.length < 2
      ? undefined
      : html`<div class="legend">${series.map(
          ({ name, colour, symbol }, index) =>
            html`<button type="button" aria-pressed="true" data-series="${index}"><i class="${symbol}" style="background:${colour}"></i>${name}</button>`,
        )}</div>`;
  const data = series.length === 0 ? undefined : html` data-plot="${JSON.stringify({ x, y, series })}"`;
  return html`<figure class="${className}"${data}><figcaption><b>${title}</b><span>${caption}</span></figcaption>${legend}
<div class="plot" role="img" aria-label="${title}. ${caption}">${picture}</div></figure>`;
}

/** Filters by their angle, and the closed form that is expected of them. */
export interface AngleCounts {
  /** Filters in equal bins from `from` to `to` degrees. */
  readonly angles: { readonly from: number; readonly to: number; readonly counts: readonly number[] };
  readonly angleExpected: number;
}

/** Bars, with dotted lines at the landmarks and a dashed one at the closed form. */
export function angleHistogram({ angles, angleExpected }: AngleCounts, index: number): Plot {
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
      ...named('degrees'),
      type: 'value',
      min,
      max,
      interval,
      splitLine: { show: false },
    },
    yAxis: { ...AXIS, type: 'value', name: 'filters', minInterval: 1, splitNumber: 3 },
    series: [
      {
        type: 'bar',
        name: 'filters',
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
