/**
 * What the reports for people share: one self-contained page. Charts are rendered to SVG here, so a page needs no network;
 * colours are CSS variables, so it follows the reader's light or dark scheme.
 */
import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

export const WIDTH = 520;
export const HEIGHT = 290;
export const SMALL_HEIGHT = 190;
/** Series colours, as CSS variables defined in `STYLE`. */
const COLOURS = Array.from({ length: 10 }, (_, i) => `var(--s${i + 1})`);
/** What uniform weights, and random directions in many dimensions, turn by. */
export const LANDMARKS = [30, 37.0714];
export const INK = 'var(--ink)';
export const SOFT = 'var(--soft)';
const FAINT = 'var(--faint)';

use([BarChart, LineChart, GridComponent, LegendComponent, MarkLineComponent, SVGRenderer]);

/** A page around `body`; `header` stands below the title. All but `title` and `kicker` is HTML already. */
export function page(options: { kicker: string; title: string; header: string; body: string }): string {
  const title = escapeHtml(options.title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – webgpu-bnn</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<p class="kicker">${escapeHtml(options.kicker)}</p>
<h1>${title}</h1>
${options.header}
</header>
${options.body}
</main>
</body>
</html>
`;
}

/** Rows of a name and a value. */
export function factRows(facts: readonly (readonly [name: string, value: string])[]): string {
  const rows = facts.map(
    ([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  return `<div class="scroll"><table class="facts"><tbody>${rows.join('\n')}</tbody></table></div>`;
}

export function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? INK;
}

/** Filters by their angle, and the closed form that is expected of them. */
export interface AngleCounts {
  /** Filters in equal bins from `from` to `to` degrees. */
  readonly angles: { readonly from: number; readonly to: number; readonly counts: readonly number[] };
  readonly angleExpected: number;
}

/** Bars, with dotted lines at the landmarks and a dashed one at the closed form. */
export function angleHistogram({ angles, angleExpected }: AngleCounts, index: number): string {
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
      type: 'value',
      name: 'degrees',
      nameLocation: 'middle',
      nameGap: 28,
      min,
      max,
      interval,
      splitLine: { show: false },
    },
    yAxis: { ...AXIS, type: 'value', name: 'filters', minInterval: 1, splitNumber: 3 },
    series: [
      {
        type: 'bar',
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

export const AXIS = {
  axisLabel: { color: INK },
  axisLine: { lineStyle: { color: FAINT } },
  axisTick: { lineStyle: { color: FAINT } },
  splitLine: { lineStyle: { color: FAINT, opacity: 0.5 } },
  nameTextStyle: { color: INK },
};

export function draw(height: number, options: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    ...options,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  // Scales with the page; ECharts fixes the size in pixels.
  return svg.replace(/<svg width="\d+" height="\d+"/, '<svg');
}

export function figure(title: string, caption: string, svg: string, className = ''): string {
  const labelled = svg.replace('<svg', `<svg role="img" aria-label="${escapeHtml(`${title}. ${caption}`)}"`);
  return `<figure class="${className}"><figcaption><b>${escapeHtml(title)}</b><span>${escapeHtml(caption)}</span></figcaption>${labelled}</figure>`;
}

/** Sorts a `sortable` table by the column whose head is pressed, and the other way round when it is pressed again. */
export const SORT = `
for (const button of document.querySelectorAll('.sortable button')) {
  button.addEventListener('click', () => {
    const head = button.parentElement;
    const up = head.getAttribute('aria-sort') !== 'ascending';
    for (const other of head.parentElement.children) other.setAttribute('aria-sort', 'none');
    head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    const at = head.cellIndex;
    const body = head.closest('table').tBodies[0];
    const key = (row) => row.cells[at].dataset.sort ?? row.cells[at].textContent;
    const byText = (a, b) => a.localeCompare(b, 'en', { numeric: true });
    const order = (a, b) => key(a) - key(b) || byText(key(a), key(b)) || byText(row0(a), row0(b));
    const row0 = (row) => row.cells[0].textContent;
    const rows = [...body.rows].sort(order);
    body.append(...(up ? rows : rows.reverse()));
  });
}
`;

/** With separators between thousands. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

const STYLE = `
:root { color-scheme: light dark; --page: #fbfaf8; --card: #fff; --ink: #24292f; --soft: #5c6670; --faint: #d5d9de;
  --s1: #0b6e99; --s2: #c2571a; --s3: #3f7d20; --s4: #7b3fa0; --s5: #a3241f; --s6: #8a6d00;
  --s7: #0f8a7e; --s8: #c2418a; --s9: #4a54b8; --s10: #6b7178; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --card: #1c2125; --ink: #e4e7ea; --soft: #9aa5ae; --faint: #3b434a;
  --s1: #58b4dc; --s2: #f0945c; --s3: #8ccf66; --s4: #c490e4; --s5: #f08580; --s6: #dcc04a;
  --s7: #4fd0c2; --s8: #f08cc4; --s9: #98a2f4; --s10: #aab1b8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
.kicker { margin: 0; color: var(--soft); font-size: .875rem; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; }
.figures strong { font-size: 1.5rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1rem; margin-top: 1rem; }
figure { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--faint); border-radius: 8px; }
figcaption b { display: block; }
figcaption span { color: var(--soft); font-size: .875rem; }
svg { display: block; width: 100%; height: auto; margin-top: .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem 1.25rem .35rem 0; text-align: left; border-bottom: 1px solid var(--faint); white-space: nowrap; }
.facts td { white-space: normal; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 600; }
th button { padding: 0; text-align: inherit; border: 0; background: none; color: inherit; font: inherit; cursor: pointer; }
th[aria-sort=ascending] button::after { content: ' ↑'; }
th[aria-sort=descending] button::after { content: ' ↓'; }
.dense { font-size: .875rem; border-collapse: separate; border-spacing: 0; }
.dense :is(th, td) { padding-right: .9rem; }
.dense thead th { white-space: normal; vertical-align: bottom; }
@media (max-width: 600px) {
  main { padding-inline: .75rem; }
  figure { padding: .5rem; }
  .dense tr > :first-child { position: sticky; left: 0; min-width: 7.5rem; max-width: 9rem; background: var(--page); white-space: normal; }
}
`;
