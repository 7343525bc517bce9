/** A real Chrome for the tests, with SwiftShader for its GPU process, and the pages that they open in it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { createServer } from 'vite';
import { wgsl } from '../../shaders/link.ts';
import { findChrome, startChrome } from '../../src/node/chrome.ts';
import { ENTRY_ALIASES } from './entries.ts';

export interface Chrome extends AsyncDisposable {
  readonly browser: Browser;
  /** A page on `url`; its console errors and exceptions are collected in `errors`. */
  open(url: string, size?: { width: number; height: number }): Promise<{ page: Page; errors: string[] }>;
}

/** Starts Chrome with a profile of its own, which goes when it is disposed. */
export async function launchChrome(): Promise<Chrome> {
  const browser = await startChrome({ adapter: 'software' });
  const make = browser.newPage.bind(browser);
  browser.newPage = async (...given) => {
    const page = await make(...given);
    // Less than what a test may take, so that the wait that failed is named.
    page.setDefaultTimeout(500_000);
    return page;
  };
  return {
    browser,
    async open(url, size = { width: 1200, height: 900 }) {
      const page = await browser.newPage();
      await page.setViewport(size);
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
      });
      await page.goto(url, { waitUntil: 'load' });
      return { page, errors };
    },
    [Symbol.asyncDispose]: () => browser[Symbol.asyncDispose](),
  };
}

/** The same Chrome without the flags that WebGPU needs here, as on a machine that has none. @param flags more of its flags */
export async function launchWithoutWebGpu(...flags: string[]): Promise<Browser & AsyncDisposable> {
  const { executable, libraries } = await findChrome();
  const profile = mkdtempSync(join(tmpdir(), 'webgpu-bnn-processor-'));
  const browser = await puppeteer.launch({
    executablePath: executable,
    headless: 'shell',
    userDataDir: profile,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage', ...flags],
    env: { ...process.env, ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }) },
    protocolTimeout: 0,
  });
  return Object.assign(browser, {
    async [Symbol.asyncDispose]() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  });
}

/**
 * Serves the repository to a browser on this machine, TypeScript and shaders included.
 * @param options.isolated pages are isolated across origins, so that their threads may share memory
 */
export async function servePages(
  options: { readonly isolated?: boolean } = {},
): Promise<{ url: string } & AsyncDisposable> {
  const server = await createServer({
    configFile: false,
    root: join(import.meta.dirname, '..', '..'),
    plugins: [wgsl()],
    resolve: {
      alias: [
        ...ENTRY_ALIASES,
        // Node imports the CommonJS file by this name; a browser needs the module beside it.
        { find: 'flatbuffers/js/flexbuffers.js', replacement: 'flatbuffers/mjs/flexbuffers.js' },
      ],
    },
    logLevel: 'error',
    server: {
      ...{ host: '127.0.0.1', port: 0, hmr: false, watch: null },
      ...(options.isolated && {
        headers: {
          'Cross-Origin-Opener-Policy': 'same-origin',
          'Cross-Origin-Embedder-Policy': 'require-corp',
        },
      }),
    },
    optimizeDeps: { noDiscovery: true },
  });
  await server.listen();
  const address = server.httpServer?.address();
  if (typeof address !== 'object' || address === null) throw new Error('the page server has no address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: () => server.close(),
  };
}
