/**
 * The package as its users get it: packed, installed in blank projects, and used there in Chrome, in Node and by the
 * type checker.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build as esbuild } from 'esbuild';
import { build, parseSync, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { encodeModel } from '../src/formats/index.ts';
import { initialValues } from '../src/graph/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { binaryMatMul } from '../src/reference/matmul.ts';
import { cnn } from '../src/zoo/index.ts';
import { launchChrome } from './helpers/chrome.ts';
import { expectClose } from './helpers/gpu.ts';
import { makeProject, packIn, run } from './helpers/package.ts';
import { runtimeProgram } from './helpers/runtimes.ts';
import { serveFolder, withoutDispose } from './helpers/static.ts';

const ROOT = resolve(import.meta.dirname, '..');
const [ROWS, COLUMNS, DEPTH] = [3, 5, 70];

/** Values with a pattern that a page can make without being told: the fractional part of i·φ, centred. */
const pattern = (count: number, offset: number) =>
  Float32Array.from({ length: count }, (_, i) => (((i + offset) * 0.6180339887) % 1) - 0.5);

/** What a user's program does with the library, in Chrome as in Node. */
const PROGRAM = `
import { ops, runOnce } from 'webgpu-bnn';

const pattern = ${pattern};

export async function product(gpu) {
  const x = gpu.tensor('x', [${ROWS}, ${DEPTH}], 'f32', pattern(${ROWS * DEPTH}, 1));
  const w = gpu.tensor('w', [${COLUMNS}, ${DEPTH}], 'f32', pattern(${COLUMNS * DEPTH}, 7));
  const run = await runOnce(gpu, 'product', (b) =>
    b.keep(ops.binaryMatMul(b, ops.packSigns(b, x), ops.packSigns(b, w), { dtype: 'i32' })));
  const values = [...await gpu.read(run.result)];
  for (const owner of [run, x, w]) owner[Symbol.dispose]();
  return { values, adapter: gpu.adapter.description, inUse: gpu.memory.bytes };
}
`;
const expected = [
  ...binaryMatMul(
    packSigns(pattern(ROWS * DEPTH, 1), ROWS, DEPTH),
    packSigns(pattern(COLUMNS * DEPTH, 7), COLUMNS, DEPTH),
    { m: ROWS, n: COLUMNS, k: DEPTH },
  ),
];

let work = '';
let tarball = '';
/** The folder that it was built in. */
let clone = '';

/** A blank project in which the tarball is installed. */
const project = (name: string, files: Readonly<Record<string, string>>) =>
  makeProject(join(work, name), files, [tarball]);

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'webgpu-bnn-package-'));
  // A name that a person may have.
  clone = join(work, "Käthe's 100%25 clone #1");
  tarball = await packIn(clone, ['test/random.test.ts', 'test/run.js']);
});

afterAll(() => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));

describe('a clone in a folder whose name is no part of an address', () => {
  test('its built files import each other without circles: what is defined at once needs what it takes in', () => {
    const built = join(clone, 'dist');
    const next = new Map(
      readdirSync(built)
        .filter((file) => file.endsWith('.js'))
        .map((file) => {
          const { module } = parseSync(file, readFileSync(join(built, file), 'utf8'));
          const asked = [
            ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
            ...module.staticExports.flatMap(({ entries }) =>
              entries.flatMap((entry) => entry.moduleRequest?.value ?? []),
            ),
          ];
          return [file, asked.filter((to) => to.startsWith('./')).map((to) => to.slice(2))] as const;
        }),
    );
    const done = new Set<string>();
    const visit = (file: string, chain: readonly string[]): void => {
      if (chain.includes(file)) expect.fail(`a circle: ${[...chain, file].join(' -> ')}`);
      if (done.has(file)) return;
      for (const to of next.get(file) ?? []) visit(to, [...chain, file]);
      done.add(file);
    };
    for (const file of next.keys()) visit(file, []);
    expect(next.size).toBeGreaterThan(100);
  });

  test('trains', async () => {
    const sizes = ['--epochs', '1', '--train-samples', '200', '--test-samples', '100'];
    const args = ['dist/cli.js', 'train', ...sizes, '--adapter', 'software'];
    const printed = await run(clone, process.execPath, args);
    expect(printed).toMatch(/weights +sha256 [0-9a-f]{64}/);
    expect(existsSync(join(clone, 'runs', 'mnist-mlp', 'report.html'))).toBe(true);
  });

  test('runs its tests', async () => {
    const args = ['run', '--reporter=json', '--maxWorkers=1', 'test/random.test.ts'];
    const printed = await run(clone, process.execPath, ['test/run.js', ...args]);
    expect(JSON.parse(printed.slice(printed.indexOf('{')))).toMatchObject({
      success: true,
      numFailedTests: 0,
    });
  });
});

/** What a page does with each part of the library that browsers load. @returns what it found, as JSON */
const USES = `
async function use({ main, inference, training, onnx, tflite, onnxruntime }, { tuning }) {
  const { cnn, encodeModel, initialValues, measureGeometry, mlp, ops } = main;
  const found = { names: [main, inference, training, onnx, tflite, onnxruntime].map((entry) => Object.keys(entry).length) };
  const gpu = await main.Gpu.request();
  const source = mlp({ input: [28, 28, 1], classes: 10, units: 64 });
  const values = initialValues(source, 4);
  const pixels = Uint8Array.from({ length: 784 }, (_, i) => (i * 37) % 256);
  const files = {
    onnx: onnx.exportOnnx(source, values),
    tflite: tflite.exportTflite(source, values),
    'webgpu-bnn': encodeModel(source, values),
  };
  found.scores = {};
  for (const [name, bytes] of Object.entries(files)) {
    const loaded = await inference.loadModel(URL.createObjectURL(new Blob([bytes])));
    const classifier = await loaded.createClassifier(await inference.Gpu.request());
    const { scores } = await classifier.classify(Float32Array.from(pixels, (byte) => byte / 127.5 - 1));
    found.scores[name] = [...scores];
    classifier.dispose();
  }
  found.stranger = (await main.loadModel('TFC_1W1A.onnx')).format;

  const split = { images: new Uint8Array(32 * 784).map((_, i) => i % 251), labels: new Uint8Array(32), count: 32 };
  const data = {
    ...{ name: 'stripes', classes: ['a', 'b'], image: [28, 28, 1], train: split, test: split },
    normalise: { scale: [1 / 255], shift: [0] },
  };
  const model = cnn({ input: data.image, classes: 2 });
  const trainer = await training.Trainer.create(await training.Gpu.request(), model, data, { batch: 16, epochs: 1 });
  await trainer.fit();
  found.angles = (await measureGeometry(trainer.network)).map(({ meanAngle }) => meanAngle);

  const small = mlp({ input: data.image, classes: 2, units: 32 });
  const bad = await main.Trainer.create(gpu, small, data, { batch: 16, epochs: 1 });
  const parameters = await bad.network.values();
  parameters.get('norm3/gamma').fill(NaN);
  await bad.network.load(parameters);
  found.bad = await bad.fit().then(() => 'nothing', ({ code, message }) => code + ': ' + message);
  if (tuning) found.tuned = (await ops.tune(gpu, { samples: 1 })).length;
  bad.dispose();
  gpu.dispose();
  return found;
}
`;

describe('a page without a bundler', () => {
  let folder = '';
  beforeAll(async () => {
    const browsers = Object.entries(manifest.exports).filter(
      ([entry]) => !['./nats', './node', './tfjs', './package.json'].includes(entry),
    );
    const installed = './node_modules/webgpu-bnn';
    const imports = Object.fromEntries(
      browsers.map(([entry, target]) => [
        join('webgpu-bnn', entry),
        `${installed}/${typeof target === 'string' ? target : target.default}`,
      ]),
    );
    const names = browsers.map(([entry]) => (entry === '.' ? 'main' : entry.slice(2)));
    const mapped = browsers.map(
      ([entry], i) => `import * as ${names[i]} from '${join('webgpu-bnn', entry)}';`,
    );
    const page = (script: string, head = '') =>
      `<!doctype html><link rel="icon" href="data:," />${head}<script type="module">${script}${USES}window.work = use.bind(null, all);</script>`;
    const all = `const all = { ${names.join(', ')} };`;
    const min = (name: string) => `${installed}/dist/webgpu-bnn${name}.min.js`;
    folder = await project('page', {
      'mapped.html': page(
        `${mapped.join('')}${all}`,
        `<script type="importmap">${JSON.stringify({ imports })}</script>`,
      ),
      // What has no file of its own comes from where it lies.
      'one-file.html': page(
        `import * as main from '${min('')}';
           import * as inference from '${min('-inference')}';
           import * as training from '${min('-training')}';
           import * as methods from '${installed}/dist/methods.js';
           import * as compare from '${installed}/dist/compare.js';
           import * as vectors from '${installed}/dist/vectors.js';
           import * as hypervectors from '${installed}/dist/hypervectors.js';
           import * as onnx from '${installed}/dist/onnx.js';
           import * as tflite from '${installed}/dist/tflite.js';
           import * as onnxruntime from '${installed}/dist/onnxruntime.js';
           ${all}`,
      ),
    });
    cpSync(join(ROOT, 'test/fixtures/qonnx-tfc/TFC_1W1A.onnx'), join(folder, 'TFC_1W1A.onnx'));
  });

  test.each([
    ['with an import map, where there is no Symbol.dispose', 'mapped.html', withoutDispose],
    ['with one file for each entry', 'one-file.html', undefined],
  ])('%s, runs files of every format, trains, measures and says what is wrong', async (_, name, edit) => {
    const tuning = edit !== undefined;
    await using server = await serveFolder(folder, { below: '/some/where/', ...(edit && { edit }) });
    await using chrome = await launchChrome();
    const { page, errors } = await chrome.open(`${server.url}/${name}`);
    const found = (await page.evaluate(`work({ tuning: ${tuning} })`)) as Record<string, unknown>;
    expect(found).toMatchObject({
      stranger: 'ONNX',
      bad: expect.stringMatching(/^non-finite: .*norm3\/gamma/s),
    });
    expect(Math.min(...(found.names as number[]))).toBeGreaterThan(1);
    const scores = Object.values(found.scores as Record<string, number[]>);
    expect(scores).toHaveLength(3);
    for (const each of scores) expectClose(each, scores[0] ?? [], 1e-4, 'scores');
    const angles = found.angles as number[];
    expect(angles.length).toBeGreaterThan(2);
    for (const angle of angles) expect(angle).toBeCloseTo(30, -1);
    if (tuning) expect(found.tuned).toBeGreaterThan(0);
    expect(errors).toEqual([]);
  });

  test('finds no name of a package in what browsers load', () => {
    const dist = join(folder, 'node_modules', 'webgpu-bnn', 'dist');
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      const { module } = parseSync(file, readFileSync(join(dist, file), 'utf8'));
      const text = readFileSync(join(dist, file), 'utf8');
      const next = [
        ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
        ...module.staticExports.flatMap(({ entries }) =>
          entries.flatMap((one) => one.moduleRequest?.value ?? []),
        ),
        ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => text.slice(start + 1, end - 1)),
      ];
      for (const name of next) {
        if (!name.startsWith('./')) expect.fail(`${file} imports ${name}`);
        visit(name.slice(2));
      }
    };
    for (const name of ['index', 'inference', 'training', 'onnx', 'tflite', 'onnxruntime'])
      visit(`${name}.js`);
    for (const name of ['', '-inference', '-training']) visit(`webgpu-bnn${name}.min.js`);
    expect(reached.size).toBeGreaterThan(100);
  });
});

describe('a blank Vite app', () => {
  let app = '';
  beforeAll(async () => {
    const files = {
      'index.html':
        '<!doctype html><link rel="icon" href="data:," /><script type="module" src="main.js"></script>',
      'main.js':
        "import { Gpu } from 'webgpu-bnn'; import { product } from './product.js'; window.product = async () => product(await Gpu.request());",
      'product.js': PROGRAM,
      'shaken.html': '<!doctype html><script type="module" src="shaken.js"></script>',
      'shaken.js': "import { ShapeError } from 'webgpu-bnn'; console.log(new ShapeError('one').code);",
    };
    app = await project('app', files);
  });

  /** Builds a page of the app. @returns the text of its scripts */
  async function bundle(page: string): Promise<string> {
    await build({
      configFile: false,
      root: app,
      logLevel: 'error',
      build: { target: 'es2023', emptyOutDir: true, rolldownOptions: { input: join(app, page) } },
    });
    const assets = join(app, 'dist', 'assets');
    return readdirSync(assets)
      .map((name) => readFileSync(join(assets, name), 'utf8'))
      .join('\n');
  }

  test('has the documentation beside the package: what README and its pages link to is there', () => {
    const root = join(app, 'node_modules', 'webgpu-bnn');
    const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' });
    const texts = [
      'README.md',
      ...pages.filter((name) => name.endsWith('.md')).map((name) => join('docs', name)),
    ];
    expect(texts.length).toBeGreaterThan(30);
    const missing = texts.flatMap((text) =>
      [...readFileSync(join(root, text), 'utf8').matchAll(/\]\(([^)#:]+\.md)[^)]*\)/g)]
        .map(([, to = '']) => join(dirname(text), to))
        .filter((to) => !existsSync(join(root, to)))
        .map((to) => `${text}: ${to}`),
    );
    expect(missing).toEqual([]);
  });

  test('imports the package, is built, and multiplies packed signs in Chrome', async () => {
    expect(await bundle('index.html')).toContain('@compute');
    const server = await preview({
      configFile: false,
      root: app,
      logLevel: 'error',
      preview: { host: '127.0.0.1', port: 0 },
    });
    try {
      await using chrome = await launchChrome();
      const { page, errors } = await chrome.open(server.resolvedUrls?.local[0] ?? '');
      const result = (await page.evaluate('product()')) as { values: number[]; inUse: number };
      expect(result).toMatchObject({ values: expected, inUse: 0 });
      expect(errors).toEqual([]);
    } finally {
      await server.close();
    }
  });

  test('ships only what it imports', async () => {
    const scripts = await bundle('shaken.html');
    expect(scripts).toContain('shape');
    expect(scripts.includes('@compute')).toBe(false);
    expect(scripts.length).toBeLessThan(4000);
  });
});

/**
 * What a page would import for a task, and the most that it may weigh in each bundler: kilobytes of gzip, of what it loads
 * at once. esbuild keeps in a chunk what any page of it needs of a module, so what pages share weighs more there.
 */
interface Task {
  readonly code: string;
  readonly vite: number;
  readonly esbuild: number;
}
const everythingOf = (entry: string) => `import * as all from '${entry}'; window.start = all;`;
const TASKS: Readonly<Record<string, Task>> = {
  'run models, and nothing else': { code: everythingOf('webgpu-bnn/inference'), vite: 35.2, esbuild: 37.7 },
  'train networks, and nothing else': {
    code: everythingOf('webgpu-bnn/training'),
    vite: 98.1,
    esbuild: 104.4,
  },
  'run a model': {
    code: "import { Gpu, loadModel } from 'webgpu-bnn'; window.start = { Gpu, loadModel };",
    vite: 34.8,
    esbuild: 42.3,
  },
  'train a network': {
    code: "import { Gpu, Trainer, mlp, fetchMnist, measureGeometry } from 'webgpu-bnn'; window.start = { Gpu, Trainer, mlp, fetchMnist, measureGeometry };",
    vite: 51.4,
    esbuild: 78.9,
  },
  'use everything of webgpu-bnn': { code: everythingOf('webgpu-bnn'), vite: 160.1, esbuild: 171.4 },
  'read ONNX': { code: everythingOf('webgpu-bnn/onnx'), vite: 56, esbuild: 58.1 },
  'read and write TensorFlow Lite': { code: everythingOf('webgpu-bnn/tflite'), vite: 58.8, esbuild: 60.7 },
  'take jobs of a queue': { code: everythingOf('webgpu-bnn/nats'), vite: 122.1, esbuild: 164.1 },
  'use it between sessions of ONNX Runtime': {
    code: everythingOf('webgpu-bnn/onnxruntime'),
    vite: 24.6,
    esbuild: 24.8,
  },
  'search among vectors': { code: everythingOf('webgpu-bnn/vectors'), vite: 19.9, esbuild: 21.8 },
  'classify hypervectors': { code: everythingOf('webgpu-bnn/hypervectors'), vite: 50.6, esbuild: 56.2 },
  'use it in TensorFlow.js': { code: everythingOf('webgpu-bnn/tfjs'), vite: 65.3, esbuild: 71 },
};

/** What a page that uses them has anyway. */
const PEERS = Object.keys(manifest.peerDependencies);

/** What a page does in Chrome, and the most that it may have downloaded when it is done. */
const PAGES: Readonly<Record<string, { readonly code: string; readonly limit: number }>> = {
  'predicted with a loaded model': {
    code: `
      import { Gpu, loadModel } from 'webgpu-bnn/inference';
      window.work = async () => {
        const loaded = await loadModel('model.safetensors');
        using gpu = await Gpu.request();
        const classifier = await loaded.createClassifier(gpu);
        const { scores } = await classifier.classify(new Uint8Array(784).fill(200), { pixels: '-1:1' });
        return [...scores];
      };`,
    limit: 77.2,
  },
  'trained a step': {
    code: `
      import { cnn, Gpu, Trainer } from 'webgpu-bnn';
      window.work = async () => {
        const split = { images: new Uint8Array(16 * 784).fill(200), labels: new Uint8Array(16), count: 16 };
        const data = {
          ...{ name: 'noise', classes: ['a', 'b'], image: [28, 28, 1], train: split, test: split },
          normalise: { scale: [1 / 255], shift: [0] },
        };
        using gpu = await Gpu.request();
        const model = cnn({ input: data.image, classes: 2 });
        using trainer = await Trainer.create(gpu, model, data, { batch: 16, epochs: 1 });
        return (await trainer.runSteps(1)).map(({ loss }) => loss);
      };`,
    limit: 119.5,
  },
};

describe('what a page downloads', () => {
  let app = '';
  beforeAll(async () => {
    const tasks = Object.values(TASKS).map(({ code }, index) => [`task${index}.js`, code]);
    const pages = Object.values(PAGES).flatMap(({ code }, index) => [
      [`page${index}.html`, `<!doctype html><script type="module" src="page${index}.js"></script>`],
      [`page${index}.js`, code],
    ]);
    app = await project('sizes', Object.fromEntries([...tasks, ...pages]));
  });

  const without = (names: ReadonlySet<string>, others: ReadonlySet<string>) =>
    new Set([...names].filter((name) => !others.has(name)));
  const kilobytes = (...files: readonly string[]) =>
    Math.round(files.reduce((sum, code) => sum + gzipSync(code, { level: 9 }).length, 0) / 100) / 10;

  /**
   * Size of the chunks that a page loads at once: the entry and what it imports, without what it imports on demand.
   * @param onDemand a built file: what the page loads when it asks for it, and has not loaded before
   * @param before a built file that it has asked for before
   */
  async function withVite(file: string, onDemand?: RegExp, before = /^$/): Promise<number> {
    const result = await build({
      configFile: false,
      root: app,
      logLevel: 'error',
      build: {
        target: 'es2023',
        write: false,
        rolldownOptions: { input: join(app, file), external: PEERS },
      },
    });
    const chunks = [result]
      .flat()
      .flatMap((bundle) => ('output' in bundle ? bundle.output : []))
      .flatMap((output) => (output.type === 'chunk' ? [output] : []));
    const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
    const loadedBy = (roots: typeof chunks) => {
      const loaded = new Set(roots.map(({ fileName }) => fileName));
      for (const name of loaded) for (const needed of byName.get(name)?.imports ?? []) loaded.add(needed);
      return loaded;
    };
    const atOnce = loadedBy(chunks.filter(({ isEntry }) => isEntry));
    const asked = (built?: RegExp) =>
      loadedBy(chunks.filter(({ facadeModuleId }) => built?.test(facadeModuleId ?? '')));
    const loaded = onDemand === undefined ? atOnce : without(without(asked(onDemand), atOnce), asked(before));
    return kilobytes(...[...loaded].map((name) => byName.get(name)?.code ?? ''));
  }

  async function withEsbuild(file: string, onDemand?: RegExp, before = /^$/): Promise<number> {
    const { outputFiles, metafile } = await esbuild({
      absWorkingDir: app,
      entryPoints: [file],
      bundle: true,
      minify: true,
      splitting: true,
      format: 'esm',
      target: 'es2023',
      write: false,
      metafile: true,
      outdir: 'out',
      logLevel: 'error',
      external: PEERS,
    });
    const byName = new Map(outputFiles.map(({ path, text }) => [relative(app, path), text]));
    const loadedBy = (isRoot: (entryPoint: string) => boolean) => {
      const loaded = new Set(
        Object.entries(metafile.outputs).flatMap(([name, { entryPoint = '' }]) =>
          isRoot(entryPoint) ? [name] : [],
        ),
      );
      for (const name of loaded) {
        for (const { path, kind } of metafile.outputs[name]?.imports ?? []) {
          if (kind === 'import-statement') loaded.add(path);
        }
      }
      return loaded;
    };
    const atOnce = loadedBy((entryPoint) => entryPoint === file);
    const loaded =
      onDemand === undefined
        ? atOnce
        : without(
            without(
              loadedBy((entryPoint) => onDemand.test(entryPoint)),
              atOnce,
            ),
            loadedBy((entryPoint) => before.test(entryPoint)),
          );
    return kilobytes(...[...loaded].map((name) => byName.get(name) ?? ''));
  }

  test.each(Object.entries(TASKS))('to %s, is small in Vite and in esbuild', async (task, limits) => {
    const file = `task${Object.keys(TASKS).indexOf(task)}.js`;
    const [vite, other] = [await withVite(file), await withEsbuild(file)];
    const allowed = `${limits.vite} and ${limits.esbuild} KB allowed`;
    console.log(`${task}: ${vite.toFixed(1)} KB with Vite, ${other.toFixed(1)} KB with esbuild (${allowed})`);
    expect(vite).toBeGreaterThan(1);
    expect(vite).toBeLessThanOrEqual(limits.vite);
    expect(other).toBeLessThanOrEqual(limits.esbuild);
  });

  /**
   * What `webgpu-bnn/inference` loads where there is no GPU, and what it loads beside that where there are several threads. The
   * engine runs what a file was folded to: what folds is there before it.
   */
  const FOLDING = /\/dist\/fold-[^/]+$/;
  test.each([
    ['the engine of the processor', /\/dist\/cpu-[^/]+$/, 14.7],
    ['its threads', /\/dist\/team-[^/]+$/, 2.5],
  ] as const)('%s is loaded when it is asked for, and is small', async (what, built, limit) => {
    const file = `task${Object.keys(TASKS).indexOf('run models, and nothing else')}.js`;
    const [vite, other] = [await withVite(file, built, FOLDING), await withEsbuild(file, built, FOLDING)];
    console.log(
      `${what}: ${vite.toFixed(1)} KB with Vite, ${other.toFixed(1)} KB with esbuild (${limit} KB allowed)`,
    );
    for (const size of [vite, other]) {
      expect(size).toBeGreaterThan(1);
      expect(size).toBeLessThanOrEqual(limit);
    }
  });

  test('until it has done something, is small altogether in Chrome', async () => {
    const model = cnn({ input: [28, 28, 1], classes: 10 });
    mkdirSync(join(app, 'public'));
    writeFileSync(join(app, 'public', 'model.safetensors'), encodeModel(model, initialValues(model, 7)));
    await using chrome = await launchChrome();
    for (const [index, [work, { limit }]] of Object.entries(PAGES).entries()) {
      const options = { configFile: false, root: app, logLevel: 'error' } as const;
      // Each on its own: what two pages of one build share, either downloads whole.
      await build({
        ...options,
        build: {
          target: 'es2023',
          emptyOutDir: true,
          rolldownOptions: { input: join(app, `page${index}.html`) },
        },
      });
      const server = await preview({ ...options, preview: { host: '127.0.0.1', port: 0 } });
      try {
        const { page, errors } = await chrome.open(`${server.resolvedUrls?.local[0]}page${index}.html`);
        const results = (await page.evaluate('work()')) as number[];
        expect(results.length).toBeGreaterThan(0);
        expect(results.every((value) => Number.isFinite(value))).toBe(true);
        const requested = (await page.evaluate(
          "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)",
        )) as string[];
        const scripts = requested.filter((path) => path.endsWith('.js'));
        const sizes = scripts.map((path) => kilobytes(readFileSync(join(app, 'dist', path), 'utf8')));
        const total = sizes.reduce((sum, size) => sum + size, 0);
        console.log(
          `a page that ${work}: ${total.toFixed(1)} KB in ${scripts.length} files (${limit} KB allowed)`,
        );
        expect(scripts.length).toBeGreaterThan(3);
        expect(total).toBeLessThanOrEqual(limit);
        expect(errors).toEqual([]);
        await page.close();
      } finally {
        await server.close();
      }
    }
  });
});

describe('a blank Node project', () => {
  let folder = '';
  beforeAll(async () => {
    const types = {
      'types.ts': `
        import { BnnError, type Dataset, decodeModel, Gpu, mlp, Network, ops, refitNormalization } from 'webgpu-bnn';
        import { loadModel } from 'webgpu-bnn/inference';
        import { requestGpu } from 'webgpu-bnn/node';
        import { splitOnnx } from 'webgpu-bnn/onnx';
        import { BinarySession } from 'webgpu-bnn/onnxruntime';
        import { importTflite } from 'webgpu-bnn/tflite';
        import { Trainer } from 'webgpu-bnn/training';
        export const [load, create, split, open] = [loadModel, Trainer.create, splitOnnx, BinarySession.create];
        export const read = importTflite;
        /** What people have is a plain Uint8Array, of which TypeScript doesn't know where it lies. */
        export async function plain(bytes: Uint8Array, floats: Float32Array): Promise<Float32Array<ArrayBuffer>> {
          const split = { images: bytes, labels: bytes, count: bytes.length };
          const dataset: Dataset = { name: '', classes: [], image: [1, 1, 1], train: split, test: split, normalise: { scale: [1], shift: [0] } };
          await Trainer.create(gpu, mlp({ input: dataset.image, classes: 10 }), dataset);
          decodeModel(bytes);
          await (await loadModel(bytes)).createClassifier(gpu).then((each) => each.classify(bytes));
          gpu.write(gpu.tensor('x', [1], 'f32', floats), floats);
          await refitNormalization(network, floats);
          return network.predict(floats);
        }
        export const gpu: Gpu = await requestGpu({ adapter: 'software' });
        export const network: Network = await Network.create(gpu, mlp({ input: [28, 28, 1], classes: 10 }), { seed: 1 });
        export const logits: Float32Array = await network.predict(new Float32Array(784));
        export const device: GPUDevice = gpu.device;
        // @ts-expect-error: an adapter that there is not
        requestGpu({ adapter: 'quantum' }).catch((error: unknown) => error instanceof BnnError);
        // @ts-expect-error: types reach the operations
        ops.packSigns('neither a builder', 'nor a tensor');
      `,
      'node16.json': tsconfig('Node16', 'Node16'),
      'bundler.json': tsconfig('ESNext', 'Bundler'),
    };
    const main = `
      import { requestGpu } from 'webgpu-bnn/node';
      import { product } from './product.js';
      const gpu = await requestGpu({ adapter: 'software' });
      console.log(JSON.stringify(await product(gpu)));
      gpu.dispose();
    `;
    const worker = `
      import { SHARE_ENV, Worker } from 'node:worker_threads';
      const file = new URL('main.js', import.meta.url);
      new Worker(file, process.argv[2] === 'share' ? { env: SHARE_ENV } : {});
    `;
    const files = { 'main.js': main, 'worker.js': worker, 'product.js': PROGRAM, ...types };
    folder = await project('node', files);
    const setup = ['--no-install', 'webgpu-bnn', 'setup', 'webgpu', 'software'];
    const printed = await run(folder, 'npx', setup);
    expect(printed).toMatch(/^in .*: npm install --no-audit --no-fund webgpu@/m);
  });

  function tsconfig(module: string, moduleResolution: string): string {
    const compilerOptions = {
      ...{ module, moduleResolution, target: 'ES2022', strict: true, noEmit: true },
      lib: ['ES2023', 'DOM', 'ESNext.Disposable'],
      typeRoots: [join(ROOT, 'node_modules', '@types')],
      types: ['node'],
    };
    return JSON.stringify({ compilerOptions, files: ['types.ts'] });
  }

  test('multiplies packed signs on the software adapter, and ends by itself', async () => {
    const result = JSON.parse(await run(folder, process.execPath, ['main.js']));
    expect(result).toMatchObject({ values: expected, inUse: 0 });
    expect(result.adapter).toMatch(/SwiftShader/);
  });

  test.each([
    ['a worker', async () => process.execPath, ['worker.js']],
    ['Bun', () => runtimeProgram('bun'), ['run', 'main.js']],
    ['Deno', () => runtimeProgram('deno'), ['run', '-A', 'main.js']],
  ] as const)(
    'where %s hides process.env from drivers, says what to set, and then computes',
    { timeout: 300_000 },
    async (host, find, args) => {
      const program = await find();
      // Said already.
      if (program === undefined) return;
      const refused = await run(folder, program, args).catch(String);
      expect(refused).toContain("software adapter is there, but WebGPU doesn't find it");
      expect(refused).toMatch(new RegExp(`given: +(${host} \\d|${host} of Node)`));
      const set = ['LD_LIBRARY_PATH', 'VK_DRIVER_FILES'].map(
        (name) => new RegExp(`\\b${name}=/\\S+`).exec(refused)?.[0] ?? `${name} is not named`,
      );
      const result = await run(folder, 'env', [...set, program, ...args]);
      expect(JSON.parse(result)).toMatchObject({ values: expected, inUse: 0 });
    },
  );

  test('a worker that shares the environment has the software adapter', async () => {
    const result = await run(folder, process.execPath, ['worker.js', 'share']);
    expect(JSON.parse(result)).toMatchObject({ values: expected, inUse: 0 });
  });

  test('has the command line', async () => {
    const help = await run(folder, 'npx', ['--no-install', 'webgpu-bnn', '--help']);
    for (const command of ['train', 'eval', 'data', 'doctor']) expect(help).toContain(command);
    expect((await run(folder, 'npx', ['--no-install', 'webgpu-bnn', '--version'])).trim()).toBe(
      manifest.version,
    );
  });

  test('has a doctor that finds the software adapter, and every bit right', async () => {
    const arguments_ = ['--no-install', 'webgpu-bnn', 'doctor', '--adapter', 'software', '--json'];
    const report = JSON.parse(await run(folder, 'npx', arguments_));
    expect(report.verdict).toBe('software');
    const probes = report.findings.map(({ probe, ok }: { probe: string; ok: boolean }) => [probe, ok]);
    expect(probes).toEqual(
      ['adapter', 'timestamps', 'matrix units', 'packing', 'XNOR-popcount'].map((name) => [name, true]),
    );
  });

  test.each(['node16', 'bundler'])('type-checks with moduleResolution %s', async (name) => {
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    expect(await run(folder, process.execPath, [tsc, '-p', `${name}.json`])).toBe('');
  });
});
