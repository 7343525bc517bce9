/** A chart of lines, drawn by ECharts once that is loaded, at most some times a second. */
import { useSignalEffect } from '@preact/signals';
import type { ECharts, EChartsCoreOption } from 'echarts/core';
import { useEffect, useRef } from 'preact/hooks';
import type { Point } from '../worker/protocol.ts';
import { theme } from './theme.ts';

/** Milliseconds between drawings: some a second are enough. */
const REDRAW_PAUSE = 120;

/** One line of a chart. */
export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
  readonly color: string;
  readonly width?: number;
  readonly faint?: boolean;
  readonly marks?: boolean;
  readonly dashed?: boolean;
  readonly steps?: boolean;
  readonly filled?: boolean;
  /** Points and no line between them. */
  readonly dots?: boolean;
  /** Where a dashed line stands, and what it says. */
  readonly mark?: { readonly axis: 'x' | 'y'; readonly at: number; readonly text?: string };
}

/** What a chart shows. */
export interface Plot {
  readonly lines: readonly Line[];
  readonly x: {
    readonly name?: string;
    readonly min?: number;
    readonly max?: number;
    readonly unit?: string;
    /** Equal steps are equal ratios. */
    readonly log?: boolean;
  };
  readonly y: {
    readonly unit?: string;
    readonly log?: boolean;
    /** How a value is said; default: itself, with its unit. */
    readonly label?: (value: number) => string;
    readonly min?: number | ((range: { min: number; max: number }) => number);
    readonly max?: number | ((range: { min: number; max: number }) => number);
    readonly integers?: boolean;
  };
  readonly legend?: boolean;
  readonly tooltip?: boolean;
}

/** @param plot reads signals: it is asked again when they change */
export function Chart({
  id,
  plot,
  label,
}: {
  readonly id?: string;
  readonly plot: () => Plot;
  readonly label: string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<{
    chart?: ECharts;
    due?: ReturnType<typeof setTimeout> | undefined;
    last: number;
    width: number;
    plot?: Plot;
  }>({ last: 0, width: 0 });

  const draw = async () => {
    const state = drawn.current;
    state.due = undefined;
    const { chartIn } = await import('./echarts.ts');
    // Before it is laid out it has no width, and is drawn when it has.
    if (place.current === null || state.width === 0 || state.plot === undefined) return;
    state.chart ??= chartIn(place.current);
    if (state.chart.getWidth() !== state.width) state.chart.resize();
    state.last = performance.now();
    state.chart.setOption(optionOf(state.plot, state.width), { replaceMerge: ['series'], lazyUpdate: true });
  };

  useSignalEffect(() => {
    const state = drawn.current;
    state.plot = plot();
    const wait = Math.max(0, REDRAW_PAUSE - (performance.now() - state.last));
    state.due ??= setTimeout(() => requestAnimationFrame(() => void draw()), wait);
  });

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const resize = new ResizeObserver(() => {
      drawn.current.width = element.clientWidth;
      void draw();
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      clearTimeout(drawn.current.due);
      drawn.current.chart?.dispose();
    };
  }, []);

  return <div class="plot" id={id} ref={place} role="img" aria-label={label} />;
}

function optionOf({ lines, x, y, legend = true, tooltip = true }: Plot, width: number): EChartsCoreOption {
  const { ink, muted, line, surface, font } = theme.value;
  const axis = {
    type: 'value',
    axisLine: { lineStyle: { color: line } },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: line } },
  };
  const names = [...new Set(lines.map(({ name }) => name))];
  const named = names.length > 1;
  // A name takes its letters, and a mark with its gaps; rows of names that don't fit beside each other push the plot down.
  const rows = Math.ceil(names.reduce((sum, { length }) => sum + 7 * length + 30, 0) / width);
  return {
    animation: false,
    textStyle: { fontFamily: font, color: ink },
    grid: {
      ...{ left: 48, right: 16 },
      top: legend && named ? 18 + 16 * rows : 20,
      bottom: x.name === undefined ? 28 : 44,
    },
    legend: {
      show: legend && named,
      ...{ top: 0, right: 0, itemWidth: 14, itemHeight: 4 },
      data: names.map((name) => {
        const isDots = lines.some((one) => one.name === name && one.dots);
        return { name, icon: isDots ? 'circle' : 'roundRect' };
      }),
      textStyle: { color: muted, fontFamily: font },
    },
    xAxis: {
      ...axis,
      ...(x.log ? { type: 'log' } : {}),
      name: x.name ?? '',
      ...{ nameLocation: 'middle', nameGap: 26, nameTextStyle: { color: muted } },
      ...(x.min === undefined ? {} : { min: x.min }),
      ...(x.max === undefined ? {} : { max: x.max }),
      splitLine: { show: false },
      axisLabel: { color: muted, hideOverlap: true, formatter: `{value}${x.unit ?? ''}` },
    },
    yAxis: {
      ...axis,
      ...(y.log ? { type: 'log' } : {}),
      axisLine: { show: false },
      ...(y.min === undefined ? {} : { min: y.min }),
      ...(y.max === undefined ? {} : { max: y.max }),
      ...(y.integers ? { minInterval: 1, splitNumber: 3 } : {}),
      axisLabel: { color: muted, formatter: y.label ?? `{value}${y.unit ?? ''}` },
    },
    tooltip: {
      show: tooltip,
      ...{ trigger: 'axis', confine: true, backgroundColor: surface, borderColor: line },
      textStyle: { color: ink, fontFamily: font },
      axisPointer: { lineStyle: { color: muted }, label: { precision: 0 } },
      valueFormatter: (value: unknown) =>
        typeof value === 'number' ? `${value.toFixed(3)}${y.unit ?? ''}` : '',
    },
    series: lines.map((one) => ({
      name: one.name,
      type: 'line',
      data: one.points,
      silent: one.faint ?? false,
      showSymbol: one.marks ?? one.dots ?? false,
      ...{ symbol: 'circle', symbolSize: one.dots ? 5 : 7 },
      ...(one.steps ? { step: 'end' } : { sampling: 'lttb' }),
      lineStyle: {
        color: one.color,
        width: one.width ?? (one.dots ? 0 : one.faint ? 1 : 2),
        opacity: one.faint ? 0.4 : 1,
        type: one.dashed ? 'dashed' : 'solid',
      },
      itemStyle: { color: one.color, borderColor: surface, borderWidth: 1 },
      ...(one.filled ? { areaStyle: { color: one.color, opacity: 0.3 } } : {}),
      ...(one.mark === undefined
        ? {}
        : {
            markLine: {
              ...{ silent: true, symbol: 'none' },
              lineStyle: { color: one.mark.axis === 'x' ? ink : one.color, type: 'dashed', width: 1.5 },
              label: {
                show: one.mark.text !== undefined,
                color: muted,
                ...(one.mark.axis === 'y' ? { position: 'insideEndTop' } : {}),
                formatter: () => one.mark?.text ?? '',
              },
              data: [one.mark.axis === 'x' ? { xAxis: one.mark.at } : { yAxis: one.mark.at }],
            },
          }),
    })),
  };
}
