/** The examples in `demo/examples/`, each in a real Chrome, from the same server that `npm run demo` starts. */
import { join } from 'node:path';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Chrome, launchChrome } from './helpers/chrome.ts';

let chrome: Chrome;
let server: ViteDevServer;
let url: string;

beforeAll(async () => {
  server = await createServer({
    configFile: join(import.meta.dirname, '..', 'demo', 'vite.config.ts'),
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

/** Opens an example, and waits for its end. @returns what it logged */
async function outcome(name: string): Promise<string> {
  const { page, errors } = await chrome.open(`${url}examples/${name}.html`);
  const ended = await page.waitForFunction(
    () => ['done', 'failed'].find((state) => state === document.body.dataset.state),
    { timeout: 100_000, polling: 100 },
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
