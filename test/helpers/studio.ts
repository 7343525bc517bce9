/** The studio as it is built, below a sub-path, in a real Chrome: what its tests do as a visitor would. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { expect } from 'vitest';
import { type Chrome, launchChrome } from './chrome.ts';
import { serveFolder } from './static.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const ARTIFACTS = join(ROOT, 'test', 'artifacts');
/** Where the studio lies on its server. */
export const BELOW = '/a/sub-path/';

/** A training that a software adapter does in some seconds. */
export const SMALL = 'images=2000&heldOut=500&epochs=3&batch=50&layers=dense128-dense64&seed=1';
/** Ten steps an epoch. */
export const TINY = 'images=500&heldOut=100&epochs=1&batch=50&layers=dense64&seed=1';

/** Begins every script: a message on a channel destroys the devices that were had since. */
const TAKE_DEVICE = `globalThis.takesDevices ??= (() => {
  const prototype = globalThis.GPUAdapter?.prototype;
  const request = prototype?.requestDevice;
  if (request === undefined) return true;
  prototype.requestDevice = async function (descriptor) {
    const device = await request.call(this, descriptor);
    new BroadcastChannel('take-device').onmessage = () => device.destroy();
    return device;
  };
  return true;
})();
`;

export interface Studio extends AsyncDisposable {
  /** Where it was built. */
  readonly folder: string;
  readonly url: string;
  readonly chrome: Chrome;
  /** The studio in a profile of its own. @param query what follows the `?`, and a `#` with what follows that */
  open(query: string): Promise<{ page: Page; errors: string[] }>;
}

/** Builds the studio, and serves it to a Chrome. */
export async function startStudio(): Promise<Studio> {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn studio '));
  const vite = join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js');
  const options = ['--config', join(ROOT, 'demo', 'vite.config.ts'), '--outDir', folder, '--emptyOutDir'];
  // In a process of its own: what vitest sets would make it a build for developing.
  execFileSync(process.execPath, [vite, 'build', ...options, '--logLevel', 'error'], {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const server = await serveFolder(folder, {
    below: BELOW,
    // A worker's device can be taken away by the worker itself only.
    edit: (script) => TAKE_DEVICE + script,
  });
  const chrome = await launchChrome();
  return {
    ...{ folder, chrome, url: server.url },
    async open(query) {
      const context = await chrome.browser.createBrowserContext();
      const page = await context.newPage();
      page.setDefaultTimeout(500_000);
      await page.setViewport({ width: 1440, height: 900 });
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
      });
      await page.goto(`${server.url}/${query === '' ? '' : `?${query}`}`, { waitUntil: 'load' });
      return { page, errors };
    },
    async [Symbol.asyncDispose]() {
      await chrome[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const close = (page: Page) => page.browserContext().close();

export const field = (page: Page, name: string) =>
  page.$eval(`[data-field="${name}"]`, (element) => element.textContent ?? '');
export const step = async (page: Page) => Number(await field(page, 'step'));

/** Waits for a state of the page; an error on the page ends the wait with its text. */
export async function reach(page: Page, ...wanted: string[]): Promise<void> {
  const reached = await page.waitForFunction(
    (names) => [...names, 'failed', 'unsupported'].find((state) => state === document.body.dataset.state),
    { polling: 100 },
    wanted,
  );
  const state = await reached.jsonValue();
  if (wanted.includes(state ?? '')) return;
  expect.fail(`${state}: ${await page.$eval('#notice', (e) => e.textContent)}`);
}

export const pastStep = (page: Page, after: number) =>
  page.waitForFunction(
    (least) => Number(document.querySelector('[data-field="step"]')?.textContent) > least,
    { polling: 50 },
    after,
  );

export async function show(page: Page, view: string): Promise<void> {
  await page.click(`nav a[href="#/${view}"]`);
  await page.waitForSelector(`main[data-view="${view}"]`);
}

export async function type(page: Page, name: string, value: string): Promise<void> {
  await page.$eval(
    `input[name="${name}"], input#${name}`,
    (input, text) => {
      if (!(input instanceof HTMLInputElement)) return;
      input.value = text;
      input.dispatchEvent(new Event('input', { bubbles: true }));
    },
    value,
  );
}

/** Draws one stroke through points in shares of the pad. */
export async function draw(
  page: Page,
  points: readonly (readonly [x: number, y: number])[],
  pad = '#pad',
): Promise<void> {
  await page.$eval(pad, (element) => element.scrollIntoView({ block: 'center' }));
  const box = await (await page.$(pad))?.boundingBox();
  if (!box) throw new Error('the pad is not on the page');
  for (const [index, [x, y]] of points.entries()) {
    await page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: index === 0 ? 1 : 4 });
    if (index === 0) await page.mouse.down();
  }
  await page.mouse.up();
}

export const ONE = [
  [0.52, 0.2],
  [0.5, 0.5],
  [0.48, 0.8],
] as const;

/** What the binary network takes the drawing for, once it has answered the last stroke. */
export async function answer(page: Page): Promise<string> {
  await page.waitForFunction(() =>
    /^\d$/.test(document.querySelector('[data-field="class"]')?.textContent ?? ''),
  );
  let shown = '';
  for (let same = 0; same < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const now = await page.$eval('#bars', (element) => element.textContent ?? '');
    same = now === shown ? same + 1 : 0;
    shown = now;
  }
  return field(page, 'class');
}

/** Wide and on a phone, light and dark. */
export async function screenshots(page: Page, name: string): Promise<void> {
  mkdirSync(ARTIFACTS, { recursive: true });
  for (const scheme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    for (const [width, height] of [
      [1440, 900],
      [390, 844],
    ] as const) {
      await page.setViewport({ width, height });
      await new Promise((resolve) => setTimeout(resolve, 500));
      await page.screenshot({
        path: join(ARTIFACTS, `studio-${name}-${scheme}-${width}.png`),
        fullPage: true,
      });
    }
  }
  await page.emulateMediaFeatures([]);
  await page.setViewport({ width: 1440, height: 900 });
}

/** Inked pixels of a canvas. */
export const inked = (page: Page, selector: string) =>
  page.$eval(selector, (canvas) => {
    if (!(canvas instanceof HTMLCanvasElement)) return 0;
    const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? {
      data: [],
    };
    return [...data].filter((value, i) => i % 4 === 3 && value > 0).length;
  });

/** Of the weights as they are now. */
export async function hashOf(page: Page): Promise<string> {
  await show(page, 'runs');
  await page.waitForFunction(() => document.querySelector(`[data-field="hash"]`)?.textContent !== '');
  return page.$eval('[data-field="hash"]', (element) => element.textContent ?? '');
}
