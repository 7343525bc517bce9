/** A page in browsers without WebGPU: it classifies a drawn digit, and searches among vectors, all the same. */
import { existsSync, readdirSync } from 'node:fs';
import puppeteer, { type Browser } from 'puppeteer-core';
import { describe, expect, test } from 'vitest';
import { launchWithoutWebGpu, servePages } from './helpers/chrome.ts';
import type { Answer } from './pages/processor.ts';

const FOLDER = 'test/fixtures/bnn-pynq/mnist-lfcW1A1';
const FIREFOX = ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => existsSync(path));

/** Lines that people draw for these digits. */
const SEVEN = [
  [7, 7],
  [20, 7],
  [12, 22],
] as const;
const ONE = [
  [14, 5],
  [14, 23],
] as const;

async function classify(browser: Browser, isolated: boolean): Promise<Answer[]> {
  await using server = await servePages({ isolated });
  const page = await browser.newPage();
  await page.goto(`${server.url}/test/pages/processor.html`, { waitUntil: 'load' });
  const urls = readdirSync(FOLDER).map((name) => `${server.url}/${FOLDER}/${name}`);
  const answers: Answer[] = [];
  for (const [line, threads] of [
    [ONE, undefined],
    [SEVEN, 2],
  ] as const) {
    const ask = (from: string[], points: [number, number][], count: number | undefined) =>
      window.classify(from, points, count);
    answers.push(
      await page.evaluate(
        ask,
        urls,
        line.map(([x, y]) => [x, y] as [number, number]),
        threads,
      ),
    );
  }
  expect(await page.evaluate((rows) => window.nearest(rows), [1999, 3, 700])).toEqual([1999, 3, 700]);
  await page.close();
  return answers;
}

function expectDigits(answers: readonly Answer[], threads: number): void {
  expect(answers.map(({ engine, hasAdapter }) => ({ engine, hasAdapter }))).toEqual([
    { engine: 'wasm', hasAdapter: false },
    { engine: 'wasm', hasAdapter: false },
  ]);
  expect(answers.map(({ name }) => name)).toEqual(['1', '7']);
  expect(answers[1]?.threads).toBe(threads);
}

describe('a page without WebGPU', () => {
  test.each([
    ['alone with its memory: two threads', true, 2],
    ['among others: one thread', false, 1],
  ])('in Chrome, %s', { timeout: 300_000 }, async (_, isolated, threads) => {
    await using browser = await launchWithoutWebGpu();
    expectDigits(await classify(browser, isolated), threads);
  });

  test.skipIf(FIREFOX === undefined)('in Firefox', { timeout: 300_000 }, async () => {
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: FIREFOX as string,
      headless: true,
      extraPrefsFirefox: { 'dom.webgpu.enabled': false },
      protocolTimeout: 0,
    });
    try {
      expectDigits(await classify(browser, true), 2);
    } finally {
      await browser.close();
    }
  });
});
