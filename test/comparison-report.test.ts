/** The report of a comparison: what it says, what it draws, and how it looks in a real browser. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { comparedMethods, comparisonJobs, type JobResult } from '../src/compare/index.ts';
import { describeMethod } from '../src/methods/describe.ts';
import { methodByName } from '../src/methods/table.ts';
import { type KeptComparison, parseComparison, parseResult } from '../src/reports/compared.ts';
import { anglesText, comparisonMarkdown, renderComparison, rText } from '../src/reports/comparison.ts';
import { type Chrome, launchChrome } from './helpers/chrome.ts';

const GUEST = 'inputs:./my <b>own</b> $& methods.js#aVeryLongNameOfAMethodThatIsNotOurs';
const NAMES = [
  'steSign',
  'irNet',
  'bop',
  'siMan',
  'proxQuant',
  'doReFa',
  'swishSign',
  'approxSign',
  'adaBin',
];
const comparison: KeptComparison = {
  ...{ dataset: 'mnist', model: 'mlp', methods: [...NAMES, GUEST], seeds: [1, 2], epochs: 3, batch: 100 },
  ...{ learningRate: { from: 0.02, to: 0.001, decay: 'exponential' }, loss: 'squaredHinge', float: true },
};
const jobs = comparisonJobs({ ...{ seeds: [1, 2], epochs: 3 }, methods: NAMES, float: true });

/** Accuracies go up by the epoch, and down by the place of the method in the list. */
const results = jobs.map((job, index): JobResult => {
  const place = index % (NAMES.length + 1);
  const layers = ['dense1', 'dense2'];
  const isFloat = job.method === 'float';
  const at = (epoch: number) => 0.9 - 0.02 * place + 0.01 * epoch + 0.004 * job.seed;
  return {
    ...{ job, state: 'done', testAccuracy: at(3), imagesPerSecond: 400, steps: 60, weightsSha256: 'x' },
    epochs: [1, 2, 3].map((epoch) => ({
      ...{ epoch, trainLoss: 1 / epoch, trainAccuracy: at(epoch), testLoss: 1 / epoch, seconds: 1 },
      testAccuracy: at(epoch),
      layers: isFloat ? [] : layers.map((name, i) => ({ name, angle: 31 + i, flipRatio: 0.001 })),
    })),
    ...{ bytes: isFloat ? 2_600_000 : 100_000 + 1000 * place, bitsPerWeight: isFloat ? 32 : 1 },
    operations: { binary: isFloat ? 0 : 267_264, float: 401_408 },
    r: isFloat ? [] : layers.map((name, i) => ({ name, r: 0.9 + 0.01 * i })),
  };
});
const failed: JobResult = {
  job: { ...(jobs[0] as (typeof jobs)[0]), id: 'guest', method: GUEST },
  ...{ state: 'failed', epochs: [], error: { name: 'RangeError', message: 'I <i>cannot</i>\nhere' } },
};
const methods = comparedMethods([...results, failed]);
const pages = new Map(NAMES.map((name) => [name, [describeMethod(methodByName(name))]]));
const made = { version: '0', date: '2026-11-30T01:02:03Z', command: 'webgpu-bnn compare' };
const adapter = { name: 'a GPU', software: false };
const page = renderComparison(
  { version: 1, made, adapter, comparison, methods, results: [...results, failed] },
  pages,
);

test('a row of the table is a method over its seeds', () => {
  expect(methods[0]).toMatchObject({
    method: 'steSign',
    done: 2,
    failed: 0,
    bytes: 100_000,
    bitsPerWeight: 1,
  });
  expect(methods[0]?.accuracy.mean).toBeCloseTo(0.936, 10);
  expect(methods[0]?.accuracy.sd).toBeCloseTo(0.004 / Math.SQRT2, 10);
  expect(methods[0]?.flips).toBeCloseTo(0.06, 10);
  expect(methods[0]?.layers).toEqual([
    { name: 'dense1', angle: 31, r: 0.9 },
    { name: 'dense2', angle: 32, r: 0.91 },
  ]);
  expect(methods.at(-1)).toMatchObject({ method: GUEST, done: 0, failed: 1, error: { name: 'RangeError' } });
  const lines = comparisonMarkdown(methods).trim().split('\n');
  expect(lines).toHaveLength(2 + methods.length);
  expect(lines[2]).toContain('| 93.60 ± 0.28 % | 1 | 97.7 kB | 267,264 |');
  expect(lines.at(-1)).toContain('| failed | – |');
});

test('a network of a person goes by its name: what it is made of is no fact of the page', () => {
  const own = {
    ...comparison,
    model: 'mine',
    description: { layers: ['much-of-it'] },
  };
  const text = renderComparison({ version: 1, made, adapter, comparison: own, methods, results }, pages);
  expect(text).toContain('mine');
  expect(text).not.toContain('much-of-it');
});

test('layers are told one by one, or by their mean and range where they are many', () => {
  const layers = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      name: `dense${i}`,
      angle: 30 + i,
      r: i === 0 ? Number.NaN : 0.9,
    }));
  expect([anglesText(layers(3)), rText(layers(3))]).toEqual(['30.0° 31.0° 32.0°', '– 0.900 0.900']);
  expect([anglesText(layers(9)), rText(layers(9))]).toEqual([
    '34.0° (30.0° to 38.0°)',
    '0.900 (0.900 to 0.900)',
  ]);
  expect(anglesText([])).toBe('–');
});

test('results are read back as they were kept, and nothing else is', () => {
  const kept = JSON.stringify(results[0]);
  expect(parseResult(kept, 'file')).toEqual(results[0]);
  expect(parseResult(JSON.stringify(failed), 'file')).toEqual(failed);
  expect(() => parseResult(kept.replace('"steps":60', '"steps":-1'), 'file')).toThrow(/steps/);
  expect(parseComparison(JSON.stringify(comparison), 'file')).toEqual(comparison);
  expect(() => parseComparison('{}', 'file')).toThrow(/description of the comparison is malformed/);
});

test('it has curves, sizes, flips, angles and the functions of each method, and names escaped', () => {
  for (const title of [
    'Accuracy',
    'Learning curves, 1 to 9 by accuracy',
    'Accuracy and size',
    'Accuracy and flips',
    'Angles',
  ]) {
    expect(page).toContain(`<b>${title}</b>`);
  }
  for (const name of NAMES) expect(page).toContain(`<b>${name}: `);
  expect(page).not.toContain('<b>own</b>');
  expect(page).toContain('I &#60;i&#62;cannot&#60;/i&#62;');
});

describe('in Chrome', () => {
  let chrome: Chrome;
  const folder = mkdtempSync(join(tmpdir(), 'comparison report '));
  beforeAll(async () => {
    chrome = await launchChrome();
    writeFileSync(join(folder, 'page.html'), page);
  });
  afterAll(async () => {
    await chrome?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([390, 1440])('at %i px nothing is wider than the page, in both schemes', async (width) => {
    const { page: tab, errors } = await chrome.open(pathToFileURL(join(folder, 'page.html')).href, {
      width,
      height: 800,
    });
    for (const value of ['light', 'dark']) {
      await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
      expect(await tab.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    }
    // A name takes no more than its column.
    const overlaps = await tab.$$eval('table.dense tbody th', (cells) =>
      cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent),
    );
    expect(overlaps).toEqual([]);
    // The best stands first when it is sorted by accuracy downwards.
    const button = 'table.dense thead th:nth-child(2) button';
    for (const _ of [1, 2]) await tab.$eval(button, (element) => (element as HTMLElement).click());
    const first = await tab.$eval('table.dense tbody tr th', (cell) => cell.textContent);
    expect(first).toBe('steSign');
    expect(errors).toEqual([]);
    await tab.close();
  });
});
