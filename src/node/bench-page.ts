/** The benchmark in a headless Chrome: the built library is served to a page of this machine, which sends its figures back. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchFigures, BenchOptions, Section } from '../bench/index.ts';
import {
  type BnnError,
  DeviceLostError,
  type ErrorDetails,
  GpuValidationError,
  NoAdapterError,
  OptionError,
  WebGpuUnavailableError,
} from '../errors.ts';
import { startChrome } from './chrome.ts';
import type { NodeGpuOptions } from './gpu.ts';
import { importHeadless, SETUP } from './headless.ts';
import { requestPath } from './request.ts';

export interface ChromeFigures extends BenchFigures {
  /** As in `Chrome/147.0.0.0`. */
  readonly browser: string;
}

export interface ChromeBenchHooks {
  /** Called once the page has its GPU. */
  readonly started?: (where: Pick<ChromeFigures, 'browser' | 'adapter'>) => void;
  readonly done?: (section: Section, figures: BenchFigures) => void;
  /** Called before a figure is taken. */
  readonly measuring?: (what: string) => void;
}

/** What the page answers. */
type Answer = { readonly figures: BenchFigures } | { readonly failure: Failure };

interface Failure extends ErrorDetails {
  readonly code: string;
  readonly what: string;
}

/**
 * Runs the benchmark in Chrome.
 * @param dist folder of the built library; the one of this file when absent
 * @throws what `runBench` throws, OptionError where puppeteer isn't installed, NoAdapterError where there is no Chrome
 */
export async function benchInChrome(
  options: BenchOptions & NodeGpuOptions,
  hooks: ChromeBenchHooks = {},
  dist = dirname(fileURLToPath(import.meta.url)),
): Promise<ChromeFigures> {
  if (!existsSync(join(dist, 'bench.js'))) {
    throw new OptionError('The built library is not here, and a page needs it.', {
      expected: 'bench.js',
      where: dist,
      remedy: 'npm run build',
    });
  }
  const { adapter = 'auto', toggles, ...bench } = options;
  await using chrome = await startChrome({ adapter, ...(toggles === undefined ? {} : { toggles }) });
  const server = await serve(dist);
  try {
    const browser = await chrome.version();
    const page = await chrome.newPage();
    await page.exposeFunction('reportStart', (text: string) =>
      hooks.started?.({ browser, adapter: JSON.parse(text) as BenchFigures['adapter'] }),
    );
    await page.exposeFunction('reportSection', (section: Section, text: string) =>
      hooks.done?.(section, JSON.parse(text) as BenchFigures),
    );
    await page.exposeFunction('reportMeasuring', (what: string) => hooks.measuring?.(what));
    await page.goto(server.url, { waitUntil: 'load' });
    const request = JSON.stringify({ ...bench, requireHardware: adapter === 'hardware' });
    const answer = JSON.parse((await page.evaluate(`bench(${request})`)) as string) as Answer;
    if ('failure' in answer) throw asError(answer.failure);
    return { ...answer.figures, browser };
  } finally {
    await server.close();
  }
}

/** An error of the page, as this side throws it. */
function asError({ code, what, ...details }: Failure): BnnError {
  const kinds = [
    ['option', OptionError],
    ['no-adapter', NoAdapterError],
    ['webgpu-unavailable', WebGpuUnavailableError],
    ['device-lost', DeviceLostError],
  ] as const;
  const kind = kinds.find(([name]) => name === code)?.[1] ?? GpuValidationError;
  return new kind(what, details);
}

const PEERS = {
  '@tensorflow/tfjs-core': '/tensorflow.js',
  '@tensorflow/tfjs-backend-webgpu': '/tensorflow.js',
  '@tensorflow/tfjs-layers': '/tensorflow.js',
  'onnxruntime-web': '/npm/onnxruntime-web/dist/ort.wasm.bundle.min.mjs',
  'onnxruntime-web/webgpu': '/npm/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs',
  '@jax-js/jax': '/npm/@jax-js/jax/dist/index.js',
  '@bufbuild/protobuf/wire': '/npm/@bufbuild/protobuf/dist/esm/wire/index.js',
} as const;

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><link rel="icon" href="data:,"><title>webgpu-bnn bench</title>
<script type="importmap">${JSON.stringify({ imports: PEERS })}</script></head>
<body><script type="module">
import { Gpu } from '/dist/index.js';
import { runBench } from '/dist/bench.js';
window.bench = async ({ requireHardware, ...options }) => {
  try {
    const gpu = await Gpu.request({ requireHardware });
    await reportStart(JSON.stringify(gpu.adapter));
    const done = (section, figures) => reportSection(section, JSON.stringify(figures));
    const figures = await runBench(gpu, options, { done, measuring: reportMeasuring });
    gpu.dispose();
    return JSON.stringify({ figures });
  } catch (error) {
    const { code = 'unknown', what = String(error?.stack ?? error), given, expected, where, remedy } = error ?? {};
    return JSON.stringify({ failure: { code, what, given, expected, where, remedy } });
  }
};
</script></body>
</html>
`;

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Serves the page, the built library, and the peers, to this machine only. @param dist folder of the built library */
export async function serve(dist: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  let tensorflow: Promise<string> | undefined;
  const server = createServer(async (request, response) => {
    const path = requestPath(request.url);
    // Threads of WebAssembly need a page that shares nothing with others.
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    try {
      if (path === undefined) response.writeHead(400).end();
      else if (path === '/') response.setHeader('Content-Type', 'text/html; charset=utf-8').end(PAGE);
      else if (path === '/tensorflow.js') {
        tensorflow ??= bundleTensorFlow(dist);
        response.setHeader('Content-Type', 'text/javascript').end(await tensorflow);
      } else {
        const file = fileOf(path, dist);
        if (file === undefined) response.writeHead(404).end();
        else
          response
            .setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream')
            .end(readFileSync(file));
      }
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}/`, close: () => closed(server) };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** The file of `/dist/...` or of `/npm/PACKAGE/...` for a peer; nothing outside of them. */
function fileOf(path: string, dist: string): string | undefined {
  const [, kind = '', ...rest] = path.split('/');
  const inside = (root: string, parts: readonly string[]) => {
    const file = normalize(join(root, ...parts));
    return file.startsWith(root.endsWith(sep) ? root : root + sep) &&
      existsSync(file) &&
      statSync(file).isFile()
      ? file
      : undefined;
  };
  if (kind === 'dist') return inside(dist, rest);
  const name = rest[0]?.startsWith('@') ? rest.slice(0, 2).join('/') : rest[0];
  if (
    kind !== 'npm' ||
    name === undefined ||
    !Object.keys(PEERS).some((peer) => `${peer}/`.startsWith(`${name}/`))
  )
    return undefined;
  const root = packageFolder(name, dist);
  return root === undefined ? undefined : inside(root, rest.slice(name.split('/').length));
}

function packageFolder(name: string, dist: string): string | undefined {
  const folders = createRequire(join(dist, 'bench.js')).resolve.paths(name) ?? [];
  return folders.map((folder) => join(folder, name)).find((folder) => existsSync(folder));
}

/** TensorFlow.js as one module, with its WebGPU backend and its gradients: browsers can't import its packages as they are. */
async function bundleTensorFlow(dist: string): Promise<string> {
  const esbuild = await importHeadless<typeof import('esbuild')>('esbuild');
  if (esbuild === undefined) throw new Error(`esbuild is not installed: ${SETUP}`);
  const { outputFiles } = await esbuild.build({
    stdin: {
      contents: `export * from '@tensorflow/tfjs-core';
export * from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
export { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';`,
      resolveDir: dist,
    },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}
