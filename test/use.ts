/**
 * What the studio weighs, how soon it is there, and what half an hour of use leaves behind. Says its figures; sizes and memory are
 * held to limits, times are not. `WEBGPU_BNN_USE_SECONDS` says how long it is used.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { draw, ONE, reach, type Studio, show, startStudio, TINY } from './helpers/studio.ts';

const SECONDS = Number(process.env.WEBGPU_BNN_USE_SECONDS ?? 1800);
/** Bytes of scripts and styles, by gzip, before charts and data. */
const MOST_FIRST = 150_000;
/** Bytes that the page's heap may grow by, once every view was shown. */
const MOST_GROWTH = 16e6;
const VIEWS = ['weights', 'understand', 'method', 'model', 'bench', 'pictures', 'runs', 'train'];

let studio: Studio;
beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.[Symbol.asyncDispose]());

test('the first load', async () => {
  const context = await studio.chrome.browser.createBrowserContext();
  const page = await context.newPage();
  await page.evaluateOnNewDocument(() => {
    const tasks: number[] = [];
    new PerformanceObserver((list) =>
      tasks.push(...list.getEntries().map(({ duration }) => duration)),
    ).observe({
      type: 'longtask',
    });
    Object.assign(globalThis, { tasks });
  });
  await page.goto(`${studio.url}/?${TINY}&twin=1`, { waitUntil: 'load' });
  const first = await page.evaluate(() =>
    performance.getEntriesByType('resource').flatMap(({ name }) => {
      const { pathname } = new URL(name);
      return /\.(js|css)$/.test(pathname) ? [pathname] : [];
    }),
  );
  const names = [...new Set(first)].map((path) => path.slice(path.indexOf('assets/')));
  const sizeOf = (name: string) => gzipSync(readFileSync(join(studio.folder, name))).length;
  const files = names.filter((name) => name.startsWith('assets/') && !/\/(echarts|main)-/.test(name));
  const bytes = [...files, 'index.html'].reduce((sum, name) => sum + sizeOf(name), 0);
  const worker =
    page.workers().map((one) => new URL(one.url()).pathname.replace(/^.*\/assets\//, ''))[0] ?? '';
  const ofWorker = [...importedBy(worker, new Set())].reduce(
    (sum, name) => sum + sizeOf(`assets/${name}`),
    0,
  );
  await reach(page, 'ready');
  const atStart = await longest(page);
  await page.evaluate(() => {
    (globalThis as unknown as { tasks: number[] }).tasks.length = 0;
  });
  await page.click('#toggle');
  await reach(page, 'finished');
  const paint = await page.evaluate(
    () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
  );
  console.log(
    `first load: ${(bytes / 1000).toFixed(0)} KB by gzip in ${files.length + 1} files, and ${(ofWorker / 1000).toFixed(0)} KB for the worker that trains; first contentful paint after ${paint?.toFixed(0)} ms; longest task ${atStart} ms before the network is ready, ${await longest(page)} ms while it trains`,
  );
  expect(bytes).toBeLessThan(MOST_FIRST);
  await context.close();
});

/** Files that a script of the build can't do without, itself among them. */
function importedBy(name: string, seen: Set<string>): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const text = readFileSync(join(studio.folder, 'assets', name), 'utf8');
  for (const [, other = ''] of text.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)/g))
    importedBy(other, seen);
  return seen;
}

const longest = (page: Page) =>
  page.evaluate(() => Math.round(Math.max(0, ...(globalThis as unknown as { tasks: number[] }).tasks)));

test(`use for ${SECONDS} seconds`, async () => {
  const { page, errors } = await studio.open(TINY.replace('epochs=1', 'epochs=1000'));
  const session = await page.createCDPSession();
  const heap = async () => {
    await session.send('HeapProfiler.collectGarbage');
    return (await session.send('Runtime.getHeapUsage')).usedSize;
  };
  await reach(page, 'ready');
  const end = Date.now() + 1000 * SECONDS;
  const sizes: number[] = [];
  for (let round = 0; round === 0 || Date.now() < end; round++) {
    // Trains, pauses, and now and then begins anew.
    await page.click('#toggle');
    await reach(page, 'training', 'finished');
    await draw(page, ONE);
    for (const view of VIEWS) {
      await show(page, view);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await page.click('#clear');
    await page.click('#sample');
    await page.waitForSelector('#toggle:not(:disabled), #reset:not(:disabled)');
    if ((await page.$eval('body', (body) => body.dataset.state)) === 'training') {
      await page.click('#toggle');
      await reach(page, 'paused', 'finished');
    }
    await show(page, 'weights');
    await page.click('#find-mistakes');
    await page.waitForSelector('#confusion');
    await page.click('#activate');
    await show(page, 'train');
    await page.click('#link');
    await page.waitForSelector('#link-address');
    if (round % 5 === 4) {
      await page.click('#reset');
      await reach(page, 'ready');
      await show(page, 'runs');
      await page.$$eval('#runs button', (buttons) =>
        buttons
          .filter(({ textContent }) => textContent === 'Delete')
          .at(-1)
          ?.click(),
      );
      await reach(page, 'ready');
      await show(page, 'train');
    }
    sizes.push(await heap());
  }
  const [first = 0] = sizes;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  console.log(
    `${sizes.length} rounds in ${SECONDS} s: heap of the page ${megabytes(first)} MB after the first, at most ${megabytes(Math.max(...sizes))} MB, ${megabytes(sizes.at(-1) ?? 0)} MB at the end`,
  );
  expect(errors).toEqual([]);
  expect((sizes.at(-1) ?? 0) - first).toBeLessThan(MOST_GROWTH);
  await page.browserContext().close();
});
