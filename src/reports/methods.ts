/** Pages of methods: what each says of itself, with its functions drawn; as text for a terminal, and as HTML. */
import type { MethodDescription, MethodFigure, Point } from '../methods/describe.ts';
import { type Html, html } from './html.ts';
import { charts, type Fact, type Made, page, table } from './page.ts';
import { AXIS, colourOf, draw, figure, HEIGHT, named, PLOT, type Plot } from './plots.ts';

/** Kinds of methods in the order in which they are listed, and how they are called. */
export const METHOD_KINDS: Readonly<Record<string, string>> = {
  quantizer: 'Quantizers',
  optimizer: 'Optimizers',
  penalty: 'Penalties',
  loss: 'Losses',
  augmentation: 'Augmentations',
};

/** One page of some methods, with a table of them where they are several. */
export function renderMethods(methods: readonly MethodDescription[], made: Made): string {
  const [only] = methods;
  const isOne = methods.length === 1 && only !== undefined;
  return page({
    kicker: isOne ? `webgpu-bnn ${only.kind}` : 'webgpu-bnn',
    title: isOne ? only.name : 'Methods',
    header: html`<p>${isOne ? `${only.about}.` : `${methods.length} methods, each with its formula, its numbers and their defaults, where it comes from, and its functions, drawn from its own float64 twin.`}</p>`,
    body: isOne
      ? methodBody(only)
      : html`${methodTables(methods)}
${methods.map(
  (method) => html`<h2 id="${method.name}">${method.name}</h2>
<p>${method.about}.</p>
${methodBody(method)}`,
)}`,
    facts: [],
    made,
  });
}

function methodTables(methods: readonly MethodDescription[]): readonly Html[] {
  return Object.entries(METHOD_KINDS).flatMap(([kind, title]) => {
    const own = methods.filter((method) => method.kind === kind);
    if (own.length === 0) return [];
    return html`<h2>${title}</h2>
${table(
  ['name', 'what it does', 'paper'],
  own.map(({ name, about, paper }) => [name, about, paper]),
)}`;
  });
}

/** Facts and figures of a method. */
function methodBody(method: MethodDescription): Html {
  const facts: Fact[] = [
    ['kind', method.kind],
    ['formula', method.formula],
    ['from', method.source],
    ...(method.link === undefined ? [] : [['paper', method.link] as const]),
    ...method.notes.map((note, index): Fact => [index === 0 ? 'notes' : '', note]),
  ];
  const numbers = [
    ...method.parameters.map(({ name, value, bounds, says }) => [name, value, bounds, says]),
    ...method.learned.map(({ name, start, says }) => [name, `learned, from ${start}`, '', says]),
  ];
  return html`<table class="facts"><tbody>${facts.map(
    ([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`,
  )}</tbody></table>
${numbers.length === 0 ? undefined : table(['number', 'default', 'bounds', 'what it is'], numbers)}
${charts(method.figures.map((one) => figure(one.title, one.caption, curvePlot(one))))}`;
}

/** Functions of a method as a plot; each line has its colour from `first` on. */
export function curvePlot({ x, y, series }: MethodFigure, first = 0): Plot {
  return draw(HEIGHT, {
    grid: PLOT,
    xAxis: { ...AXIS, ...named(x), type: 'value', min: 'dataMin', max: 'dataMax' },
    yAxis: { ...AXIS, type: 'value', name: y, scale: true },
    series: series.map(({ name, points }, index) => {
      const color = colourOf(first + index);
      return {
        type: 'line',
        name,
        data: points.map((point) => [...point]),
        showSymbol: false,
        color,
        itemStyle: { color },
        lineStyle: { color, width: 2 },
      };
    }),
  });
}

/** All methods as lines of text, a block for each kind. */
export function methodList(methods: readonly MethodDescription[]): string {
  const width = Math.max(...methods.map(({ name }) => name.length));
  const about = Math.max(...methods.map((method) => method.about.length));
  return Object.entries(METHOD_KINDS)
    .flatMap(([kind, title]) => {
      const own = methods.filter((method) => method.kind === kind);
      if (own.length === 0) return [];
      const rows = own.map(
        (method) => `  ${method.name.padEnd(width)}  ${method.about.padEnd(about)}  ${method.paper}`,
      );
      return [[title, ...rows].join('\n')];
    })
    .join('\n\n');
}

/** A method's page as text. */
export function methodText(method: MethodDescription): string {
  const facts = [
    ['kind', method.kind],
    ['does', method.about],
    ['formula', method.formula],
    ['from', method.source],
    ...(method.link === undefined ? [] : [['paper', method.link]]),
    ...method.notes.map((note, index) => [index === 0 ? 'notes' : '', note]),
    ...method.parameters.map(({ name, value, bounds, says }, index) => [
      index === 0 ? 'numbers' : '',
      `${name} = ${value}${bounds === '' ? '' : ` (${bounds})`}: ${says}`,
    ]),
    ...method.learned.map(({ name, start, says }, index) => [
      index === 0 ? 'learned' : '',
      `${name}, from ${start}: ${says}`,
    ]),
  ];
  const figures = method.figures.map((one) => `${one.title}. ${one.caption}\n${plotText(one)}`);
  const lines = facts.map(([name = '', value = '']) => `${name.padEnd(9)} ${value}`);
  return [method.name, lines.join('\n'), ...figures].join('\n\n');
}

const COLUMNS = 61;
const ROWS = 13;
const MARKS = '*o+x#';

/** A plot in letters. */
export function plotText({ series, x, y }: MethodFigure): string {
  const points = series.flatMap((one) => one.points).filter((point) => point.every(Number.isFinite));
  const [left, right] = ends(points, 0);
  const [bottom, top] = ends(points, 1);
  const cells = Array.from({ length: ROWS }, () => new Array<string>(COLUMNS).fill(' '));
  const place = (value: number, from: number, to: number, count: number) =>
    to > from ? Math.round(((value - from) / (to - from)) * (count - 1)) : Math.floor(count / 2);
  // The first series lies above the others.
  for (const [index, one] of [...series.entries()].reverse()) {
    for (const [px, py] of one.points) {
      if (!Number.isFinite(px) || !Number.isFinite(py)) continue;
      const line = cells[ROWS - 1 - place(py, bottom, top, ROWS)];
      if (line !== undefined) line[place(px, left, right, COLUMNS)] = MARKS[index % MARKS.length] ?? '*';
    }
  }
  const label = (value: number) => String(Number(value.toPrecision(3)));
  const width = Math.max(label(bottom).length, label(top).length);
  const rows = cells.map((cell, row) => {
    const text = row === 0 ? label(top) : row === ROWS - 1 ? label(bottom) : '';
    return `  ${text.padStart(width)} |${cell.join('')}`.trimEnd();
  });
  const from = label(left);
  const to = `${label(right)} ${x}`;
  const foot = `  ${''.padStart(width)} +${'-'.repeat(COLUMNS)}`;
  const scale = `  ${''.padStart(width)}  ${from}${to.padStart(COLUMNS - from.length + x.length + 1)}`;
  const legend = series.map(({ name }, index) => `${MARKS[index % MARKS.length]} ${name}`).join('   ');
  return [
    ...rows,
    foot,
    scale,
    `  ${''.padStart(width)}  ${y === '' || series.length > 1 ? legend : `${MARKS[0]} ${y}`}`,
  ].join('\n');
}

function ends(points: readonly Point[], axis: 0 | 1): [number, number] {
  const values = points.map((point) => point[axis]);
  return [
    values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
    values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY),
  ];
}
