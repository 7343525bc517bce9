/**
 * The package in blank projects of every kind that people have: installed from the packed tarball, built with each tool as its
 * own documentation says, and used until the first result, in a real Chrome, Node or Deno. All results agree. A tool that
 * can't be had is said, with the reason.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { startChrome } from '../src/node/chrome.ts';
import { softwareAdapterFolder } from '../src/node/gpu.ts';
import { linkedCache, makeProject, packed, run } from './helpers/package.ts';
import { runtimeProgram } from './helpers/runtimes.ts';
import { serveFolder } from './helpers/static.ts';

type Files = Readonly<Record<string, string>>;

/** What everybody does first: a network goes into a file, comes back from it, and looks at a picture. Readers come on demand. */
const FIRST = `
import { initialValues, loadModel, mlp } from 'webgpu-bnn';
import { exportOnnx } from 'webgpu-bnn/onnx';

export async function first(gpu) {
  const model = mlp({ input: [28, 28, 1], classes: 10, units: 64 });
  const loaded = await loadModel(exportOnnx(model, initialValues(model, 1)));
  const classifier = await loaded.createClassifier(gpu);
  const picture = Float32Array.from({ length: 784 }, (_, i) => ((i * 37) % 256) / 127.5 - 1);
  const { scores } = await classifier.classify(picture);
  classifier.dispose();
  return Array.from(scores, (score) => score.toFixed(2)).join(' ');
}
`;
const MAIN = `
import { Gpu } from 'webgpu-bnn';
import { first } from './first.js';
Gpu.request().then(first).then((scores) => { document.body.dataset.result = scores; },
  (error) => { document.body.dataset.result = String(error); });
`;
const html = (script: string, head = '') =>
  `<!doctype html><html><head><link rel="icon" href="data:,">${head}</head><body>${script}</body></html>`;
const PAGE = html('<script type="module" src="./main.js"></script>');

interface WebProject {
  readonly packages: readonly string[];
  readonly files: Files;
  /** What builds it, as a program of the project and its arguments; absent where nothing does. */
  readonly build?: readonly string[];
  /** The folder that a static server is given. */
  readonly site: string;
}

const dist = `node_modules/${manifest.name}/dist`;
const WEB: Readonly<Record<string, WebProject>> = {
  Vite: {
    packages: ['vite'],
    files: { 'index.html': PAGE, 'main.js': MAIN, 'first.js': FIRST },
    build: ['vite', 'build', '--base', './'],
    site: 'dist',
  },
  webpack: {
    packages: ['webpack', 'webpack-cli'],
    files: {
      'src/index.js': MAIN,
      'src/first.js': FIRST,
      'dist/index.html': html('<script src="./main.js"></script>'),
    },
    build: ['webpack', '--mode', 'production'],
    site: 'dist',
  },
  Next: {
    packages: ['next', 'react', 'react-dom'],
    files: {
      'next.config.mjs': "export default { output: 'export' };",
      'app/layout.js':
        'export default function Layout({ children }) { return <html lang="en"><body>{children}</body></html>; }',
      'app/page.js': `'use client';
import { useEffect, useState } from 'react';
import { Gpu } from 'webgpu-bnn';
import { first } from './first.js';
export default function Page() {
  const [result, setResult] = useState('');
  useEffect(() => { Gpu.request().then(first).then(setResult, (error) => setResult(String(error))); }, []);
  useEffect(() => { if (result) document.body.dataset.result = result; }, [result]);
  return <p>{result}</p>;
}`,
      'app/first.js': FIRST,
    },
    build: ['next', 'build'],
    site: 'out',
  },
  esbuild: {
    packages: ['esbuild'],
    files: {
      'main.js': MAIN,
      'first.js': FIRST,
      'dist/index.html': PAGE,
    },
    build: ['esbuild', 'main.js', '--bundle', '--splitting', '--format=esm', '--outdir=dist', '--minify'],
    site: 'dist',
  },
  Rollup: {
    packages: ['rollup', '@rollup/plugin-node-resolve'],
    files: { 'main.js': MAIN, 'first.js': FIRST, 'dist/index.html': PAGE },
    build: ['rollup', '--input', 'main.js', '--dir', 'dist', '--plugin', 'node-resolve'],
    site: 'dist',
  },
  Parcel: {
    packages: ['parcel'],
    files: {
      'package.json': '{ "private": true, "@parcel/resolver-default": { "packageExports": true } }',
      'index.html': PAGE,
      'main.js': MAIN,
      'first.js': FIRST,
    },
    build: ['parcel', 'build', 'index.html', '--public-url', './', '--no-cache'],
    site: 'dist',
  },
  'a page with an import map': {
    packages: [],
    files: {
      'index.html': html(
        '<script type="module" src="./main.js"></script>',
        `<script type="importmap">{ "imports": { "webgpu-bnn": "./${dist}/index.js", "webgpu-bnn/onnx": "./${dist}/onnx.js" } }</script>`,
      ),
      'main.js': MAIN,
      'first.js': FIRST,
    },
    site: '.',
  },
  'a page with one file of a static folder': {
    packages: [],
    files: {
      'index.html': PAGE,
      'main.js': MAIN.replace("'webgpu-bnn'", "'./webgpu-bnn.min.js'"),
      // The one file has readers and writers of its own.
      'first.js': FIRST.replace("'webgpu-bnn'", "'./webgpu-bnn.min.js'")
        .replace(/import \{ exportOnnx \}.*\n/, '')
        .replace('loadModel, mlp', 'loadModel, mlp, encodeModel')
        .replace('exportOnnx', 'encodeModel'),
    },
    site: '.',
  },
};

let work = '';
let tarball = '';
const results = new Map<string, string>();

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'webgpu-bnn-projects-'));
  tarball = await packed();
});
afterAll(() => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));

/** Makes a project; undefined, after saying why, where tools of others can't be had. */
async function install(name: string, files: Files, tools: readonly string[]): Promise<string | undefined> {
  const folder = join(work, name.replaceAll(' ', '-').toLowerCase());
  await makeProject(folder, files, [tarball]);
  if (tools.length === 0) return folder;
  try {
    await run(folder, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...tools]);
    return folder;
  } catch (cause) {
    console.log(`${name} did not run: ${tools.join(', ')} can't be had: ${String(cause).slice(0, 600)}`);
    return undefined;
  }
}

function note(name: string, result: string): void {
  console.log(`${name}: ${result}`);
  expect(result).toMatch(/^(-?\d+\.\d\d ?){10}$/);
  results.set(name, result);
}

describe('a page built with', () => {
  test.for(Object.entries(WEB))('%s', async ([name, { packages, files, build, site }], { skip }) => {
    const folder = await install(name, files, packages);
    if (folder === undefined) return skip();
    const env = { NEXT_TELEMETRY_DISABLED: '1', PARCEL_WORKERS: '0' };
    if (build) await run(folder, 'npx', ['--no-install', ...build], { env });
    if (name.includes('one file'))
      cpSync(join(folder, dist, 'webgpu-bnn.min.js'), join(folder, 'webgpu-bnn.min.js'));
    // Next alone writes addresses from the root.
    const below = name === 'Next' ? '/' : '/some/where/';
    await using server = await serveFolder(join(folder, site), { below });
    await using chrome = await startChrome({ adapter: 'software' });
    const page = await chrome.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`${server.url}/`);
    const found = await page.waitForFunction(() => document.body?.dataset.result, { timeout: 60_000 });
    note(name, String(await found.jsonValue()));
    expect(errors).toEqual([]);
  });
});

const ON_NODE = `
const gpu = await requestGpu({ adapter: '${process.platform === 'linux' ? 'software' : 'auto'}' });
console.log(await first(gpu));
gpu.dispose();
`;

describe('a program in', () => {
  /** Headless parts are where `webgpu-bnn setup --into cache` puts them. */
  let env: Readonly<Record<string, string>> = {};
  beforeAll(() => {
    env = linkedCache(join(work, 'cache'));
  });

  test('Node, as a module', async () => {
    const main = `import { requestGpu } from 'webgpu-bnn/node';\nimport { first } from './first.js';${ON_NODE}`;
    const folder = (await install('Node', { 'main.js': main, 'first.js': FIRST }, [])) ?? '';
    note('Node, as a module', (await run(folder, process.execPath, ['main.js'], { env })).trim());
  });

  test('Node, as CommonJS', async () => {
    const first = FIRST.replaceAll(/import (\{.*\}) from (.*);/g, 'const $1 = require($2);').replace(
      'export async function first',
      'exports.first = async function first',
    );
    const main = `const { requestGpu } = require('webgpu-bnn/node');\nconst { first } = require('./first.js');
(async () => {${ON_NODE}})();`;
    const own = '{ "private": true }';
    const files = { 'package.json': own, 'main.js': main, 'first.js': first };
    const folder = (await install('CommonJS', files, [])) ?? '';
    note('Node, as CommonJS', (await run(folder, process.execPath, ['main.js'], { env })).trim());
  });

  test.for(['node16', 'bundler'])('TypeScript, resolved as by %s', async (resolution, { skip }) => {
    const options = {
      ...{ module: resolution === 'node16' ? 'Node16' : 'ESNext', moduleResolution: resolution },
      ...{ target: 'ES2022', strict: true, outDir: 'out', lib: ['ES2023', 'DOM', 'ESNext.Disposable'] },
    };
    const main = `import { requestGpu } from 'webgpu-bnn/node';\nimport { first } from './first.js';${ON_NODE}`;
    const files = {
      'tsconfig.json': JSON.stringify({ compilerOptions: options, files: ['main.ts', 'entries.ts'] }),
      'main.ts': main,
      // The declarations of all entries, but for the one of TensorFlow.js, which names types of that.
      'entries.ts': Object.keys(manifest.exports)
        .filter((name) => !['.', './tfjs', './package.json'].includes(name))
        .map((name, i) => `export type Entry${i} = typeof import('webgpu-bnn${name.slice(1)}');\n`)
        .join(''),
      'first.ts': `import type { Gpu } from 'webgpu-bnn';${FIRST.replace('first(gpu)', 'first(gpu: Gpu): Promise<string>')}`,
    };
    // Types of Node are not there: TypeScript takes none unasked, and ours need none.
    const folder = await install(`TypeScript ${resolution}`, files, ['typescript']);
    if (folder === undefined) return skip();
    await run(folder, 'npx', ['--no-install', 'tsc', '-p', '.']);
    const printed = await run(folder, process.execPath, ['out/main.js'], { env });
    note(`TypeScript, resolved as by ${resolution}`, printed.trim());
  });

  test('Deno, on its own WebGPU', async ({ skip }) => {
    const deno = await runtimeProgram('deno');
    if (deno === undefined) return skip();
    const main = `import { Gpu } from 'webgpu-bnn';\nimport { first } from './first.js';
console.log(await first(await Gpu.request()));\nDeno.exit();`;
    const folder = (await install('Deno', { 'main.js': main, 'first.js': FIRST }, [])) ?? '';
    const libraries = await softwareAdapterFolder();
    const driver = join(libraries, 'vk_swiftshader_icd.json');
    const own = { LD_LIBRARY_PATH: libraries, VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver };
    note('Deno', (await run(folder, deno, ['run', '-A', 'main.js'], { env: own })).trim());
  });
});

test('all of them say the same', () => {
  expect(results.size).toBeGreaterThan(3);
  expect([...new Set(results.values())], JSON.stringify([...results], null, 1)).toHaveLength(1);
});
