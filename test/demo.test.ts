/** The demo page, in a real Chrome, as a visitor uses it: train, pause, resume, draw, reset, and lose the GPU. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { build, createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mnistFromInk } from '../demo/preprocess.ts';
import { advice } from '../demo/support.ts';
import { IDX_FILES } from '../src/data/idx.ts';
import { type Chrome, launchChrome } from './helpers/chrome.ts';

const ROOT = join(import.meta.dirname, '..');
const CONFIG = join(ROOT, 'demo', 'vite.config.ts');
const ARTIFACTS = join(ROOT, 'test', 'artifacts');

/** A drawing of `width`×`height` with ink in rectangles [left, top, width, height]. */
function ink(
  width: number,
  height: number,
  rectangles: readonly (readonly [number, number, number, number])[],
): Uint8Array {
  const drawing = new Uint8Array(width * height);
  for (const [left, top, wide, tall] of rectangles) {
    for (let y = top; y < top + tall; y++) drawing.fill(255, y * width + left, y * width + left + wide);
  }
  return drawing;
}

/** Bounding box of the ink of a 28×28 image. */
function boxOf(image: Uint8Array): { left: number; top: number; right: number; bottom: number } {
  const at = [...image.keys()].filter((index) => (image[index] ?? 0) > 0);
  const columns = at.map((index) => index % 28);
  const rows = at.map((index) => Math.floor(index / 28));
  return {
    left: Math.min(...columns),
    right: Math.max(...columns),
    top: Math.min(...rows),
    bottom: Math.max(...rows),
  };
}

describe('a drawing becomes what MNIST would have made of it', () => {
  test('an empty pad is no image', () => {
    expect(mnistFromInk(new Uint8Array(100 * 100), 100, 100)).toBeUndefined();
  });

  test('a square fills 20×20 in the middle of 28×28', () => {
    const image = mnistFromInk(ink(280, 280, [[10, 150, 60, 60]]), 280, 280) ?? new Uint8Array();
    expect(image.length).toBe(784);
    expect(boxOf(image)).toEqual({ left: 4, right: 23, top: 4, bottom: 23 });
    expect(image.reduce((sum, value) => sum + value, 0)).toBe(400 * 255);
  });

  test('the aspect ratio is kept', () => {
    const image = mnistFromInk(ink(280, 280, [[100, 20, 20, 200]]), 280, 280) ?? new Uint8Array();
    expect(boxOf(image)).toEqual({ left: 13, right: 14, top: 4, bottom: 23 });
  });

  test('the mass is centred, not the box', () => {
    // An L: most of its ink is on the left and below.
    const drawing = ink(200, 200, [
      [50, 50, 20, 100],
      [50, 130, 100, 20],
    ]);
    const image = mnistFromInk(drawing, 200, 200) ?? new Uint8Array();
    let [mass, x, y] = [0, 0, 0];
    for (const [index, value] of image.entries()) {
      mass += value;
      x += value * ((index % 28) + 0.5);
      y += value * (Math.floor(index / 28) + 0.5);
    }
    expect(Math.abs(x / mass - 14)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(y / mass - 14)).toBeLessThanOrEqual(0.5);
  });

  test('where it was drawn, and how large, makes no difference', () => {
    const small = mnistFromInk(ink(200, 200, [[20, 30, 20, 40]]), 200, 200);
    const large = mnistFromInk(ink(300, 200, [[150, 60, 60, 120]]), 300, 200);
    expect(large).toEqual(small);
  });
});

test('advice begins with the browser at hand', () => {
  const first = (userAgent: string) => advice(userAgent)[0]?.browser;
  expect(first('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/147.0 Safari/537.36')).toMatch(
    /Linux/,
  );
  expect(first('Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/147.0 Safari/537.36')).toMatch(
    /Windows/,
  );
  expect(first('Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/147.0 Mobile')).toMatch(/Android/);
  expect(first('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toMatch(/Firefox/);
  expect(first('Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15')).toMatch(
    /Safari/,
  );
});

test('a build holds the data and refers to everything by relative paths', async () => {
  const built = await build({
    configFile: CONFIG,
    logLevel: 'error',
    build: { write: false, sourcemap: false },
  });
  const outputs = [built].flat().flatMap((result) => ('output' in result ? result.output : []));
  const names = outputs.map(({ fileName }) => fileName);
  for (const name of Object.values(IDX_FILES)) expect(names).toContain(`mnist/${name}`);
  const page = outputs.find(({ fileName }) => fileName === 'index.html');
  const html = page !== undefined && 'source' in page ? String(page.source) : '';
  expect(html).toMatch(/src="\.\/assets\//);
  expect(html).not.toMatch(/(src|href)="\//);
  for (const output of outputs) {
    if (output.type === 'chunk') expect(output.code).not.toContain(ROOT);
  }
});

describe('the page', () => {
  let chrome: Chrome;
  let server: ViteDevServer;
  let url: string;

  beforeAll(async () => {
    mkdirSync(ARTIFACTS, { recursive: true });
    server = await createServer({
      configFile: CONFIG,
      logLevel: 'error',
      server: { host: '127.0.0.1', port: 0, open: false, hmr: false, watch: null },
    });
    await server.listen();
    url = server.resolvedUrls?.local[0] ?? '';
    chrome = await launchChrome();
  });

  afterAll(async () => {
    await chrome?.[Symbol.asyncDispose]();
    await server?.close();
  });

  const field = (page: Page, name: string) =>
    page.$eval(`[data-field="${name}"]`, (element) => element.textContent ?? '');

  const step = async (page: Page) => Number(await field(page, 'step'));

  /** Waits for a state of the page; an error on the page ends the wait with its text. */
  async function reach(page: Page, wanted: string): Promise<void> {
    const reached = await page.waitForFunction(
      (name) => [name, 'failed', 'unsupported'].find((state) => state === document.body.dataset.state),
      { polling: 100 },
      wanted,
    );
    const state = await reached.jsonValue();
    if (state !== wanted) expect.fail(`${state}: ${await page.$eval('#notice', (e) => e.textContent)}`);
  }

  const pastStep = (page: Page, after: number) =>
    page.waitForFunction(
      (least) => Number(document.querySelector('[data-field="step"]')?.textContent) > least,
      { polling: 50 },
      after,
    );

  const pastAccuracy = (page: Page, least: number) =>
    page.waitForFunction(
      (share) =>
        Number.parseFloat(document.querySelector('[data-field="test-accuracy"]')?.textContent ?? '') > share,
      { polling: 200 },
      least,
    );

  /** Waits for a layer's maps, which must not be blank. @returns their correlations */
  async function mapsOf(page: Page, layer: string, count: number): Promise<number[]> {
    await page.waitForFunction(
      (name, least) =>
        document.getElementById('maps')?.dataset.layer === name &&
        document.querySelectorAll('#maps figure:not([hidden])').length === least,
      {},
      layer,
      count,
    );
    const shown = await page.$$eval('#maps figure:not([hidden])', (figures) =>
      figures.map((figure) => {
        const canvas = figure.querySelector('canvas');
        const pixels = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data;
        return {
          text: figure.textContent ?? '',
          inked: [...(pixels ?? [])].filter((value, i) => i % 4 === 3 && value > 0).length,
        };
      }),
    );
    for (const { text, inked } of shown) expect(inked, text).toBeGreaterThan(1000);
    return shown.map(({ text }) => Number(/r = (-?[\d.]+)/.exec(text)?.[1]));
  }

  /** Draws one stroke through points in shares of the pad. */
  async function draw(page: Page, points: readonly (readonly [x: number, y: number])[]): Promise<void> {
    await page.$eval('#pad', (element) => element.scrollIntoView({ block: 'center' }));
    const box = await (await page.$('#pad'))?.boundingBox();
    if (!box) throw new Error('the pad is not on the page');
    const place = ([x, y]: readonly [number, number]) =>
      [box.x + x * box.width, box.y + y * box.height] as const;
    for (const [index, point] of points.entries()) {
      await page.mouse.move(...place(point), { steps: index === 0 ? 1 : 4 });
      if (index === 0) await page.mouse.down();
    }
    await page.mouse.up();
  }

  const answer = async (page: Page) => {
    await page.waitForFunction(() =>
      /^\d$/.test(document.querySelector('[data-field="class"]')?.textContent ?? ''),
    );
    // What was drawn last may still be on its way.
    let shown = '';
    for (let same = 0; same < 3; ) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      const now = await page.$eval('#bars', (element) => element.textContent ?? '');
      same = now === shown ? same + 1 : 0;
      shown = now;
    }
    return field(page, 'class');
  };

  async function screenshots(page: Page, name: string): Promise<void> {
    for (const scheme of ['light', 'dark']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      for (const [size, width] of [['wide', 1280] as const, ['narrow', 390] as const]) {
        await page.setViewport({ width, height: 900 });
        await new Promise((resolve) => setTimeout(resolve, 400));
        await page.screenshot({ path: join(ARTIFACTS, `${name}-${scheme}-${size}.png`), fullPage: true });
      }
    }
    await page.emulateMediaFeatures([]);
    await page.setViewport({ width: 1280, height: 900 });
  }

  const ZERO = Array.from({ length: 25 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 24 - Math.PI / 2;
    return [0.5 + 0.2 * Math.cos(angle), 0.5 + 0.3 * Math.sin(angle)] as const;
  });
  const ONE = [
    [0.52, 0.2],
    [0.5, 0.5],
    [0.48, 0.8],
  ] as const;

  test('learns past 90 %, pauses, resumes, recognises what is drawn, refuses bad options, resets', async () => {
    const { page, errors } = await chrome.open(`${url}?images=8000&heldOut=1000&epochs=3&batch=50&seed=1`, {
      width: 1280,
      height: 900,
    });
    await reach(page, 'ready');
    expect(await field(page, 'adapter')).toMatch(/swiftshader/i);
    expect(await field(page, 'adapter-kind')).toMatch(/software/);
    await page.waitForFunction(() => document.querySelectorAll('#histograms figure svg').length === 3);
    // Uniform weights start at 30° to their signs.
    const meanAngle = () =>
      page.$eval('#layers tbody td:nth-of-type(2)', (cell) => Number.parseFloat(cell.textContent ?? ''));
    expect(await meanAngle()).toBeCloseTo(30, 0);

    // The first layer takes the images as they are: it has no binary activations.
    await mapsOf(page, 'dense1', 2);
    expect(await page.$eval('#maps', (element) => element.getAttribute('data-step'))).toBe('0');
    await page.select('#layer', 'dense2');
    const untrained = await mapsOf(page, 'dense2', 3);
    for (const r of untrained) expect(r).toBeGreaterThan(0.3);

    await page.click('#toggle');
    await pastStep(page, 10);
    await page.click('#toggle');
    await reach(page, 'paused');
    const stopped = await step(page);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await step(page)).toBe(stopped);
    expect(await page.$eval('#toggle', (button) => button.textContent)).toBe('Resume');

    await page.click('#toggle');
    await pastStep(page, stopped);
    await pastAccuracy(page, 90);
    expect(await meanAngle()).toBeGreaterThan(31);
    // The maps follow the training: the first of its epochs is over.
    await page.waitForFunction(() => Number(document.getElementById('maps')?.dataset.step) > 100);
    const [real = 0, shuffled = 1] = await mapsOf(page, 'dense2', 3);
    expect(real).toBeGreaterThan(shuffled);

    await draw(page, ZERO);
    expect(await answer(page)).toBe('0');
    await screenshots(page, 'demo');
    await page.click('#clear');
    await page.waitForFunction(() => document.querySelector('[data-field="class"]')?.textContent === '–');
    await draw(page, ONE);
    expect(await answer(page)).toBe('1');

    // The same stroke by keyboard.
    await page.click('#clear');
    await page.focus('#pad');
    for (let i = 0; i < 10; i++) await page.keyboard.press('ArrowUp');
    await page.keyboard.down('Shift');
    for (let i = 0; i < 18; i++) await page.keyboard.press('ArrowDown');
    await page.keyboard.up('Shift');
    expect(await answer(page)).toBe('1');

    await page.click('#reset');
    await reach(page, 'ready');
    expect(await field(page, 'step')).toBe('–');
    expect(await meanAngle()).toBeCloseTo(30, 0);

    const type = (name: string, value: string) =>
      page.$eval(
        `input[name="${name}"]`,
        (input, text) => {
          if (input instanceof HTMLInputElement) input.value = text;
        },
        value,
      );
    await type('images', '100');
    await type('batch', '200');
    await page.click('#toggle');
    await page.waitForSelector('body[data-state="failed"]');
    expect(await page.$eval('#notice', (element) => element.textContent)).toMatch(
      /batch is larger than the data set.*batch = 200/is,
    );
    await type('batch', '50');
    await page.click('#reset');
    await reach(page, 'ready');
    expect(await page.$eval('#notice', (element) => element.hasAttribute('hidden'))).toBe(true);
    expect(errors).toEqual([]);
    await page.close();
  });

  test('says what to do where WebGPU is missing', async () => {
    const page = await chrome.browser.newPage();
    await page.evaluateOnNewDocument(() => {
      Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined });
    });
    await page.goto(url);
    await page.waitForSelector('body[data-state="unsupported"]');
    const text = await page.$eval('#notice', (element) => element.textContent);
    for (const browser of ['Chrome', 'Firefox', 'Safari', '--enable-unsafe-webgpu'])
      expect(text).toContain(browser);
    await page.screenshot({ path: join(ARTIFACTS, 'demo-unsupported.png') });
    await page.close();
  });

  test('shows the loss of the device and goes on from the last checkpoint', async () => {
    const page = await chrome.browser.newPage();
    // The page's own device, to take it away.
    await page.evaluateOnNewDocument(() => {
      const { requestDevice } = GPUAdapter.prototype;
      GPUAdapter.prototype.requestDevice = async function (descriptor) {
        const device = await requestDevice.call(this, descriptor);
        addEventListener('take-device', () => device.destroy(), { once: true });
        return device;
      };
    });
    await page.goto(`${url}?images=600&heldOut=100&epochs=40&batch=50`);
    await reach(page, 'ready');
    await page.click('#toggle');
    await pastStep(page, 24);
    await page.evaluate(() => dispatchEvent(new Event('take-device')));
    await page.waitForSelector('body[data-state="failed"]');
    const text = await page.$eval('#notice', (element) => element.textContent);
    expect(text).toMatch(/device was lost.*remedy/is);
    expect(await page.$eval('#recover', (button) => button.textContent)).toMatch(/last checkpoint/);
    await page.screenshot({ path: join(ARTIFACTS, 'demo-lost.png') });
    const reached = await step(page);
    await page.click('#recover');
    await reach(page, 'training');
    // Two epochs of twelve steps were saved: it doesn't begin at nought.
    await page.waitForFunction(
      (before) => Number(document.querySelector('[data-field="step"]')?.textContent) !== before,
      { polling: 'raf' },
      reached,
    );
    expect(await step(page)).toBeGreaterThan(24);
    await page.click('#toggle');
    await reach(page, 'paused');
    expect(await page.$eval('#notice', (element) => element.hasAttribute('hidden'))).toBe(true);
    await page.close();
  });

  test('keeps the checkpoint when the GPU process crashes', async () => {
    const { page } = await chrome.open(`${url}?images=600&heldOut=100&epochs=40&batch=50`);
    await reach(page, 'ready');
    await page.click('#toggle');
    await pastStep(page, 24);
    const session = await chrome.browser.target().createCDPSession();
    // The answer doesn't come when the process is gone first.
    session.send('Browser.crashGpuProcess').catch(() => undefined);
    await page.waitForSelector('body[data-state="failed"]');
    expect(await page.$eval('#notice', (element) => element.textContent)).toMatch(/device was lost/i);
    await page.click('#recover');
    // Whether the browser starts the GPU again is its own affair.
    await page.waitForSelector('body[data-state="failed"], body[data-state="training"]');
    if ((await page.$eval('body', (body) => body.getAttribute('data-state'))) === 'failed') {
      expect(await page.$eval('#notice', (element) => element.textContent)).toMatch(
        /no adapter.*checkpoint is kept/is,
      );
      expect(await page.$eval('#recover', (button) => button.hasAttribute('hidden'))).toBe(false);
    }
    await page.screenshot({ path: join(ARTIFACTS, 'demo-crashed.png') });
    await page.close();
  });
});
