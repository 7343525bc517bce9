/** The library in a real Chrome. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requestGpu } from '../src/node/gpu.ts';
import { type Chrome, launchChrome, servePages } from './helpers/chrome.ts';
import { expectClose, expectSame } from './helpers/gpu.ts';
import { workload } from './helpers/workload.ts';

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
