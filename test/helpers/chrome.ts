/**
 * A real Chrome for the tests: the one inside the npm package `@sparticuz/chromium`, driven by puppeteer, with
 * SwiftShader for its GPU process. `CHROME_PATH` names another one.
 */
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { createServer } from 'vite';
import { wgsl } from '../../shaders/link.ts';
import { cacheFolder, chromiumPackage, unpackOnce } from '../../src/node/gpu.ts';

const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The tests' machines have a small /dev/shm.
  '--disable-dev-shm-usage',
];

export interface Chrome extends AsyncDisposable {
  readonly browser: Browser;
  /** A page on `url`; its console errors and exceptions are collected in `errors`. */
  open(url: string, size?: { width: number; height: number }): Promise<{ page: Page; errors: string[] }>;
}

/** Starts Chrome with a profile of its own, which goes when it is disposed. */
export async function launchChrome(): Promise<Chrome> {
  const { executable, libraries, fonts } = await chromeProgram();
  const profile = mkdtempSync(join(tmpdir(), 'webgpu-bnn-chrome-'));
  const environment: Record<string, string> = {};
  if (libraries !== undefined) environment.LD_LIBRARY_PATH = libraries;
  if (fonts !== undefined) {
    environment.FONTCONFIG_FILE = join(profile, 'fonts.conf');
    writeFileSync(environment.FONTCONFIG_FILE, fontsConfiguration(fonts, join(profile, 'fonts-cache')));
  }
  const browser = await puppeteer.launch({
    executablePath: executable,
    // The package's Chrome is the old headless shell; another one is asked for the same way.
    headless: 'shell',
    userDataDir: profile,
    args: FLAGS,
    env: { ...process.env, ...environment },
    protocolTimeout: 300_000,
  });
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
    async [Symbol.asyncDispose]() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Serves the repository to a browser on this machine, TypeScript and shaders included. */
export async function servePages(): Promise<{ url: string } & AsyncDisposable> {
  const server = await createServer({
    configFile: false,
    root: join(import.meta.dirname, '..', '..'),
    plugins: [wgsl()],
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null },
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

/** The host's fonts if it has any, and those in `fonts`: where there are none at all, Chrome ends at the first text. */
function fontsConfiguration(fonts: string, cache: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>${fonts}</dir>
  <cachedir>${cache}</cachedir>
</fontconfig>
`;
}

interface ChromeProgram {
  readonly executable: string;
  /** A folder of libraries that Chrome needs, where the host lacks them. */
  readonly libraries: string | undefined;
  /** A folder of fonts; undefined for a Chrome of the host's own. */
  readonly fonts: string | undefined;
}

async function chromeProgram(): Promise<ChromeProgram> {
  const named = process.env.CHROME_PATH;
  if (named) return { executable: named, libraries: undefined, fonts: undefined };
  const { bin, version } = chromiumPackage();
  const swiftshader = await unpackOnce(join(bin, 'swiftshader.tar.br'), `swiftshader-${version}`);
  const extra = await unpackOnce(join(bin, 'al2023.tar.br'), `chrome-libraries-${version}`);
  const fonts = await unpackOnce(join(bin, 'fonts.tar.br'), `chrome-fonts-${version}`);
  const folder = join(cacheFolder(), `chrome-${version}`);
  if (!existsSync(folder)) {
    mkdirSync(dirname(folder), { recursive: true });
    const partial = mkdtempSync(`${folder}.partial-`);
    const executable = join(partial, 'chrome');
    await pipeline(
      createReadStream(join(bin, 'chromium.br')),
      createBrotliDecompress(),
      createWriteStream(executable),
    );
    chmodSync(executable, 0o755);
    // Chrome looks for its software GPU beside itself.
    for (const file of readdirSync(swiftshader)) copyFileSync(join(swiftshader, file), join(partial, file));
    try {
      renameSync(partial, folder);
    } catch (cause) {
      rmSync(partial, { recursive: true, force: true });
      if (!existsSync(folder)) throw cause;
    }
  }
  const libraries = existsSync(join(extra, 'lib')) ? join(extra, 'lib') : extra;
  const system = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib'];
  const hasNss = system.some((root) => existsSync(join(root, 'libnss3.so')));
  return { executable: join(folder, 'chrome'), libraries: hasNss ? undefined : libraries, fonts };
}
