/**
 * A real Chrome without a display, driven by puppeteer: one that `CHROME_PATH` names, one of the system's, or the one inside
 * the npm package `@sparticuz/chromium`, which brings a software adapter with it.
 */
import {
  accessSync,
  chmodSync,
  constants,
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
import type { Browser } from 'puppeteer-core';
import { NoAdapterError, OptionError, StorageError } from '../errors.ts';
import { cacheFolder } from './cache.ts';
import { chromiumPackage, hasSystemDriver, type NodeGpuOptions, unpackOnce } from './gpu.ts';
import { importHeadless, SETUP } from './headless.ts';
import { partialPath, sweepPartials } from './partial.ts';

const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Machines without a display often have a small /dev/shm.
  '--disable-dev-shm-usage',
];
const SOFTWARE = ['--use-webgpu-adapter=swiftshader'];
const HARDWARE = process.platform === 'linux' ? ['--use-angle=vulkan', '--disable-vulkan-surface'] : [];

export interface ChromeProgram {
  readonly executable: string;
  /** A folder of libraries that Chrome needs, where the host lacks them. */
  readonly libraries?: string;
  /** A folder of fonts; absent for a Chrome of the host's own. */
  readonly fonts?: string;
}

export interface ChromeOptions extends NodeGpuOptions {
  /** Which Chrome; `findChrome` finds one. */
  readonly program?: ChromeProgram;
}

/**
 * Starts Chrome with a profile of its own, which goes when the browser is closed.
 * @throws OptionError where puppeteer isn't installed, NoAdapterError where there is no Chrome
 */
export async function startChrome(options: ChromeOptions = {}): Promise<Browser & AsyncDisposable> {
  const puppeteer = await loadPuppeteer();
  const { adapter = 'auto', toggles = [] } = options;
  const hardware = adapter === 'hardware' || (adapter === 'auto' && hasSystemDriver());
  const { executable, libraries, fonts } =
    options.program ?? (await findChrome({ installedFirst: hardware }));
  const profile = mkdtempSync(join(tmpdir(), 'webgpu-bnn-chrome-'));
  const environment: Record<string, string> = {};
  if (libraries !== undefined) environment.LD_LIBRARY_PATH = libraries;
  if (fonts !== undefined) {
    environment.FONTCONFIG_FILE = join(profile, 'fonts.conf');
    writeFileSync(environment.FONTCONFIG_FILE, fontsConfiguration(fonts, join(profile, 'fonts-cache')));
  }
  const remove = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const browser = await puppeteer.launch({
      executablePath: executable,
      // The package's Chrome is the old headless shell; another one is asked for the same way.
      headless: 'shell',
      userDataDir: profile,
      args: [
        ...FLAGS,
        ...(hardware ? HARDWARE : SOFTWARE),
        ...(toggles.length === 0 ? [] : [`--enable-dawn-features=${toggles.join(',')}`]),
      ],
      env: { ...process.env, ...environment },
      // A benchmark takes as long as it takes.
      protocolTimeout: 0,
    });
    return Object.assign(browser, {
      async [Symbol.asyncDispose]() {
        await browser.close();
        remove();
      },
    });
  } catch (cause) {
    remove();
    throw new NoAdapterError('Chrome does not start.', {
      given: String(cause).split('\n')[0],
      where: executable,
      remedy: 'name another Chrome with CHROME_PATH',
      cause,
    });
  }
}

async function loadPuppeteer(): Promise<typeof import('puppeteer-core')['default']> {
  const module = await importHeadless<typeof import('puppeteer-core')>('puppeteer-core');
  if (module !== undefined) return module.default;
  throw new OptionError('The package that drives Chrome is not installed.', {
    expected: 'puppeteer-core',
    remedy: `${SETUP}, which gets it`,
  });
}

/**
 * Finds a Chrome: the one that `CHROME_PATH` names, or else the packaged one or an installed one, which is tried first where
 * a GPU is to be used: the packaged one is made for machines without.
 * @throws NoAdapterError where there is none, StorageError where the packaged one can't be unpacked
 */
export async function findChrome(
  options: { readonly installedFirst?: boolean } = {},
): Promise<ChromeProgram> {
  const named = process.env.CHROME_PATH;
  if (named) {
    if (existsSync(named)) return { executable: named };
    throw new NoAdapterError('There is no Chrome where CHROME_PATH says.', { where: named });
  }
  const path = installedChrome();
  const installed = path === undefined ? undefined : { executable: path };
  if (options.installedFirst && installed !== undefined) return installed;
  try {
    return await packagedChrome();
  } catch (cause) {
    if (installed !== undefined) return installed;
    throw cause;
  }
}

function installedChrome(): string | undefined {
  const names = ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'chrome'];
  const folders = (process.env.PATH ?? '').split(process.platform === 'win32' ? ';' : ':');
  const candidates = [
    ...folders.flatMap((folder) => names.map((name) => join(folder, name))),
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    ...['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].map((root) =>
      join(process.env[root] ?? '', 'Google', 'Chrome', 'Application', 'chrome.exe'),
    ),
  ];
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The headless Chrome that `@sparticuz/chromium` carries, for Linux x64. */
async function packagedChrome(): Promise<ChromeProgram> {
  const { bin, version } = chromiumPackage();
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new NoAdapterError('There is no Chrome here, and the packaged one is for Linux x64 only.', {
      given: `${process.platform} ${process.arch}`,
      remedy: 'install Chrome, or name one with CHROME_PATH',
    });
  }
  const swiftshader = await unpackOnce(join(bin, 'swiftshader.tar.br'), `swiftshader-${version}`);
  const extra = await unpackOnce(join(bin, 'al2023.tar.br'), `chrome-libraries-${version}`);
  const fonts = await unpackOnce(join(bin, 'fonts.tar.br'), `chrome-fonts-${version}`);
  const folder = join(cacheFolder(), `chrome-${version}`);
  if (!existsSync(folder)) await unpackChrome(join(bin, 'chromium.br'), swiftshader, folder);
  const libraries = existsSync(join(extra, 'lib')) ? join(extra, 'lib') : extra;
  const system = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib'];
  const hasNss = system.some((root) => existsSync(join(root, 'libnss3.so')));
  return { executable: join(folder, 'chrome'), fonts, ...(hasNss ? {} : { libraries }) };
}

/** Unpacks the program once; a half-done unpacking is never seen. */
async function unpackChrome(archive: string, swiftshader: string, folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true });
  sweepPartials(folder);
  const partial = partialPath(folder);
  mkdirSync(partial);
  try {
    const executable = join(partial, 'chrome');
    await pipeline(createReadStream(archive), createBrotliDecompress(), createWriteStream(executable));
    chmodSync(executable, 0o755);
    // Chrome looks for its software GPU beside itself.
    for (const file of readdirSync(swiftshader)) copyFileSync(join(swiftshader, file), join(partial, file));
    renameSync(partial, folder);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    // Another process may have been faster; its copy is as good.
    if (existsSync(folder)) return;
    throw new StorageError('Chrome could not be unpacked.', {
      given: String(cause),
      where: folder,
      remedy: 'free some space there, or name another folder with WEBGPU_BNN_CACHE',
      cause,
    });
  }
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
