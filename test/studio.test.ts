/** What visitors do with the studio that takes a while: without a network, with files, cameras and links, for half an hour. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { unzipSync } from 'fflate';
import type { ElementHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveFolder } from './helpers/static.ts';
import {
  BELOW,
  close,
  field,
  hashOf,
  reach,
  type Studio,
  screenshots,
  show,
  startStudio,
  TINY,
} from './helpers/studio.ts';

/** A network that Brevitas exported. */
const TFC = join(import.meta.dirname, 'fixtures', 'qonnx-tfc', 'TFC_1W1A.onnx');

let studio: Studio;
beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.[Symbol.asyncDispose]());

test('works without a network after the first visit, and takes a newer version whole', async () => {
  const server = await serveFolder(studio.folder, { below: BELOW });
  const { page, errors } = await studio.open('');
  await page.goto(`${server.url}/?${TINY}`, { waitUntil: 'load' });
  await reach(page, 'ready');
  await page.click('#toggle');
  await reach(page, 'finished');
  const hash = await hashOf(page);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  expect(await page.$('#newer')).toBeNull();

  // Another build lies there: its files are got, and nothing changes before it is asked for.
  const edit = (name: string, change: (text: string) => string) => {
    const path = join(studio.folder, name);
    const text = readFileSync(path, 'utf8');
    expect(change(text)).not.toBe(text);
    writeFileSync(path, change(text));
  };
  edit('index.html', (text) => text.replace(/<title>.*<\/title>/, '<title>newer</title>'));
  edit('service-worker.js', (text) => text.replace(/[0-9a-f]{16}`;/, 'another`;'));
  const caches = () => page.evaluate(async () => (await globalThis.caches.keys()).sort());
  const before = await caches();
  await page.reload({ waitUntil: 'load' });
  expect(await page.title()).not.toBe('newer');
  await page.waitForSelector('#newer');
  await screenshots(page, 'newer');
  await page.click('#newer button');
  await page.waitForFunction(() => document.title === 'newer');
  await reach(page, 'ready');
  const after = await caches();
  expect(after.length).toBe(before.length);
  expect(after).toContainEqual(expect.stringMatching(/ another$/));

  // Nobody answers any more.
  await server[Symbol.asyncDispose]();
  await page.goto(`${server.url}/?${TINY}`, { waitUntil: 'load' });
  await reach(page, 'ready');
  await page.click('#toggle');
  await reach(page, 'finished');
  expect(await hashOf(page)).toBe(hash);
  await page.waitForSelector('#accuracy svg path');
  await show(page, 'model');
  await ((await page.$('#model-file')) as ElementHandle<HTMLInputElement>).uploadFile(TFC);
  await page.waitForSelector('#model #graph');
  expect(errors).toEqual([]);
  await close(page);
});

/** What the page hands over from now on, as bytes. */
async function downloads(page: Page): Promise<(click: string) => Promise<Uint8Array>> {
  const made = await page.evaluateHandle(() => {
    const all: Promise<number[]>[] = [];
    const plain = URL.createObjectURL;
    URL.createObjectURL = (blob) => {
      if (blob instanceof Blob) all.push(blob.arrayBuffer().then((bytes) => [...new Uint8Array(bytes)]));
      return plain(blob);
    };
    return all;
  });
  return async (click) => {
    const before = await made.evaluate((all) => all.length);
    await page.click(click);
    await page.waitForFunction((all, least) => all.length > least, {}, made, before);
    return Uint8Array.from((await made.evaluate((all, at) => all[at], before)) ?? []);
  };
}

/** Bytes of a 28×28 picture on the page that has ink. */
const inkOf = async (page: Page, selector: string): Promise<Uint8Array> =>
  Uint8Array.from(
    await page.$eval(selector, (canvas) => {
      if (!(canvas instanceof HTMLCanvasElement)) return [];
      const data = canvas.getContext('2d')?.getImageData(0, 0, 28, 28).data ?? [];
      return [...data].filter((_, i) => i % 4 === 3);
    }),
  );

test('hands out a page that guesses as the network does here, and the report of its training', async () => {
  const { page, errors } = await studio.open(TINY);
  await reach(page, 'ready');
  const taken = await downloads(page);
  await show(page, 'runs');
  expect(await page.$eval('#download-report', (button) => (button as HTMLButtonElement).disabled)).toBe(true);
  await show(page, 'train');
  await page.click('#toggle');
  await reach(page, 'finished');
  await page.click('#sample');
  await page.waitForFunction(() =>
    /^\d$/.test(document.querySelector('[data-field="class"]')?.textContent ?? ''),
  );
  const guess = await field(page, 'class');
  const data = await inkOf(page, '#seen');
  const hash = await hashOf(page);
  await screenshots(page, 'downloads');
  const files = unzipSync(await taken('#download-page'));
  const report = new TextDecoder().decode(await taken('#download-report'));
  expect(report).toContain(hash);
  expect(report).toMatch(/<svg[\s\S]*steSign[\s\S]*layers=dense64/);
  const shown = report.replace(/<script>[\s\S]*<\/script>/, '').replaceAll(/data:[^"]*/g, '');
  expect(shown).not.toMatch(/undefined|NaN/);

  const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn taken '));
  mkdirSync(join(folder, 'page'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const picture = join(folder, 'digit.png');
  writeFileSync(picture, encode({ width: 28, height: 28, data, channels: 1, depth: 8 }));
  await using server = await serveFolder(join(folder, 'page'), { below: '/some/where/' });
  await page.goto(`${server.url}/`);
  expect(await page.title()).toBe('Which digit is it?');
  await page.waitForFunction(() => /^Ready/.test(document.querySelector('#status')?.textContent ?? ''));
  await ((await page.$('#file')) as ElementHandle<HTMLInputElement>).uploadFile(picture);
  await page.waitForSelector('#result li');
  expect(await page.$eval('#result li', (item) => item.textContent)).toMatch(new RegExp(`^${guess} `));
  rmSync(folder, { recursive: true, force: true });
  expect(errors).toEqual([]);
  await close(page);
});

test('a link holds a small network, which guesses the same in a fresh profile', async () => {
  const guesses = async (page: Page) => {
    await page.click('#sample');
    await page.waitForFunction(() =>
      /^\d$/.test(document.querySelector('[data-field="class"]')?.textContent ?? ''),
    );
    return page.$eval('#bars', (bars) => bars.textContent);
  };
  const settings = (page: Page) =>
    page.$$eval('#controls input, #controls select', (all) =>
      all.map((one) => (one as HTMLInputElement | HTMLSelectElement).value),
    );
  const linkOf = async (page: Page, holds: RegExp) => {
    await page.click('#link');
    await page.waitForFunction(
      (source) =>
        new RegExp(source).test(document.querySelector('[data-field="link-holds"]')?.textContent ?? ''),
      {},
      holds.source,
    );
    return page.$eval('#link-address', (input) => (input as HTMLInputElement).value);
  };
  const first = await studio.open(`${TINY}&epochs=2&rate=0.01`);
  await reach(first.page, 'ready');
  expect(await linkOf(first.page, /settings\. Once the training/)).not.toContain('#');
  await first.page.click('#toggle');
  await reach(first.page, 'finished');
  const address = await linkOf(first.page, /settings and the network, \d+ KB packed/);
  expect(address.length).toBeLessThan(20_000);
  const [accuracy, bars, chosen] = [
    await field(first.page, 'test-accuracy'),
    await guesses(first.page),
    await settings(first.page),
  ];
  await screenshots(first.page, 'link');
  await close(first.page);

  const second = await studio.open(address.slice(address.indexOf('?') + 1));
  await reach(second.page, 'finished');
  expect(await settings(second.page)).toEqual(chosen);
  expect(await field(second.page, 'test-accuracy')).toBe(accuracy);
  expect(await guesses(second.page)).toBe(bars);
  expect(await second.page.$('#more')).toBeNull();
  await screenshots(second.page, 'link-opened');
  await second.page.click('#reset');
  await reach(second.page, 'ready');
  expect(await guesses(second.page)).not.toBe(bars);
  await close(second.page);

  // Cut off on its way: said, and the settings are there.
  const cut = await studio.open(address.slice(address.indexOf('?') + 1, -2000));
  await cut.page.waitForSelector('body[data-state="failed"]');
  expect(await cut.page.$eval('#notice', (notice) => notice.textContent)).toMatch(/link is damaged.*Remedy/s);
  await cut.page.click('#reset');
  await reach(cut.page, 'ready');
  expect(await settings(cut.page)).toEqual(chosen);
  await close(cut.page);

  const large = await studio.open(TINY.replace('dense64', 'dense512'));
  await reach(large.page, 'ready');
  await large.page.click('#toggle');
  await reach(large.page, 'finished');
  expect(await linkOf(large.page, /too large for a link: \d+ KB packed, at most 24 KB/)).not.toContain('#');
  await close(large.page);
  expect([...first.errors, ...second.errors]).toEqual([]);
});
