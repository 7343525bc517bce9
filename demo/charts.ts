/** The curves and histograms, drawn by ECharts; only the parts of it that are needed are imported. */
import { LineChart, ScatterChart } from 'echarts/charts';
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
} from 'echarts/components';
import { type ECharts, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { EpochInfo, LayerGeometry, StepsInfo } from '../src/index.ts';

use([
  AriaComponent,
  SVGRenderer,
  GridComponent,
  LegendComponent,
  LineChart,
  MarkLineComponent,
  ScatterChart,
  TooltipComponent,
]);

type Point = [x: number, y: number];

/** Milliseconds between drawings. */
const REDRAW_PAUSE = 100;

/** Bins of a histogram over the range that all layers share. */
const BINS = 48;

/** Colours of the layers, in order, as the style sheet names them. */
export const SERIES = ['--series-1', '--series-2', '--series-3', '--series-4', '--series-5'] as const;

/** Colours and type as the style sheet has them now, light or dark. */
interface Theme {
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly surface: string;
  readonly font: string;
  readonly series: readonly string[];
}

export class Charts {
  readonly #loss: ECharts;
  readonly #accuracy: ECharts;
  readonly #angles: ECharts;
  readonly #histogramsElement: HTMLElement;
  readonly #histograms = new Map<string, ECharts>();
  #theme: Theme;
  #stepLoss: Point[] = [];
  #meanLoss: Point[] = [];
  #testLoss: Point[] = [];
  #stepAccuracy: Point[] = [];
  #meanAccuracy: Point[] = [];
  #testAccuracy: Point[] = [];
  #layerAngles = new Map<string, Point[]>();
  #geometry: readonly LayerGeometry[] = [];
  #steps = 1;
  #dirty = false;

  constructor(elements: Record<'loss' | 'accuracy' | 'angles' | 'histograms', HTMLElement>) {
    this.#theme = readTheme();
    this.#loss = init(elements.loss);
    this.#accuracy = init(elements.accuracy);
    this.#angles = init(elements.angles);
    this.#histogramsElement = elements.histograms;
    const resize = new ResizeObserver(() => {
      for (const chart of this.#all()) chart.resize();
    });
    for (const element of Object.values(elements)) resize.observe(element);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#theme = readTheme();
      this.#draw();
    });
    this.clear();
  }

  /** Forgets everything. */
  clear(): void {
    this.#stepLoss = [];
    this.#meanLoss = [];
    this.#testLoss = [];
    this.#stepAccuracy = [];
    this.#meanAccuracy = [];
    this.#testAccuracy = [];
    this.#layerAngles = new Map();
    this.#geometry = [];
    this.#schedule();
  }

  /** How many steps the axes have room for. */
  setLength(steps: number): void {
    this.#steps = steps;
    this.#schedule();
  }

  addSteps({ latest, step, loss, accuracy }: StepsInfo): void {
    for (const one of latest) {
      this.#stepLoss.push([one.step + 1, one.loss]);
      this.#stepAccuracy.push([one.step + 1, (100 * one.correct) / one.count]);
    }
    this.#meanLoss.push([step, loss]);
    this.#meanAccuracy.push([step, 100 * accuracy]);
    this.#schedule();
  }

  addEpoch({ testLoss, testAccuracy }: EpochInfo, step: number): void {
    if (testLoss !== undefined) this.#testLoss.push([step, testLoss]);
    if (testAccuracy !== undefined) this.#testAccuracy.push([step, 100 * testAccuracy]);
    this.#schedule();
  }

  addGeometry(geometry: readonly LayerGeometry[], step: number): void {
    this.#geometry = geometry;
    for (const { name, meanAngle } of geometry) {
      const points = this.#layerAngles.get(name) ?? [];
      points.push([step, meanAngle]);
      this.#layerAngles.set(name, points);
    }
    this.#schedule();
  }

  /** Goes back to a step: what came after it is drawn anew when it is trained again. */
  rewind(step: number): void {
    const upTo = (points: Point[]) => points.filter(([x]) => x <= step);
    this.#stepLoss = upTo(this.#stepLoss);
    this.#meanLoss = upTo(this.#meanLoss);
    this.#testLoss = upTo(this.#testLoss);
    this.#stepAccuracy = upTo(this.#stepAccuracy);
    this.#meanAccuracy = upTo(this.#meanAccuracy);
    this.#testAccuracy = upTo(this.#testAccuracy);
    for (const [name, points] of this.#layerAngles) this.#layerAngles.set(name, upTo(points));
    this.#schedule();
  }

  #colour(index: number): string {
    return this.#theme.series[index % SERIES.length] ?? this.#theme.ink;
  }

  #all(): ECharts[] {
    return [this.#loss, this.#accuracy, this.#angles, ...this.#histograms.values()];
  }

  /** Some drawings a second are enough, and leave the time to the training. */
  #schedule(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    setTimeout(
      () =>
        requestAnimationFrame(() => {
          this.#dirty = false;
          this.#draw();
        }),
      REDRAW_PAUSE,
    );
  }

  #draw(): void {
    const curves = (
      chart: ECharts,
      scale: { readonly unit: string; readonly max?: number },
      steps: Point[],
      mean: Point[],
      test: Point[],
    ) => {
      const { series, muted, surface } = this.#theme;
      const [first, second] = series;
      const frame = this.#frame(scale.unit);
      chart.setOption(
        {
          ...frame,
          yAxis: { ...frame.yAxis, min: 0, ...(scale.max === undefined ? {} : { max: scale.max }) },
          legend: this.#legend(),
          series: [
            {
              name: 'Each step',
              type: 'line',
              data: steps,
              showSymbol: false,
              sampling: 'lttb',
              silent: true,
              lineStyle: { width: 1, opacity: 0.45, color: first ?? muted },
              itemStyle: { color: first ?? muted, opacity: 0.45 },
            },
            {
              name: 'Epoch so far',
              type: 'line',
              data: mean,
              showSymbol: false,
              sampling: 'lttb',
              lineStyle: { width: 2, color: first ?? muted },
              itemStyle: { color: first ?? muted },
            },
            {
              name: 'Held out',
              type: 'line',
              data: test,
              symbol: 'circle',
              symbolSize: 8,
              lineStyle: { width: 2, color: second ?? muted },
              itemStyle: { color: second ?? muted, borderColor: surface, borderWidth: 1 },
            },
          ],
        },
        { replaceMerge: ['series'], lazyUpdate: true },
      );
    };
    curves(
      this.#loss,
      { unit: '', ...(this.#stepLoss.length === 0 ? { max: 2 } : {}) },
      this.#stepLoss,
      this.#meanLoss,
      this.#testLoss,
    );
    curves(
      this.#accuracy,
      { unit: ' %', max: 100 },
      this.#stepAccuracy,
      this.#meanAccuracy,
      this.#testAccuracy,
    );
    this.#drawAngles();
    this.#drawHistograms();
  }

  #drawAngles(): void {
    const { muted } = this.#theme;
    const series = this.#geometry.map(({ name, expectedAngle }, index) => {
      const color = this.#colour(index);
      return {
        name: layerOf(name),
        type: 'line' as const,
        data: this.#layerAngles.get(name) ?? [],
        showSymbol: (this.#layerAngles.get(name)?.length ?? 0) < 2,
        symbolSize: 6,
        lineStyle: { width: 2, color },
        itemStyle: { color },
        markLine: {
          silent: true,
          symbol: 'none',
          lineStyle: { color, type: 'dashed' as const, width: 1.5 },
          // The layers' expectations all but coincide: one label is enough.
          label: {
            show: index === 0,
            position: 'insideEndTop' as const,
            color: muted,
            formatter: () => `expected ${expectedAngle.toFixed(1)}°`,
          },
          data: [{ yAxis: expectedAngle }],
        },
      };
    });
    const frame = this.#frame('°');
    // The expected angle belongs on the picture from the start, when all angles are still elsewhere.
    const yAxis = {
      ...frame.yAxis,
      min: ({ min }: { min: number }) => 2 * Math.floor(Math.min(28, min) / 2),
      max: ({ max }: { max: number }) => 2 * Math.ceil(Math.max(38, max) / 2),
    };
    this.#angles.setOption(
      { ...frame, yAxis, legend: this.#legend(), series },
      { replaceMerge: ['series'], lazyUpdate: true },
    );
  }

  #drawHistograms(): void {
    const names = new Set(this.#geometry.map(({ name }) => name));
    for (const [name, chart] of this.#histograms) {
      if (names.has(name)) continue;
      const element = chart.getDom();
      chart.dispose();
      element.closest('figure')?.remove();
      this.#histograms.delete(name);
    }
    const all = this.#geometry.flatMap(({ angles, expectedAngle }) => [...angles, expectedAngle]);
    const low = 2 * Math.floor((Math.min(...all) - 0.5) / 2);
    const high = 2 * Math.ceil((Math.max(...all) + 0.5) / 2);
    for (const [index, layer] of this.#geometry.entries()) {
      const { ink, muted } = this.#theme;
      const color = this.#colour(index);
      const frame = this.#frame('°');
      this.#histogram(layer).setOption(
        {
          ...frame,
          grid: { left: 34, right: 12, top: 24, bottom: 28 },
          xAxis: {
            ...frame.xAxis,
            name: '',
            min: low,
            max: high,
            axisLabel: { color: muted, formatter: '{value}°' },
          },
          yAxis: { ...frame.yAxis, minInterval: 1, axisLabel: { color: muted }, splitNumber: 3 },
          tooltip: { show: false },
          series: [
            {
              type: 'line',
              step: 'end',
              data: histogram(layer.angles, low, high),
              showSymbol: false,
              silent: true,
              lineStyle: { width: 1.5, color },
              areaStyle: { color, opacity: 0.3 },
              markLine: {
                silent: true,
                symbol: 'none',
                lineStyle: { color: ink, type: 'dashed', width: 1.5 },
                label: { color: muted, formatter: () => `${layer.expectedAngle.toFixed(1)}°` },
                data: [{ xAxis: layer.expectedAngle }],
              },
            },
          ],
        },
        { lazyUpdate: true },
      );
    }
  }

  #histogram({ name, filters, dimension }: LayerGeometry): ECharts {
    const known = this.#histograms.get(name);
    if (known !== undefined) return known;
    const figure = document.createElement('figure');
    const caption = document.createElement('figcaption');
    caption.textContent = `${layerOf(name)}: ${filters} filters of ${dimension} weights`;
    const plot = document.createElement('div');
    plot.className = 'plot';
    figure.append(caption, plot);
    this.#histogramsElement.append(figure);
    const chart = init(plot);
    this.#histograms.set(name, chart);
    return chart;
  }

  #legend() {
    const { muted, font } = this.#theme;
    return {
      top: 0,
      right: 0,
      icon: 'roundRect',
      itemWidth: 14,
      itemHeight: 4,
      textStyle: { color: muted, fontFamily: font },
    };
  }

  /** What all charts share. */
  #frame(unit: string) {
    const { ink, muted, line, surface, font } = this.#theme;
    const axis = {
      type: 'value' as const,
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
      splitLine: { lineStyle: { color: line } },
      axisLabel: { color: muted },
    };
    return {
      animation: false,
      aria: { enabled: true },
      textStyle: { fontFamily: font, color: ink },
      grid: { left: 48, right: 16, top: 34, bottom: 44 },
      xAxis: {
        ...axis,
        name: 'step',
        nameLocation: 'middle' as const,
        nameGap: 26,
        nameTextStyle: { color: muted },
        min: 0,
        max: this.#steps,
        splitLine: { show: false },
        axisLabel: { color: muted, hideOverlap: true, showMaxLabel: false },
      },
      yAxis: { ...axis, axisLine: { show: false }, axisLabel: { color: muted, formatter: `{value}${unit}` } },
      tooltip: {
        trigger: 'axis' as const,
        confine: true,
        backgroundColor: surface,
        borderColor: line,
        textStyle: { color: ink, fontFamily: font },
        axisPointer: { lineStyle: { color: muted }, label: { precision: 0 } },
        valueFormatter: (value: unknown) => (typeof value === 'number' ? `${value.toFixed(3)}${unit}` : ''),
      },
    };
  }
}

/** `dense1` of `dense1/kernel`. */
export function layerOf(name: string): string {
  return name.split('/')[0] ?? name;
}

/** Counts between `low` and `high`, as the corners of steps. */
function histogram(values: Float32Array, low: number, high: number): Point[] {
  const width = (high - low) / BINS;
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((value - low) / width)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const corners = counts.map((count, bin): Point => [low + bin * width, count]);
  return [...corners, [high, 0]];
}

function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: value('--ink'),
    muted: value('--muted'),
    line: value('--line'),
    surface: value('--surface'),
    font: style.fontFamily,
    series: SERIES.map(value),
  };
}
