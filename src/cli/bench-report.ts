/** The report of `webgpu-bnn bench` as one self-contained page: rooflines, ratios, and every table. */
import type { Ceilings, ProductResult } from '../bench/index.ts';
import type { BenchReport } from './bench.ts';
import { SECTIONS, type TextTable, tablesOf } from './bench-tables.ts';
import { AXIS, colourOf, draw, escapeHtml, factRows, figure, HEIGHT, INK, page, SOFT } from './html.ts';

export function renderBench(report: BenchReport): string {
  const { ceilings, kernels, layers, peers, adapter } = report;
  const products = [...kernels, ...layers];
  const charts =
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
    charts.push(
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
    header: `<p>${
      adapter.software
        ? '<strong>A software adapter: these figures say nothing about hardware.</strong>'
        : 'A hardware adapter.'
    } Medians and spreads of repeated runs, warm-up apart; every timed output was compared in the same run.</p>`,
    body: `<section class="charts">${charts.join('\n')}</section>
${tables.map(htmlTable).join('\n')}
<h2>Run</h2>
${factRows([
  ['adapter', adapter.name],
  ['kind', adapter.software ? 'software' : 'hardware'],
  ['ran in', report.host],
  ['toggles', report.toggles.join(', ') || 'none (the defaults, as in a browser)'],
  ["the GPU's own clock", report.timestamps ? 'read beside the clock of the host' : 'not offered'],
  ['repetitions', report.quick ? 'few (--quick)' : 'as many as by default'],
  ['date', report.date],
  ...report.missingPeers.map(({ name, reason }) => [`not measured: ${name}`, reason] as const),
  ...(report.leftOut.length === 0 ? [] : [['left out', report.leftOut.join(', ')] as const]),
])}`,
  });
}

function htmlTable({ title, head, rows, note }: TextTable): string {
  const cells = (row: readonly string[]) =>
    row.map((cell, i) =>
      i === 0 ? `<th scope="row">${escapeHtml(cell)}</th>` : `<td>${escapeHtml(cell)}</td>`,
    );
  return `<h2>${escapeHtml(title)}</h2>
<div class="scroll"><table><thead><tr>${head.map((name) => `<th>${escapeHtml(name)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row).join('')}</tr>`).join('\n')}</tbody></table></div>
${note === undefined ? '' : `<p>${escapeHtml(note)}</p>`}`;
}

const PLOT = { left: 64, right: 20, top: 28, bottom: 48 };

/** Operations a second over operations a byte, both logarithmic. */
function roofline(products: readonly ProductResult[], ceilings: Ceilings, form: 'binary' | 'float'): string {
  const binary = form === 'binary';
  const points = products.map(({ macs, bytes, floatBytes, binary: own, float }) => {
    const time = binary ? own.median : float.median;
    return [(2 * macs) / (binary ? bytes : floatBytes), (2 * macs) / time / 1e6] as const;
  });
  // A word of 32 signs is 64 operations; a multiply-add is 2.
  const top = (binary ? 64 * ceilings.popcounts.perSecond : 2 * ceilings.multiplyAdds.perSecond) / 1e9;
  const slope = ceilings.copy.perSecond / 1e9;
  const intensities = points.map(([intensity]) => intensity);
  const ridge = top / slope;
  const from = 10 ** Math.floor(Math.log10(Math.min(...intensities, ridge) / 1.5));
  const to = 10 ** Math.ceil(Math.log10(Math.max(...intensities, ridge) * 1.5));
  const roof = [
    [from, from * slope],
    [ridge, top],
    [to, top],
  ];
  const logarithmic = { ...AXIS, type: 'log', logBase: 10 };
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: {
      ...logarithmic,
      name: 'operations a byte',
      nameLocation: 'middle',
      nameGap: 28,
      min: from,
      max: to,
    },
    yAxis: {
      ...logarithmic,
      name: binary ? 'binary GOPS' : 'GFLOPS',
      nameTextStyle: { color: INK, align: 'left' },
    },
    series: [
      {
        type: 'line',
        symbol: 'none',
        data: roof,
        lineStyle: { color: SOFT, type: 'dashed', width: 1.5 },
      },
      {
        type: 'line',
        symbol: 'circle',
        symbolSize: 8,
        showAllSymbol: true,
        data: points,
        itemStyle: { color: colourOf(binary ? 0 : 1) },
        lineStyle: { width: 0 },
      },
    ],
  });
}

function shareChart(products: readonly ProductResult[]): string {
  return bars(
    products.map(({ id }) => id),
    products.map(({ shares }) => 100 * shares.popcounts),
    '%',
    0,
  );
}

function ratioChart({ peers }: BenchReport): string {
  const fastest = new Map<string, number>();
  for (const { id, runsOn, ratio } of peers) {
    if (runsOn !== 'the same device') continue;
    fastest.set(id, Math.min(ratio, fastest.get(id) ?? Number.POSITIVE_INFINITY));
  }
  return bars([...fastest.keys()], [...fastest.values()], 'times', 1);
}

/** Bars that lie, with their names beside them. */
function bars(names: readonly string[], values: readonly number[], unit: string, colour: number): string {
  return draw(Math.max(HEIGHT, 70 + 18 * names.length), {
    grid: { ...PLOT, left: 170, right: 56 },
    xAxis: { ...AXIS, type: 'value', name: unit, nameLocation: 'middle', nameGap: 28 },
    yAxis: {
      ...AXIS,
      type: 'category',
      data: names,
      inverse: true,
      axisLabel: { color: INK, interval: 0, fontSize: 11 },
    },
    series: [
      {
        type: 'bar',
        data: values.map((value) => Number(value.toPrecision(3))),
        itemStyle: { color: colourOf(colour) },
        label: { show: true, position: 'right', color: INK, fontSize: 11 },
      },
    ],
  });
}
