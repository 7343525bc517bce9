/**
 * The examples in `demo/examples/` and the demo, as they are built: in a real Chrome, from plain files in a folder of a static
 * server. The engine has no `Symbol.dispose`, as Safari's hasn't.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Chrome, launchChrome } from './helpers/chrome.ts';
import { serveFolder, withoutDispose } from './helpers/static.ts';

const DEMO = join(import.meta.dirname, '..', 'demo');
const opened = new Set<string>();
let chrome: Chrome;
let server: Awaited<ReturnType<typeof serveFolder>>;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-demo-'));
  await build({
    configFile: join(DEMO, 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  });
  server = await serveFolder(folder, { below: '/a/sub-path/', edit: withoutDispose });
  chrome = await launchChrome();
});

afterAll(async () => {
  await chrome?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens an example, and waits for its end. @returns what it logged */
async function outcome(name: string): Promise<string> {
  opened.add(`${name}.html`);
  const { page, errors } = await chrome.open(`${server.url}/examples/${name}.html`);
  const ended = await page.waitForFunction(
    () => ['done', 'failed'].find((state) => state === document.body.dataset.state),
    { polling: 100 },
  );
  const state = await ended.jsonValue();
  const text = await page.$eval('#log', (element) => element.textContent ?? '');
  await page.close();
  expect({ state, errors }, text).toEqual({ state: 'done', errors: [] });
  return text;
}

test('a worker trains a network while its page stays free', async () => {
  const text = await outcome('worker');
  expect(text).toMatch(/epoch 2: loss \d\.\d{3}/);
  const accuracy = Number(/held out: ([\d.]+) % of 1000 digits/.exec(text)?.[1]);
  expect(accuracy).toBeGreaterThan(80);
});

test("a page's own device, buffers and encoder take the library's products", async () => {
  const text = await outcome('raw');
  expect(text).toContain('512 of 512 products equal those of plain JavaScript');
  expect(text).toContain('submits of the library: 0, readbacks: 0');
});

test('TensorFlow.js trains binary layers on its WebGPU backend, and keeps no tensor', async () => {
  const text = await outcome('tfjs');
  expect(text).toContain('backend: webgpu');
  expect(text).toContain('kernels of this library: BinaryProduct');
  const counts = /tensors after each epoch: ([\d, ]+)/.exec(text)?.[1]?.split(', ') ?? [];
  expect(counts).toHaveLength(4);
  expect(new Set(counts).size).toBe(1);
  expect(Number(/held out: (\d+) of 100/.exec(text)?.[1])).toBeGreaterThan(80);
});

test('ONNX Runtime runs the floats of a file, and the library its binary layers, on one device', async () => {
  const text = await outcome('onnxruntime');
  expect(text).toContain('between the sessions: gpu-buffer, read back 0 times');
  expect(text).toContain('with the scores: read back 1 times');
  expect(Number(/largest difference .*: (\S+)/.exec(text)?.[1])).toBeLessThan(1e-3);
});

test('the demo trains, and shows the angles of its layers', async () => {
  const { page, errors } = await chrome.open(`${server.url}/?images=500&heldOut=100&epochs=1&batch=50`);
  const reach = (wanted: string) =>
    page.waitForFunction((state) => document.body.dataset.state === state, {}, wanted);
  await reach('ready');
  await page.click('#toggle');
  await page.waitForFunction(() => Number(document.querySelector('[data-field="step"]')?.textContent) > 5);
  const angle = await page.$eval('#layers tbody td:nth-of-type(2)', ({ textContent }) => textContent ?? '');
  expect(Number.parseFloat(angle)).toBeCloseTo(30, 0);
  expect(errors).toEqual([]);
  await page.close();
});

test('no example is left out', () => {
  const all = readdirSync(join(DEMO, 'examples')).filter((name) => name.endsWith('.html'));
  expect([...opened].sort()).toEqual(all.sort());
});
