/** The report of `webgpu-bnn bench` as one self-contained page: rooflines, ratios, and every table. */
import type { BenchFigures, Ceilings, ProductResult } from '../bench/index.ts';
import type { Gpu } from '../index.ts';
import { leftOutOf, SECTIONS, seconds, type TextTable, tablesOf } from './bench-tables.ts';
import { type Html, html } from './html.ts';
import { type Cell, charts, type Fact, type Made, page, table } from './page.ts';
import { AXIS, colourOf, draw, figure, HEIGHT, INK, named, PLOT, type Plot, SOFT } from './plots.ts';

/** What a run found, and where it ran. */
export interface BenchReport extends BenchFigures {
  readonly adapter: Gpu['adapter'] & { readonly name: string };
  /** The program around WebGPU, as in `Node v20.20.2`. */
  readonly host: string;
  readonly toggles: readonly string[];
  readonly made: Made;
  /** How long the whole run took. */
  readonly seconds: number;
}

export function renderBench(report: BenchReport): string {
  const { ceilings, kernels, layers, peers, adapter } = report;
  const leftOut = leftOutOf(report);
  const products = [...kernels, ...layers];
  const pictures =
    ceilings === undefined || products.length === 0
      ? []
      : [
          figure(
            'Roofline of the binary kernels',
            'A point a product, by its arithmetic per byte of packed operands and result. The lines are what copying and counting bits allow, both measured in the same run.',
            roofline(products, ceilings, 'binary'),
          ),
          figure(
            "Roofline of this library's f32 kernels",
            'The same products of floats; the lines are copying and multiply-adds.',
            roofline(products, ceilings, 'float'),
          ),
          figure(
            'Share of the popcount ceiling',
            'Population counts that plain counting would need, over those that the adapter does at most, in per cent.',
            shareChart(products),
          ),
        ];
  if (peers.length > 0) {
    pictures.push(
      figure(
        'Times faster than the fastest peer',
        'Median time of the fastest other library on the same device over the binary kernel.',
        ratioChart(report),
      ),
    );
  }
  const tables = SECTIONS.flatMap((section) => tablesOf(section, report));
  return page({
    kicker: 'webgpu-bnn benchmark',
    title: adapter.name,
    header: html`<p>${
      adapter.software
        ? html`<strong>A software adapter: these figures say nothing about hardware.</strong>`
        : 'A hardware adapter.'
    } Medians and spreads of repeated runs, warm-up apart; every timed output was compared in the same run.</p>`,
    body: html`${charts(pictures)}
${tables.map(htmlTable)}`,
    facts: [
      ['adapter', adapter.name],
      ['kind', adapter.software ? 'software' : 'hardware'],
      ['ran in', report.host],
      ['toggles', report.toggles.join(', ') || 'none (the defaults, as in a browser)'],
      ["the GPU's own clock", report.timestamps ? 'read beside the clock of the host' : 'not offered'],
      ['took', seconds(report.seconds)],
      ['repetitions', report.quick ? 'few (--quick)' : 'as many as by default'],
      ...report.missingPeers.map(({ name, reason }): Fact => [`not measured: ${name}`, reason]),
      ...(leftOut === '' ? [] : [['left out', leftOut] as const]),
    ],
    made: report.made,
  });
}

function htmlTable({ title, head, rows, note }: TextTable): Html {
  const cells = (row: readonly string[]) => row.map((cell): Cell => [cell, sortKey(cell)]);
  // Of one or two rows there is nothing to sort.
  return html`<h2>${title}</h2>
${table(head, rows.map(cells), { sortable: rows.length > 2, className: 'dense' })}
${note === undefined ? undefined : html`<p>${note}</p>`}`;
}

/** What a cell is sorted by: its first figure, times in milliseconds; text as it stands, nothing before everything. */
function sortKey(cell: string): string {
  const [, figure, unit] = /^(\d[\d.]*)(?:(?: to [\d.]+)? (us))?/.exec(cell) ?? [];
  if (figure === undefined) return cell === '-' || cell === '' ? '-1' : cell;
  return String(unit === 'us' ? Number(figure) / 1000 : Number(figure));
}

/** Kinds of products, by their ids, as the points of a roofline are coloured. */
const KINDS = [
  ['matmul', /^matmul/],
  ['conv, batch 1', /^conv.*-b1(-|$)/],
  ['conv, larger batches', /^conv.*-b(?!1(-|$))/],
] as const;

/** Operations a second over operations a byte, both logarithmic. */
function roofline(products: readonly ProductResult[], ceilings: Ceilings, form: 'binary' | 'float'): Plot {
  const binary = form === 'binary';
  const points = products.map(({ id, macs, bytes, floatBytes, binary: own, float }) => {
    const time = binary ? own.median : float.median;
    const at = [(2 * macs) / (binary ? bytes : floatBytes), (2 * macs) / time / 1e6] as const;
    return { id, at };
  });
  // A word of 32 signs is 64 operations; a multiply-add is 2.
  const top = (binary ? 64 * ceilings.popcounts.perSecond : 2 * ceilings.multiplyAdds.perSecond) / 1e9;
  const slope = ceilings.copy.perSecond / 1e9;
  const intensities = points.map(({ at }) => at[0]);
  const ridge = top / slope;
  const from = 10 ** Math.floor(Math.log10(Math.min(...intensities, ridge) / 1.5));
  const to = 10 ** Math.ceil(Math.log10(Math.max(...intensities, ridge) * 1.5));
  // With room for a name below the lowest.
  const lowest = Math.min(from * slope, ...points.map(({ at }) => at[1] / 2));
  const roof = [
    [from, from * slope],
    [ridge, top],
    [to, top],
  ];
  const logarithmic = { ...AXIS, type: 'log', logBase: 10 };
  // Names for the ends only: elsewhere points lie close, and the tables have all.
  const byRate = [...points].sort((a, b) => a.at[1] - b.at[1]);
  const ends = new Map([
    [byRate[0], 'bottom'],
    [byRate.at(-1), 'top'],
  ]);
  const pointOf = (point: (typeof points)[number]) => ({
    value: [...point.at],
    label: {
      ...{ show: ends.has(point), position: ends.get(point), distance: 4 },
      // Away from the edges.
      align: point.at[0] ** 2 < from * to ? 'left' : 'right',
      ...{ formatter: () => point.id, color: INK, fontSize: 12 },
    },
  });
  const kinds = KINDS.map(([name, ids], kind) => {
    const data = points.filter(({ id }) => ids.test(id)).map(pointOf);
    return { name, kind, data };
  }).filter(({ data }) => data.length > 0);
  return draw(HEIGHT + 40, {
    grid: PLOT,
    xAxis: {
      ...logarithmic,
      ...named('operations a byte'),
      min: from,
      max: to,
    },
    yAxis: {
      ...logarithmic,
      min: 10 ** Math.floor(Math.log10(lowest)),
      name: binary ? 'binary GOPS' : 'GFLOPS',
      nameGap: 10,
      nameTextStyle: { ...AXIS.nameTextStyle, align: 'left' },
    },
    series: [
      {
        type: 'line',
        symbol: 'none',
        data: roof,
        lineStyle: { color: SOFT, type: 'dashed', width: 1.5 },
      },
      ...kinds.map(({ name, kind, data }) => ({
        name,
        type: 'line',
        symbol: 'circle',
        symbolSize: 8,
        showAllSymbol: true,
        data,
        itemStyle: { color: colourOf(kind) },
        lineStyle: { width: 0 },
      })),
    ],
  });
}

function shareChart(products: readonly ProductResult[]): Plot {
  return bars(
    products.map(({ id }) => id),
    products.map(({ shares }) => 100 * shares.popcounts),
    '%',
    0,
  );
}

function ratioChart({ peers }: BenchReport): Plot {
  const fastest = new Map<string, number>();
  for (const { id, runsOn, ratio } of peers) {
    if (runsOn !== 'the same device') continue;
    fastest.set(id, Math.min(ratio, fastest.get(id) ?? Number.POSITIVE_INFINITY));
  }
  return bars([...fastest.keys()], [...fastest.values()], 'times', 1);
}

/** Bars that lie, with their names beside them. */
function bars(names: readonly string[], values: readonly number[], unit: string, colour: number): Plot {
  // As high as the bars need: few bars would grow thick.
  return draw(Math.max(140, 80 + 22 * names.length), {
    grid: { ...PLOT, top: 16, left: 200, right: 56 },
    xAxis: { ...AXIS, type: 'value', ...named(unit) },
    yAxis: {
      ...AXIS,
      type: 'category',
      data: names,
      inverse: true,
      axisLabel: { color: INK, interval: 0, fontSize: 13 },
    },
    series: [
      {
        type: 'bar',
        name: unit,
        data: values.map((value) => Number(value.toPrecision(3))),
        itemStyle: { color: colourOf(colour) },
        label: { show: true, position: 'right', color: INK, fontSize: 13 },
      },
    ],
  });
}
