/** A report in a real browser: on phones and large screens, what its script does, and what it lets nobody else do. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SCRIPT, SCRIPT_DIGEST } from '../src/reports/page.ts';
import { renderReport } from '../src/reports/training.ts';
import { type Chrome, launchChrome } from './helpers/chrome.ts';
import { layer, sample } from './helpers/page.ts';

let chrome: Chrome;
const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-page-'));
beforeAll(async () => {
  chrome = await launchChrome();
});
afterAll(async () => {
  await chrome?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test('its policy knows the script by its digest', () => {
  expect(createHash('sha256').update(SCRIPT).digest('base64')).toBe(SCRIPT_DIGEST);
});

const NAME = '=1+1 <b>bold</b> $& {a}';
const text = renderReport({
  ...sample([layer('dense1'), layer(NAME)]),
  mistakes: {
    classes: ['cat', 'dog'],
    confusion: [
      [40, 10],
      [0, 50],
    ],
    surest: [],
  },
});
const urlOf = (name: string, content: string) => {
  const file = join(folder, `${name}.html`);
  writeFileSync(file, content);
  return pathToFileURL(file).href;
};

test.each([390, 1440])('at %i px nothing is wider than the page, in both schemes', async (width) => {
  const { page, errors } = await chrome.open(urlOf('plain', text), { width, height: 800 });
  const backgrounds = new Set<unknown>();
  for (const value of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    backgrounds.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    // Every value of the run can be read without scrolling sideways.
    const widest = await page.$$eval('.facts td', (cells) =>
      Math.max(...cells.map((cell) => cell.getBoundingClientRect().right)),
    );
    expect(widest).toBeLessThanOrEqual(width);
  }
  expect(backgrounds.size).toBe(2);
  expect(errors).toEqual([]);
  await page.close();
});

test('values show near the pointer, series go and come back, pictures and numbers are saved', async () => {
  const { page, errors } = await chrome.open(urlOf('plain', text));
  const figure = '.charts figure:nth-of-type(3)';
  const places = (await page.$eval(figure, (element) => (element as HTMLElement).dataset.plot)) ?? '';
  const { series } = JSON.parse(places) as { series: { name: string; points: [number, number][] }[] };
  expect(series.map(({ name }) => name)).toEqual(['dense1', NAME]);
  const [left = 0, top = 0] = series[1]?.points[0] ?? [];
  await page.$eval(figure, (element) => element.scrollIntoView());
  const box = await (await page.$(`${figure} svg`))?.boundingBox();
  const scale = (box?.width ?? 0) / 520;
  await page.mouse.move((box?.x ?? 0) + left * scale, (box?.y ?? 0) + top * scale);
  expect(await page.$eval(`${figure} .tip`, (tip) => tip.textContent)).toMatch(/: epoch 0, 30 degrees$/);

  const shown = () =>
    page.$$eval(
      `${figure} svg [ecmeta_series_index="1"]`,
      (parts) => parts.filter((part) => (part as SVGElement).style.display !== 'none').length,
    );
  const before = await shown();
  expect(before).toBeGreaterThan(2);
  await page.click(`${figure} .legend button:nth-of-type(2)`);
  expect(await shown()).toBe(0);
  await page.click(`${figure} .legend button:nth-of-type(2)`);
  expect(await shown()).toBe(before);

  await page.evaluate(`URL.createObjectURL = (blob) => (window.saved = blob.text(), 'blob:none')`);
  const saved = async (button: number) => {
    await page.click(`${figure} .save button:nth-of-type(${button})`);
    return (await page.evaluate('window.saved')) as string;
  };
  const picture = await saved(1);
  expect(picture).toContain('<svg xmlns="http://www.w3.org/2000/svg"');
  expect(picture).toContain('=1+1 &lt;b&gt;bold&lt;/b&gt;');
  const table = await saved(2);
  expect(table).toContain('series,epoch,degrees\r\ndense1,0,30\r\n');
  expect(table).toContain("'=1+1 <b>bold</b> $& {a},0,30\r\n");
  expect(await page.$$('main b')).toHaveLength(6);
  expect(errors.filter((error) => !error.includes('blob:'))).toEqual([]);
  await page.close();
});

test('what got into a page in spite of all does not run, and reaches nothing', async () => {
  const harm = `<script>window.owned = 1</script><img src="x" onerror="window.owned = 2">
<svg onload="window.owned = 3"></svg><iframe src="javascript:parent.owned = 4"></iframe><link rel="stylesheet" href="http://127.0.0.1:9/x">`;
  const { page, errors } = await chrome.open(
    urlOf(
      'harmed',
      text.replace('<main>', () => `<main>${harm}`),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await page.evaluate('window.owned')).toBeUndefined();
  expect(errors.filter((error) => error.includes('Content Security Policy')).length).toBeGreaterThan(3);
  // Its own script does.
  expect(await page.$$('.save')).not.toHaveLength(0);
  await page.close();
});
