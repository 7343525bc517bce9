/** The HTML report: self-contained, complete, honest about what it draws, safe with any text. */
import { afterEach, expect, test, vi } from 'vitest';
import { renderReport as pageOf, type TrainReport } from '../src/reports/training.ts';
import { contentOf, counts, expectSelfContained, layer, sample } from './helpers/page.ts';

const renderReport = (report: TrainReport) => contentOf(pageOf(report));

afterEach(() => {
  vi.restoreAllMocks();
});

/** The `<figure>`s of a page. */
const figuresOf = (html: string) => html.match(/<figure[\s\S]*?<\/figure>/g) ?? [];
const figureOf = (html: string, title: string) =>
  figuresOf(html).find((figure) => figure.includes(`<b>${title}</b>`)) ?? '';
/** Heights of the dashed lines that run across a chart. */
const dashedLines = (figure: string) => figure.match(/<path[^>]*stroke-dasharray[^>]*>/g) ?? [];

test('it needs no network, and runs one script, that is its own', () => {
  const html = renderReport(sample([layer('conv1'), layer('dense1')]));
  expectSelfContained(html);
  expect(html).not.toMatch(/undefined|NaN|Infinity|\[object/);
});

test('charts of the run and one histogram a layer, each told in words too', () => {
  const html = renderReport(sample([layer('conv1'), layer('dense1')]));
  const titles = figuresOf(html).map((figure) => /<b>(.*?)<\/b>/.exec(figure)?.[1]);
  expect(titles).toEqual([
    'Loss',
    'Accuracy',
    'Angle between filters and their signs',
    'Sign flips',
    'conv1/kernel',
    'dense1/kernel',
  ]);
  for (const figure of figuresOf(html))
    expect(figure).toMatch(/<div class="plot" role="img" aria-label="[^"]{20,}"><svg/);
});

test('tables hold the numbers: layers, epochs, facts of the run', () => {
  const html = renderReport(sample([layer('conv1')]));
  expect(html).toContain('<strong>97.39 %</strong>');
  expect(html).toContain('4,812 images a second');
  // The cells of a row stand below each other in the text.
  const rows = html.replace(/\n(?=<t[dh])/g, '');
  expect(rows).toContain(
    '<th scope="row">conv1/kernel</th><td>64 × 3 × 3 × 32</td><td>1</td><td>36.50° ± 0.75°</td><td>36.99°</td><td>2.50e-4</td>',
  );
  expect(rows).toContain(
    '<th scope="row">2</th><td>0.2500</td><td>90.00 %</td><td>0.4000</td><td>91.00 %</td><td>0.0100</td><td>12.5</td>',
  );
  expect(html).toContain('<th scope="row">hardware</th><td>yes</td>');
  expect(html).toContain('<th scope="row">seed</th><td>7</td>');
  expect(html).toContain('<th scope="row">learning rate</th><td>0.02 to 0.001, exponentially</td>');
  expect(html).toContain('<th scope="row">images augmented</th><td>no</td>');
  expect(html).toContain('<th scope="row">version</th><td>webgpu-bnn 1.2.3</td>');
  expect(html).toContain('<th scope="row">date</th><td>2026-11-24 10:00 UTC</td>');
  expect(html).toContain('<th scope="row">command</th><td>webgpu-bnn train --seed 7</td>');
  expect(html).toContain('64.0 MB');
  expect(html).toContain('ab'.repeat(32));
  const software = sample([layer('conv1')]);
  expect(renderReport({ ...software, adapter: { ...software.adapter, software: true } })).toContain(
    'no: a software adapter',
  );
});

test('a closed form far from every measured angle is still drawn, for each layer', () => {
  for (const epochs of [1, 2, 30]) {
    const far = [layer('a', { angleExpected: 45 }), layer('b', { angleExpected: 21 })];
    const angles = figureOf(renderReport(sample(far, epochs)), 'Angle between filters and their signs');
    expect(dashedLines(angles)).toHaveLength(2);
  }
});

test('histograms mark the closed form and both landmarks', () => {
  const chart = figureOf(renderReport(sample([layer('conv1', { angleExpected: 33.5 })])), 'conv1/kernel');
  expect(dashedLines(chart)).toHaveLength(3);
  expect(chart).toContain('expected 33.50°');
  expect(chart).toContain('>30°<');
  expect(chart).toContain('>37.07°<');
});

test('no flips are a gap, not a made-up number', () => {
  const report = sample([layer('a')]);
  const flips = [0.005, 0, 0.0003];
  const epochs = report.epochs.map((epoch, index) => ({
    ...epoch,
    layers: epoch.layers.map((entry) => ({ ...entry, flipRatio: flips[index] ?? 0 })),
  }));
  const chart = figureOf(renderReport({ ...report, epochs }), 'Sign flips');
  expect([...'⁰¹²³⁴⁵⁶⁷⁸⁹'].filter((digit) => chart.includes(`10⁻${digit}`))).toEqual(['²', '³', '⁴']);
  expect(chart.match(/ecmeta_ssr_type="chart"/g)).toHaveLength(2);
});

test('twelve layers: every name in the legend, ten colours that differ', () => {
  const names = Array.from({ length: 12 }, (_, i) => `layer${i + 1}`);
  const page = pageOf(sample(names.map((name) => layer(name))));
  const angles = figureOf(page, 'Angle between filters and their signs');
  for (const name of names) expect(angles).toContain(`>${name}<`);
  const colours = new Set(angles.match(/var\(--s\d+(?=,)/g));
  expect(colours.size).toBe(10);
  for (const colour of colours) {
    // Defined for light and for dark.
    expect(page.split(`${colour.slice(4)}:`)).toHaveLength(3);
  }
});

test('runs at the edge: no epoch, no binary layer, one filter, angles at the ends, no flips at all', () => {
  const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
  const warnings = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const edges = [
    sample([layer('a')], 0),
    sample([], 2),
    sample([layer('a', { filters: 1, angles: { from: 0, to: 90, counts: counts([0, 1]) } })]),
    sample([layer('a', { angles: { from: 0, to: 90, counts: counts([179, 3]) } })]),
    sample([layer('a', { flipRatio: 0, angles: { from: 0, to: 90, counts: counts() } })]),
  ];
  for (const report of edges) {
    const html = renderReport(report);
    expect(html).toContain('</html>');
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  }
  expect(errors).not.toHaveBeenCalled();
  expect(warnings).not.toHaveBeenCalled();
});

test('text from outside stays text', () => {
  const evil = `"><script>alert('x')</script>&`;
  const html = renderReport(
    sample([layer(evil)], 2, { model: evil, dataset: evil, options: { lr: evil, [evil]: evil } }),
  );
  expect(html).not.toContain('<script');
  expect(html).toContain('&#60;script&#62;');
});
