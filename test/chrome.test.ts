/** The library in a real Chrome. */
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel, type ModelSource } from '../src/formats/index.ts';
import { initialValues } from '../src/graph/index.ts';
import { loadModel, requestGpu } from '../src/node/index.ts';
import { PIXEL_RANGES } from '../src/run/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { type Chrome, launchChrome, servePages } from './helpers/chrome.ts';
import { expectClose, expectSame } from './helpers/gpu.ts';
import { workload } from './helpers/workload.ts';
import type { Loaded } from './pages/load.ts';

describe('Chrome', () => {
  let chrome: Chrome;
  let server: Awaited<ReturnType<typeof servePages>>;
  let url = '';
  beforeAll(async () => {
    chrome = await launchChrome();
    server = await servePages();
    url = `${server.url}/test/pages/workload.html`;
  });
  afterAll(async () => {
    await chrome?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  test('computes the same bits as Node', async () => {
    const { page, errors } = await chrome.open(url);
    const inChrome = (await page.evaluate('runWorkload()')) as Record<string, number[]>;
    using gpu = await requestGpu({ adapter: 'software' });
    const inNode = await workload(gpu);
    expect(Object.keys(inChrome)).toEqual(Object.keys(inNode));
    for (const [name, values] of Object.entries(inNode)) {
      // Integers are exact on every adapter; the logits went through float batch normalisation.
      if (name === 'mlp' || name === 'cnn') expectClose(inChrome[name] ?? [], values, 1e-5, name);
      else expectSame(inChrome[name] ?? [], values, name);
    }
    expect(errors).toEqual([]);
    await page.close();
  });

  test('loads models by URL with progress, and gives the scores that Node gives', async () => {
    const { page, errors } = await chrome.open(`${server.url}/test/pages/load.html`);
    const pixels = Array.from({ length: 2 * 784 }, (_, i) => (i * 37) % 256);
    const inChrome = async (url: string) =>
      (await page.evaluate((from, images) => window.loadFrom(from, images), url, pixels)) as Loaded;
    using gpu = await requestGpu({ adapter: 'software' });
    const inNode = async (source: ModelSource) => {
      const loaded = await loadModel(source);
      using classifier = await loaded.createClassifier(gpu, { pixels: loaded.pixels ?? '0:1' });
      return await classifier.classify(Uint8Array.from(pixels), { top: 1 });
    };

    const onnx = 'test/fixtures/qonnx-tfc/TFC_1W1A.onnx';
    const fromUrl = await inChrome(`${server.url}/${onnx}`);
    const expected = await inNode(onnx);
    expect(fromUrl.format).toBe('ONNX');
    expectSame(fromUrl.scores, expected.scores, 'ONNX');
    expect(fromUrl.best).toBe(expected.results[0]?.[0]?.name);
    const { size } = statSync(onnx);
    expect(fromUrl.progress.at(-1)).toEqual({ received: size, total: size });

    // Its last layer is a float batch normalisation.
    const model = mlp({ input: [28, 28, 1], classes: 10, units: 64 });
    const own = encodeModel(model, initialValues(model, 21), { pixels: PIXEL_RANGES['-1:1'] });
    const { scores } = await inNode(own);
    for (const url of (await page.evaluate('ownFiles()')) as string[]) {
      const loaded = await inChrome(url);
      expect(loaded.format).toBe('webgpu-bnn');
      expectClose(loaded.scores, scores, 1e-5, url);
    }
    const missing = await page.evaluate((url) => window.errorOf(url), `${server.url}/test/pages/load.html`);
    expect(missing).toEqual({ code: 'format', message: expect.stringContaining('a web page instead') });
    expect(errors).toEqual([]);
    await page.close();
  });

  test('reports the loss of the device, and fails every later call with it', async () => {
    const { page } = await chrome.open(url);
    const outcome = page.evaluate('awaitLoss()');
    await page.waitForFunction('deviceReady');
    const session = await chrome.browser.target().createCDPSession();
    await session.send('Browser.crashGpuProcess').catch(() => undefined);
    expect(await outcome).toEqual({ loss: 'device-lost', later: 'device-lost' });
    await page.close();
  });
});
