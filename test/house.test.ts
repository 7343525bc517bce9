/** The house: rooms import only from rooms on lower floors, without circles, and the browser entry needs nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseSync } from 'vite';
import { describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import * as main from '../src/index.ts';
import * as inference from '../src/inference.ts';
import { LAYER_KINDS } from '../src/layers/index.ts';
import * as training from '../src/training.ts';

const ROOT = resolve(import.meta.dirname, '..');

/** Floor of every room; a room may import from lower floors only. */
const FLOORS: Readonly<Record<string, number>> = {
  'src/errors.ts': 0,
  'src/npx.ts': 0,
  'src/dispose.ts': 0,
  'src/bytes.ts': 0.5,
  'src/json.ts': 0.5,
  'src/options.ts': 0.5,
  'src/pictures.ts': 0.5,
  shaders: 1,
  'src/gpu': 1,
  'src/numerics': 1,
  'src/reference': 1.5,
  'src/kernels': 2,
  'src/ops': 3,
  'src/methods': 4,
  'src/layers': 5,
  'src/graph': 6,
  'src/train': 6.5,
  'src/geometry': 6.5,
  'src/vectors': 6.6,
  'src/hypervectors': 6.65,
  'src/data': 6.4,
  'src/regimes': 6.7,
  'src/zoo': 6.8,
  'src/cpu': 6.8,
  'src/run': 6.9,
  'src/formats': 7,
  'src/interop': 7,
  'src/compare': 7.1,
  'src/bench': 7.2,
  'src/index.ts': 7.5,
  'src/inference.ts': 7.5,
  'src/methods.ts': 7.5,
  'src/compare.ts': 7.5,
  'src/training.ts': 7.5,
  'src/vectors.ts': 7.5,
  'src/reports': 7.6,
  'src/node': 7.8,
  'src/nats': 7.9,
  'src/cli': 8,
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
  /** Loaded when it is needed: `await import(...)`. */
  readonly dynamic: boolean;
}

const filesBelow = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
const files = filesBelow('src');
const imports = files.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const { module } = parseSync(file, text);
  const all = [
    ...module.staticImports.map((entry) => ({
      to: entry.moduleRequest.value,
      typeOnly: entry.entries.length > 0 && entry.entries.every(({ isType }) => isType),
      dynamic: false,
    })),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) =>
        moduleRequest ? [{ to: moduleRequest.value, typeOnly: isType, dynamic: false }] : [],
      ),
    ),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => ({
      to: text.slice(start, end).replace(/^(['"`])(.*)\1$/, '$2'),
      typeOnly: false,
      dynamic: true,
    })),
  ];
  return all.map((entry) => ({
    ...entry,
    from: file,
    to: entry.to.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), entry.to)) : entry.to,
  }));
}

/** A file without its comments that stand on lines of their own. */
function codeOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8').replace(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*)$/gm, '');
}

function roomOf(path: string): string | undefined {
  return Object.keys(FLOORS).find((room) => path === room || path.startsWith(`${room}/`));
}

describe('the house', () => {
  test('every file of src lies in a room', () => {
    expect(files.filter((file) => roomOf(file) === undefined)).toEqual([]);
    expect(imports.length).toBeGreaterThan(100);
  });

  test('rooms import from lower floors only', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [room, target] = [roomOf(from), roomOf(to)];
      if (room === undefined || target === undefined || room === target) return false;
      return !((FLOORS[target] ?? 0) < (FLOORS[room] ?? 0));
    });
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test('only kernels import shaders, and methods their own', () => {
    const rooms: Readonly<Record<string, string>> = {
      'src/kernels': 'shaders/',
      'src/methods': 'shaders/methods/',
    };
    const wrong = imports.filter(
      ({ from, to }) => to.endsWith('.wgsl') && !to.startsWith(rooms[roomOf(from) ?? ''] ?? 'nowhere'),
    );
    expect(wrong).toEqual([]);
  });

  test('only what checks results imports the reference: tests, the bench and the doctor', () => {
    const wrong = [...imports, ...filesBelow('demo').flatMap(importsOf)].filter(
      ({ from, to }) =>
        roomOf(to) === 'src/reference' &&
        !['src/reference', 'src/bench'].includes(roomOf(from) ?? '') &&
        from !== 'src/cli/doctor.ts',
    );
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
    expect(imports.some(({ from, to }) => from === 'src/cli/doctor.ts' && /reference/.test(to))).toBe(true);
  });

  test('the page takes nothing of Node and of the command line', () => {
    // Its build configuration runs in Node.
    const page = filesBelow('demo').filter((file) => !/vite\.config|-plugin/.test(file));
    const wrong = page
      .flatMap(importsOf)
      .filter(({ to }) => to.startsWith('node:') || ['src/node', 'src/cli'].includes(roomOf(to) ?? ''));
    expect(page.length).toBeGreaterThan(3);
    expect(wrong).toEqual([]);
  });

  test('only one file asks for Symbol.dispose, which Safari has not', () => {
    const browsers = [...files.filter((file) => !/^src\/(node|cli)\//.test(file)), ...filesBelow('demo')];
    const naming = browsers.filter((file) => /\bSymbol\.(async)?dispose/i.test(codeOf(file)));
    expect(naming).toEqual(['src/dispose.ts']);
  });

  test('no path of a file is taken from an address, where a space is %20 and a drive has a slash before it', () => {
    const all = ['src', 'shaders', 'demo', 'test'].flatMap(filesBelow);
    const own = all.filter((file) => file !== 'test/house.test.ts');
    const wrong = own.filter((file) =>
      /import\.meta\.url\s*\)\s*\.(pathname|href)|`file:\/\/\$\{/.test(codeOf(file)),
    );
    expect(own.length).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  });

  test('no page awaits at the top of a module: built, a part that it loads may be in the module that waits', () => {
    const waiting = filesBelow('demo').filter((file) => /^(\S.*\s)?await\s/m.test(codeOf(file)));
    expect(waiting).toEqual([]);
  });

  test('rooms ask for traits of layers, and never for a kind', () => {
    const rooms = ['src/graph', 'src/geometry', 'src/formats', 'src/interop', 'src/reports'];
    // What flows is of the kind `sign` too, and operators of other formats are of the kind `minimum`.
    const names = LAYER_KINDS.filter((kind) => !['sign', 'minimum', 'maximum'].includes(kind));
    const kinds = `'(${names.join('|')})'`;
    const asked = new RegExp(
      `(?<!product\\??\\.)\\bkind\\s*[!=]==?\\s*${kinds}|\\bcase ${kinds}|(?<!typeof )\\b(\\w+\\.)?layer\\.kind [!=]==?|\\bkind\\.(startsWith|endsWith)`,
    );
    const own = files.filter((file) => rooms.includes(roomOf(file) ?? ''));
    expect(own.filter((file) => asked.test(codeOf(file)))).toEqual([]);
    expect(asked.test("if (entry.layer.kind === 'sign')")).toBe(true);
  });

  test('the table of CONTRIBUTING has every room, from the lowest floor up', () => {
    const rows = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8').matchAll(/^\| \d+ \| (.*?) \|/gm);
    const rooms = [...rows].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+?)\/?`/g)].map(([, room = '']) => room),
    );
    const listed = rooms.filter((room) => room !== 'demo');
    expect([...listed].sort()).toEqual(Object.keys(FLOORS).sort());
    const floors = listed.map((room) => FLOORS[room] ?? 0);
    expect(floors).toEqual([...floors].sort((a, b) => a - b));
  });

  test('remedies say commands as they work without an installation for the whole machine', () => {
    const bare =
      /(?:remedy|expected):[^;{}]*?(?<!npx )webgpu-bnn (?:train|eval|runs?|report|convert|export|inspect|geometry|paper|data|doctor|setup|compare|methods|models|worker|vectors|bench|tune|kit)\b/;
    expect(files.filter((file) => bare.test(codeOf(file)))).toEqual([]);
    expect(bare.test("remedy: 'run webgpu-bnn doctor'")).toBe(true);
  });

  test('every pass has a test of its own', () => {
    const passes = filesBelow('src/graph/passes').filter((file) => !/(index|pass|products)\.ts$/.test(file));
    const tests = filesBelow('test/passes').map((file) => file.replace(/^.*\/|\.test\.ts$/g, ''));
    expect(tests.sort()).toEqual(passes.map((file) => file.replace(/^.*\/|\.ts$/g, '')).sort());
  });

  test('the device is asked through Gpu alone, so that what it refuses is a typed error', () => {
    const raw =
      /\b(?:device|queue|encoder|buffer|staging)\.(?:create[A-Z]\w*|mapAsync|getMappedRange|(?:push|pop)ErrorScope|writeBuffer|submit|onSubmittedWorkDone|beginComputePass|copyBufferToBuffer)\(/;
    // The peers of the bench have devices of their own; TensorFlow.js' pass belongs to it.
    const guests = ['src/gpu/context.ts', 'src/interop/tfjs/backend.ts'];
    const wrong = files.filter(
      (file) =>
        !guests.includes(file) &&
        !file.startsWith('src/bench/peers/') &&
        raw.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(wrong).toEqual([]);
    expect(raw.test(readFileSync(join(ROOT, 'src/gpu/context.ts'), 'utf8'))).toBe(true);
  });

  test('tools that do not read exports find the same types', () => {
    const types = Object.entries(manifest.exports).flatMap(([name, entry]) =>
      typeof entry === 'string' || name === '.' ? [] : [[name.slice(2), [entry.types]]],
    );
    expect(manifest.typesVersions['*']).toEqual(Object.fromEntries(types));
    expect(manifest.types).toBe(manifest.exports['.'].types);
  });

  test('there are no circles, of types either', () => {
    const next = new Map<string, string[]>();
    for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to]);
    const done = new Set<string>();
    const visit = (file: string, chain: readonly string[]): void => {
      if (chain.includes(file)) expect.fail(`a circle: ${[...chain, file].join(' -> ')}`);
      if (done.has(file)) return;
      for (const target of next.get(file) ?? []) visit(target, [...chain, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  /** What a file brings along, itself included, without what it loads when it is needed. */
  function reachedFrom(start: string): Set<string> {
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const { from, to, typeOnly, dynamic } of imports) {
        if (from === file && !typeOnly && !dynamic) visit(to);
      }
    };
    visit(start);
    return reached;
  }
  const isOurs = (path: string) => path.startsWith('src/') || path.startsWith('shaders/');

  const isShader = (path: string) => path.startsWith('shaders/');

  test('families of shaders are loaded when a kernel is compiled; only TensorFlow.js has them at once', () => {
    const families = imports.filter(({ to }) => isShader(to) && !to.startsWith('shaders/methods/'));
    expect(families.length).toBeGreaterThan(20);
    const wrong = families.filter(({ from, dynamic }) => {
      const isLoaded = dynamic && roomOf(from) === 'src/kernels';
      return !isLoaded && from !== 'src/interop/tfjs/shaders.ts';
    });
    expect(wrong).toEqual([]);
  });

  test('the browser entry reaches no package and nothing of Node', () => {
    expect([...reachedFrom('src/index.ts')].filter((path) => !isOurs(path))).toEqual([]);
  });

  test('the entry for queues reaches nothing of Node, so that pages may be workers', () => {
    const reached = [...reachedFrom('src/nats/open.ts')];
    expect(reached.filter((path) => path.startsWith('node:') || roomOf(path) === 'src/node')).toEqual([]);
    expect(reached).toContain('src/nats/work.ts');
  });

  test('the entries for one task have names of it, and the same things by them', () => {
    for (const entry of [inference, training]) {
      expect(Object.keys(entry).length).toBeGreaterThan(15);
      expect(main).toMatchObject(entry);
    }
  });

  test('it loads readers, rare layers and what trains when they are asked for, and nothing else', () => {
    const entry = reachedFrom('src/index.ts');
    const later = new Set(
      imports
        .filter(({ from, to, dynamic }) => dynamic && entry.has(from) && !isShader(to))
        .map(({ to }) => to),
    );
    const readers = ['src/formats/onnx.ts', 'src/formats/tflite/index.ts'];
    const rare = ['bnn-pynq', 'foreign', 'model-file', 'zip'].map((name) => `src/formats/${name}.ts`);
    const own = [
      ...rare,
      'src/cpu/index.ts',
      'src/data/pictures.ts',
      'src/graph/fold.ts',
      'src/layers/registry.ts',
      'src/methods/quantizers/others.ts',
      'src/pictures.ts',
      'src/train/augment.ts',
      'src/train/engine.ts',
    ];
    expect([...later].sort()).toEqual(['csv-parse/browser/esm/sync', 'fflate', ...readers, ...own].sort());
    for (const reader of readers) {
      const packages = [...reachedFrom(reader)].filter((path) => !isOurs(path));
      expect(packages.filter((name) => name.startsWith('node:'))).toEqual([]);
      expect(packages.length).toBeGreaterThan(0);
    }
  });
});
