/**
 * What the reports for people share: one self-contained page that needs no network, in the reader's light or dark scheme. Its
 * Content-Security-Policy runs the one script below and no other.
 */
import { type Hole, type Html, html, ourMarkup } from './html.ts';
import { DARK, LIGHT } from './plots.ts';

/** What made a report, and when. */
export interface Made {
  /** Of this library. */
  readonly version: string;
  /** ISO 8601. */
  readonly date: string;
  /** As it can be typed again. */
  readonly command: string;
}

/** A page around `body`; `header` stands below the title, `facts` at the end. @returns the file */
export function page(options: {
  readonly kicker: string;
  readonly title: string;
  readonly header: Html;
  readonly body: Html;
  /** Of the run, by name. */
  readonly facts: readonly Fact[];
  readonly made: Made;
  /** Seconds after which a browser loads the page again: of what is still being made. */
  readonly refresh?: number | undefined;
}): string {
  const { kicker, title, header, body, facts, made, refresh } = options;
  const all: Fact[] = [
    ...facts,
    ['version', `webgpu-bnn ${made.version}`],
    ['date', made.date.replace(/^(.{10})T(.{5}).*/, (_, day, time) => `${day} ${time} UTC`)],
    ['command', made.command],
  ];
  const markup = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh === undefined ? undefined : html`<meta http-equiv="refresh" content="${refresh}">`}
<title>${title} – webgpu-bnn</title>
<style>${ourMarkup(STYLE)}</style>
</head>
<body>
<main>
<header>
<p class="kicker">${kicker}</p>
<h1>${title}</h1>
${header}
</header>
${body}
<h2>Run</h2>
${factRows(all)}
</main>
<script>${ourMarkup(SCRIPT)}</script>
</body>
</html>
`;
  return markup.toString();
}

export type Fact = readonly [name: string, value: string];

/** Rows of a name and a value. */
function factRows(facts: readonly Fact[]): Html {
  const rows = facts.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return html`<table class="facts"><tbody>${rows}</tbody></table>`;
}

/** A cell's text, and what its column is sorted by where that is something else. */
export type Cell = string | readonly [text: string, sortBy: number | string];

/** A table whose rows begin with a name. */
export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: { readonly sortable?: boolean; readonly className?: string } = {},
): Html {
  const { sortable = false, className = '' } = options;
  const heads = head.map((name) =>
    sortable
      ? html`<th aria-sort="none"><button type="button">${name}</button></th>`
      : html`<th>${name}</th>`,
  );
  const cell = (given: Cell, column: number): Html => {
    const [text, sortBy] = typeof given === 'string' ? [given, undefined] : given;
    if (column === 0) return html`<th scope="row">${text}</th>`;
    return sortBy === undefined ? html`<td>${text}</td>` : html`<td data-sort="${sortBy}">${text}</td>`;
  };
  const body = rows.map((cells) => html`<tr>${cells.map(cell)}</tr>`);
  return html`<div class="scroll"><table class="${className}${sortable ? ' sortable' : ''}"><thead><tr>${heads}</tr></thead>
<tbody>${body}</tbody></table></div>`;
}

/** Figures in a grid. */
export function charts(figures: Hole, className = ''): Html {
  return html`<section class="charts ${className}">${figures}</section>`;
}

const rootOf = (scheme: Readonly<Record<string, string>>) =>
  Object.entries(scheme)
    .map(([name, colour]) => `--${name}: ${colour};`)
    .join(' ');

const STYLE = `
:root { color-scheme: light dark; ${rootOf(LIGHT)} }
@media (prefers-color-scheme: dark) { :root { ${rootOf(DARK)} } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
.kicker { margin: 0; color: var(--soft); font-size: .875rem; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; }
h3 { margin: 1.5rem 0 0; }
h3 small { color: var(--soft); font-weight: 400; }
.figures strong { font-size: 1.5rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1rem; margin-top: 1rem; }
.charts.maps { grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); }
figure { position: relative; min-width: 0; margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--faint); border-radius: 8px; }
figcaption b { display: block; overflow-wrap: anywhere; }
figcaption span { color: var(--soft); font-size: .875rem; }
.plot svg { display: block; width: 100%; height: auto; margin-top: .5rem; }
.legend { display: flex; flex-wrap: wrap; gap: .125rem .75rem; margin-top: .375rem; }
.legend button, .save button { padding: .125rem; border: 0; background: none; color: inherit; font: inherit; font-size: .875rem; cursor: pointer; overflow-wrap: anywhere; text-align: left; }
.legend i { display: inline-block; width: .75rem; height: .75rem; margin-right: .375rem; border-radius: 50%; }
.legend :is(.rect, .triangle, .diamond) { border-radius: 0; }
.legend .triangle { clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.legend .diamond { clip-path: polygon(50% 0, 100% 50%, 50% 100%, 0 50%); }
.legend button[aria-pressed=false] { opacity: .45; text-decoration: line-through; }
.save { display: flex; gap: .75rem; justify-content: flex-end; }
.save button { color: var(--soft); text-decoration: underline; }
.tip { position: absolute; z-index: 1; padding: .25rem .5rem; border: 1px solid var(--faint); border-radius: 6px; background: var(--page); font-size: .875rem; line-height: 1.35; pointer-events: none; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem 1.25rem .35rem 0; text-align: left; border-bottom: 1px solid var(--faint); white-space: nowrap; }
.facts { width: 100%; }
.facts :is(th, td) { vertical-align: top; }
.facts th { width: 1%; }
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
.claim { padding: .75rem 0; border-bottom: 1px solid var(--faint); }
.claim p { margin: .25rem 0 0; }
.claim dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: .25rem 2rem; margin: .5rem 0 0; }
.claim dt { color: var(--soft); font-size: .875rem; }
.claim dd { margin: 0; overflow-wrap: anywhere; }
.reason { color: var(--soft); font-size: .875rem; }
.verdict { display: inline-block; margin-right: .5rem; padding: .1rem .5rem; border: 1.5px solid currentColor; border-radius: 999px; font-weight: 600; font-size: .875rem; }
.verdict.holds { color: var(--s3); }
.verdict.fails { color: var(--s5); }
.verdict.cannot-be-told { color: var(--soft); }
.wrong { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .75rem; margin-top: 1rem; }
.wrong figure { padding: .5rem; font-size: .875rem; }
.wrong img { display: block; width: 100%; image-rendering: pixelated; }
.confusion :is(th, td) { padding: .25rem .5rem; text-align: right; }
@media (max-width: 600px) {
  main { padding-inline: .75rem; }
  figure { padding: .5rem; }
  .facts th { white-space: normal; width: 38%; padding-right: .75rem; }
  .dense tr > :first-child { position: sticky; left: 0; min-width: 7.5rem; max-width: 9rem; background: var(--page); white-space: normal; overflow-wrap: anywhere; }
}
`;

/** Sorts tables; shows the values near the pointer; switches series off and on; saves pictures and their numbers. */
export const SCRIPT = `
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
    const row0 = (row) => row.cells[0].textContent;
    const order = (a, b) => key(a) - key(b) || byText(key(a), key(b)) || byText(row0(a), row0(b));
    const rows = [...body.rows].sort(order);
    body.append(...(up ? rows : rows.reverse()));
  });
}
for (const figure of document.querySelectorAll('figure[data-plot]')) {
  const { x, y, series } = JSON.parse(figure.dataset.plot);
  const plot = figure.querySelector('.plot');
  const svg = plot.querySelector('svg');
  const off = new Set();
  for (const button of figure.querySelectorAll('.legend button')) {
    const { colour, index } = series[button.dataset.series];
    // A line has no number in the picture: it is told by its colour, where that is of no other.
    const own = series.filter((other) => other.colour === colour).length === 1;
    button.addEventListener('click', () => {
      const show = off.delete(button.dataset.series) || !off.add(button.dataset.series);
      button.setAttribute('aria-pressed', String(show));
      for (const part of svg.querySelectorAll('path, text')) {
        const numbered = part.getAttribute('ecmeta_series_index') === String(index);
        const coloured = own && (part.getAttribute('stroke') === colour || part.getAttribute('fill') === colour);
        if (numbered || coloured) part.style.display = show ? '' : 'none';
      }
    });
  }
  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  figure.append(tip);
  plot.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const [left, top] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let best;
    let least = 40 ** 2;
    for (const [index, one] of series.entries()) {
      if (off.has(String(index))) continue;
      for (const point of one.points) {
        const distance = (point[0] - left) ** 2 + ((point[1] - top) / 2) ** 2;
        if (distance < least) [best, least] = [{ one, point }, distance];
      }
    }
    tip.hidden = best === undefined;
    if (best === undefined) return;
    tip.textContent = best.one.name + ': ' + (x ? x + ' ' : '') + best.point[2] + ', ' + best.point[3] + (y ? ' ' + y : '');
    const outer = figure.getBoundingClientRect();
    const place = (best.point[0] / scale) + box.left - outer.left;
    tip.style.left = Math.max(0, Math.min(place + 8, outer.width - tip.offsetWidth - 4)) + 'px';
    tip.style.top = (best.point[1] / scale) + box.top - outer.top - tip.offsetHeight - 8 + 'px';
  });
  plot.addEventListener('pointerleave', () => (tip.hidden = true));
  const save = document.createElement('div');
  save.className = 'save';
  const title = figure.querySelector('b').textContent;
  const link = (name, ending, type, make) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = name;
    button.addEventListener('click', () => {
      const anchor = document.createElement('a');
      anchor.href = URL.createObjectURL(new Blob([make()], { type }));
      anchor.download = title.replace(/[^\\p{L}\\p{N}]+/gu, '-').slice(0, 60) + '.' + ending;
      anchor.click();
      setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
    });
    save.append(button);
  };
  link('SVG', 'svg', 'image/svg+xml', () => {
    const copy = svg.cloneNode(true);
    const { width, height } = svg.viewBox.baseVal;
    const rows = series.length > 1 ? series.filter((_, index) => !off.has(String(index))) : [];
    copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    copy.setAttribute('viewBox', '0 0 ' + width + ' ' + (height + 18 * rows.length));
    rows.forEach(({ name, colour }, row) => {
      const text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
      text.setAttribute('x', '12');
      text.setAttribute('y', String(height + 18 * row + 12));
      text.setAttribute('fill', colour);
      text.setAttribute('font-family', 'system-ui, sans-serif');
      text.setAttribute('font-size', '14');
      text.textContent = '\\u25cf ' + name;
      copy.append(text);
    });
    return new XMLSerializer().serializeToString(copy);
  });
  // As src/reports/csv.ts writes it: what a spreadsheet would take for a formula begins with an apostrophe.
  const cell = (value) => {
    let text = String(value);
    if (typeof value === 'string' && /^[=+\\-@\\t\\r]/.test(text) && !Number.isFinite(Number(text))) text = "'" + text;
    return /[",\\r\\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  link('CSV', 'csv', 'text/csv', () => {
    const rows = series.flatMap(({ name, points }) => points.map((point) => [name, point[2], point[3]]));
    return [['series', x || 'x', y || 'y'], ...rows].map((row) => row.map(cell).join(',')).join('\\r\\n') + '\\r\\n';
  });
  figure.append(save);
}
`;

/** SHA-256 of the script, in base64: a browser that makes a report can't wait for one. A test says where it is another. */
export const SCRIPT_DIGEST = 'fAschHo2gYGUrPnn4g4H0JYq3/L2ECdFRd8k8w5CNZw=';

const POLICY = [
  "default-src 'none'",
  `script-src 'sha256-${SCRIPT_DIGEST}'`,
  // Pictures have colours in attributes; styles reach nothing outside of the page.
  "style-src 'unsafe-inline'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');
