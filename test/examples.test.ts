/**
 * The examples in `demo/examples/` and the studio, as they are built: pages in a real Chrome, from plain files in a folder of a static
 * server, where the engine has no `Symbol.dispose`, as Safari's hasn't; scripts in a project that installed the package.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ElementHandle, Page } from 'puppeteer-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeSafetensors } from '../src/formats/index.ts';
import { softwareAdapterFolder } from '../src/node/gpu.ts';
import { loadModel, readImage, requestGpu } from '../src/node/index.ts';
import { type Chrome, launchChrome } from './helpers/chrome.ts';
import { drawShapes } from './helpers/drawn-shapes.ts';
import { linkedCache, makeProject, packed, run } from './helpers/package.ts';
import { runtimeProgram } from './helpers/runtimes.ts';
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

/** What a page is given before its own scripts run. */
type Prepare = (page: Page) => Promise<unknown>;

/** Opens an example, and waits for its end. @returns what it logged */
async function outcome(name: string, more: { query?: string; prepare?: Prepare } = {}): Promise<string> {
  opened.add(`${name}.html`);
  const { page, errors } = await chrome.open('about:blank');
  await more.prepare?.(page);
  await page.goto(`${server.url}/examples/${name}.html${more.query ?? ''}`, { waitUntil: 'load' });
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

test('a page trains, and names digits that it has not seen', async () => {
  const text = await outcome('train');
  expect(Number(/held out: ([\d.]+) % of 1000/.exec(text)?.[1])).toBeGreaterThan(80);
  const [, named = '', truly = ''] = /ten digits: ([\d ]+), truly ([\d ]+)/.exec(text) ?? [];
  const right = named.split(' ').filter((digit, i) => digit === truly.split(' ')[i]).length;
  expect(right).toBeGreaterThan(6);
  expect(text).toMatch(/dense1\/kernel: 3\d\.\d degrees/);
});

test('a page classifies with a network that others trained', async () => {
  const text = await outcome('classify');
  expect(text).toContain('ONNX');
  // 92.96 % of all 10,000.
  expect(Number(/right: (\d+) of 1000/.exec(text)?.[1])).toBeGreaterThan(900);
});

test('a page learns a folder of pictures, hands the model over, and names a picture', async () => {
  const root = join(folder, 'my shapes');
  drawShapes(root, 0, 60, 20);
  writeFileSync(join(root, 'disc', 'notes.txt'), 'no picture');
  drawShapes(join(folder, 'others'), 900, 10, 20);
  const { page, errors } = await chrome.open(`${server.url}/examples/folder.html`);
  opened.add('folder.html');
  const downloads = join(folder, 'downloads');
  const session = await page.createCDPSession();
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads });
  const choose = async (input: string, ...paths: string[]) => {
    const handle = (await page.$(input)) as ElementHandle<HTMLInputElement>;
    await page.evaluate(() => {
      document.body.dataset.state = 'running';
    });
    await handle.uploadFile(...paths);
    await page.waitForFunction(() => document.body.dataset.state !== 'running', { polling: 100 });
    return page.$eval('#log', (element) => element.textContent ?? '');
  };
  const text = await choose('#folder', root);
  expect(text).toContain('my shapes: 144 pictures of cross, disc, hollow square; 36 for tests');
  expect(Number(/epoch 6: .* held out ([\d.]+) %/.exec(text)?.[1]), text).toBeGreaterThanOrEqual(90);
  await page.click('#model');
  const file = join(downloads, 'my shapes.onnx');
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 100));
  // The file knows the names, and how it takes bytes; pictures of another size are brought to its own.
  using gpu = await requestGpu({ adapter: 'software' });
  using classifier = await (await loadModel(file)).createClassifier(gpu);
  let right = 0;
  for (const name of ['cross', 'disc', 'hollow square']) {
    for (let i = 0; i < 10; i++) {
      const path = join(folder, 'others', name, `${900 + i}.png`);
      const { pixels } = await readImage(path, { height: 16, width: 16, channels: 3 });
      const { results } = await classifier.classify(pixels, { top: 1 });
      const named = results[0]?.[0]?.name ?? '';
      if (named === name) right += 1;
      // The page names it as Node does.
      if (i === 0) expect(await choose('#picture', path)).toContain(`${900 + i}.png: ${named}\n`);
    }
  }
  expect(right).toBeGreaterThanOrEqual(24);
  expect(errors).toEqual([]);
  expect(await page.evaluate(() => document.body.dataset.state)).toBe('done');
  await page.close();
});

/** A camera before which someone holds a one: dark ink on white paper. */
function holdOne(page: Page): Promise<unknown> {
  return page.evaluateOnNewDocument(() => {
    navigator.mediaDevices.getUserMedia = async () => {
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 224;
      const context = canvas.getContext('2d');
      const draw = () => {
        if (context === null) return;
        context.fillStyle = '#eee';
        context.fillRect(0, 0, 224, 224);
        context.fillStyle = '#111';
        context.fillRect(104, 40, 20, 144);
      };
      setInterval(draw, 30);
      draw();
      return canvas.captureStream();
    };
  });
}

test('a page names what it sees through the camera', async () => {
  expect(await outcome('camera', { prepare: holdOne })).toContain('first frame: it looks like 1');
});

test('a quantizer of a page is checked, and trains', async () => {
  const text = await outcome('quantizer');
  expect(text).toMatch(/agree on \d{3,} values/);
  for (const name of ['steSign', 'cubic']) {
    expect(Number(new RegExp(`${name}: ([\\d.]+) %`).exec(text)?.[1]), name).toBeGreaterThan(75);
  }
});

test('a page measures the filters of a file: its own, and one that it downloads', async () => {
  const text = await outcome('geometry');
  expect(text).toMatch(/conv\.weight: 64 filters, 37\.\d\d degrees, expected 36\.\d\d|expected 37\.\d\d/);
  const weights = Float32Array.from({ length: 4 * 100 }, (_, i) => (i % 2 === 0 ? 0.5 : -0.5));
  const file = encodeSafetensors({ 'signs.weight': { dtype: 'F32', shape: [4, 100], data: weights } });
  writeFileSync(join(folder, 'signs.safetensors'), file);
  const downloaded = await outcome('geometry', { query: '?file=../signs.safetensors' });
  // Weights that are their own signs.
  expect(downloaded).toContain('signs.weight: 4 filters, 0.00 degrees');
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

test('the studio trains, and shows the angles of its layers', async () => {
  const { page, errors } = await chrome.open(`${server.url}/?images=500&heldOut=100&epochs=1&batch=50`);
  const reach = (wanted: string) =>
    page.waitForFunction((state) => document.body.dataset.state === state, {}, wanted);
  const angle = async () => {
    await page.click('nav a[href="#/weights"]');
    await page.waitForSelector('#layers tbody td');
    const text = await page.$eval('#layers tbody td:nth-of-type(2)', ({ textContent }) => textContent ?? '');
    await page.click('nav a[href="#/train"]');
    await page.waitForSelector('#toggle');
    return Number.parseFloat(text);
  };
  await reach('ready');
  const before = await angle();
  expect(before).toBeCloseTo(30, 0);
  await page.click('#toggle');
  await reach('finished');
  expect(await angle()).toBeGreaterThan(before);
  expect(errors).toEqual([]);
  await page.close();
});

describe('in a project that installed the package', () => {
  let project = '';
  let env: Readonly<Record<string, string>> = {};
  beforeAll(async () => {
    project = mkdtempSync(join(tmpdir(), 'webgpu-bnn-scripts-'));
    await makeProject(project, {}, [await packed()]);
    env = linkedCache(join(project, 'cache'));
  }, 300_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  /** Runs a script as its first lines say. @returns what it printed */
  async function printed(
    name: string,
    program: string = process.execPath,
    ...args: string[]
  ): Promise<string> {
    opened.add(name);
    cpSync(join(DEMO, 'examples', name), join(project, name));
    return run(project, program, [...args, name], { env });
  }

  test('a script of Node trains, saves as ONNX, and runs what it saved', async () => {
    const text = await printed('node.mjs');
    expect(Number(/held out: ([\d.]+)/.exec(text)?.[1])).toBeGreaterThan(0.8);
    expect(Number(/digits\.onnx: (\d+) of 500 right/.exec(text)?.[1])).toBeGreaterThan(400);
  });

  test('a script compares quantizers over seeds', async () => {
    const text = await printed('sweep.mjs');
    for (const name of ['steSign', 'approxSign', 'swishSign']) {
      const [, mean] = new RegExp(`${name} +([\\d.]+) % \\+- [\\d.]+ over 3 seeds`).exec(text) ?? [];
      expect(Number(mean), name).toBeGreaterThan(60);
    }
  });

  test('a script of Deno trains on its WebGPU', { timeout: 300_000 }, async ({ skip }) => {
    opened.add('deno.mjs');
    const deno = await runtimeProgram('deno');
    if (deno === undefined) return skip();
    const libraries = await softwareAdapterFolder();
    const driver = join(libraries, 'vk_swiftshader_icd.json');
    env = { ...env, LD_LIBRARY_PATH: libraries, VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver };
    const text = await printed('deno.mjs', deno, 'run', '-A');
    expect(Number(/held out: ([\d.]+)/.exec(text)?.[1])).toBeGreaterThan(0.9);
  });
});

test('no example is left out, and each is short', () => {
  const all = readdirSync(join(DEMO, 'examples'));
  const examples = all.filter((name) => /\.(html|mjs)$/.test(name));
  expect([...opened].sort()).toEqual(examples.sort());
  expect(examples.length).toBeGreaterThanOrEqual(12);
  const list = readFileSync(join(DEMO, 'examples', 'README.md'), 'utf8');
  for (const name of all.filter((file) => /\.(ts|mjs)$/.test(file))) {
    const lines = readFileSync(join(DEMO, 'examples', name), 'utf8')
      .trimEnd()
      .split('\n').length;
    expect(lines, name).toBeLessThan(100);
  }
  for (const name of examples) expect(list).toContain(`(${name.replace('.html', '.ts')})`);
});
