/** Files made to do harm: none may act, none may cost much, and what is said of them steers nothing. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { inflateSync, zipSync } from 'fflate';
import { parseSync } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mnistFiles } from '../demo/mnist-plugin.ts';
import { FormatError } from '../src/errors.ts';
import { decodeCheckpoint } from '../src/formats/checkpoint.ts';
import { decodeModel, encodeModel } from '../src/formats/model-file.ts';
import { decodeNotes } from '../src/formats/notes.ts';
import { decodeSafetensors, encodeSafetensors } from '../src/formats/safetensors.ts';
import { readZipWith } from '../src/formats/zip.ts';
import { initialValues, sequential } from '../src/graph/index.ts';
import { parseJson } from '../src/json.ts';
import { flatten, quantDense } from '../src/layers/index.ts';
import { serve } from '../src/node/bench-page.ts';
import { openModel } from '../src/node/tensors.ts';
import { LOG_FILES } from '../src/node/training-log.ts';
import { csvCell, csvOf } from '../src/reports/csv.ts';
import { html } from '../src/reports/html.ts';
import { draw, figure } from '../src/reports/plots.ts';
import { parseStory } from '../src/reports/story.ts';
import { parseSurvey } from '../src/reports/survey.ts';
import { attack } from './helpers/attack.ts';
import { buildCli, runCli } from './helpers/cli.ts';

const ROOT = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything below a folder, with its contents. */
function treeOf(path: string): Record<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8', withFileTypes: true });
  return Object.fromEntries(
    names
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, readFileSync(file).toString('base64')]),
  );
}

const STORY = {
  run: {
    ...{ dataset: 'mnist', model: 'mlp', epochs: 1, batch: 100, optimizer: 'adam', loss: 'squaredHinge' },
    ...{ lr: { from: 0.02, to: 0.001, decay: 'exponential' }, seed: 1, fanScaled: false, augment: false },
  },
  initial: [{ name: 'dense1/kernel', angleDegrees: 30 }],
  epochs: [],
};

describe('a file may not act', () => {
  let cli = '';
  beforeAll(async () => {
    cli = await buildCli();
  });

  test('train --resume and paper of a checkpoint that names folders write beside it only', async () => {
    const victim = join(folder, 'victim');
    mkdirSync(victim);
    writeFileSync(join(victim, 'checkpoint.safetensors'), 'of great value');
    const home = join(folder, 'home');
    const small = ['--train-samples', '200', '--test-samples', '100', '--epochs', '1'];
    expect((await runCli(cli, ['train', ...small, '--out', home])).code).toBe(0);
    const bytes = new Uint8Array(readFileSync(join(home, 'checkpoint.safetensors')));
    const { tensors, metadata } = decodeSafetensors(bytes, 'checkpoint');
    const story = JSON.parse(metadata.story ?? '');
    const elsewhere = {
      ...{ folder: victim, out: victim, checkpoint: join(victim, 'x'), resume: victim },
      ...{ json: join(victim, 'report.json'), html: join(victim, 'x.html'), quiet: true, overwrite: true },
    };
    const evil = { ...elsewhere, ...story, run: { ...story.run, ...elsewhere } };
    const downloads = join(folder, 'downloads');
    mkdirSync(downloads);
    const file = join(downloads, 'evil.safetensors');
    writeFileSync(
      file,
      encodeSafetensors(Object.fromEntries(tensors), { ...metadata, story: JSON.stringify(evil) }),
    );
    const before = treeOf(victim);

    const resumed = await runCli(cli, ['train', '--resume', file]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stdout).toContain(join(downloads, '{checkpoint.safetensors'));
    const measured = await runCli(cli, ['paper', file, '--images', '10', '--refit', '50']);
    expect(measured.code, measured.stderr).toBe(0);
    expect(treeOf(victim)).toEqual(before);
    const written = ['evil.safetensors', 'paper.html', 'paper.json', 'report.html', 'report.json'];
    expect(readdirSync(downloads).sort()).toEqual([...written, ...Object.values(LOG_FILES)].sort());

    // Nor does a name become a path: there is no data set of this one, and nobody looks for a folder.
    const path = { ...story, run: { ...story.run, dataset: '../../victim' } };
    writeFileSync(
      file,
      encodeSafetensors(Object.fromEntries(tensors), { ...metadata, story: JSON.stringify(path) }),
    );
    for (const command of [
      ['train', '--resume', file],
      ['paper', file, '--overwrite'],
    ]) {
      const { code, stderr } = await runCli(cli, command);
      expect(stderr).toMatch(/FormatError: The record of the run is malformed[\s\S]*run\.dataset = "/);
      expect(code).toBe(1);
    }
  });

  test('names that steer terminals are printed in words: inspect, geometry, and their errors', async () => {
    const name = 'evil\x1b[2J\x1b]0;owned\x07\u009b31m\u202e';
    const model = sequential(
      [flatten({ name: 'flat' }), quantDense({ name, units: 3, kernelQuantizer: 'steSign' })],
      { input: [4, 4, 1] },
    );
    const file = join(folder, 'terminal.safetensors');
    writeFileSync(file, encodeModel(model, initialValues(model, 1), { classes: ['\x1b[31mred', 'b', 'c'] }));
    const tensors = join(folder, 'tensors.safetensors');
    const weights = { dtype: 'F32', shape: [4, 9], data: new Float32Array(36).fill(0.5) } as const;
    const formula = '=HYPERLINK("http://evil")';
    writeFileSync(tensors, encodeSafetensors({ [name]: weights, [formula]: weights, '-1': weights }));
    const csv = join(folder, 'tensors.csv');
    const runs = [
      await runCli(cli, ['inspect', file]),
      await runCli(cli, ['inspect', file, '--json']),
      await runCli(cli, ['geometry', tensors, '--csv', csv]),
      await runCli(cli, ['geometry', tensors, '--json', '-']),
      await runCli(cli, ['run', file, '--dataset', 'mnist', '--samples', '2']),
      await runCli(cli, ['inspect', `${file}${name}`]),
      await runCli(cli, ['train', '--resume', `${file}${name}`]),
    ];
    for (const { stdout, stderr } of runs) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(stdout + stderr).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
      expect((stdout + stderr).length).toBeGreaterThan(40);
    }
    expect(runs[0]?.stdout).toContain('evil\\u001b[2J');
    expect(JSON.parse(runs[1]?.stdout ?? '').graph[1].name).toBe(name);
    expect(JSON.parse(runs[3]?.stdout ?? '').layers).toHaveLength(3);
    const lines = readFileSync(csv, 'utf8').split('\r\n');
    expect(lines.filter((line) => /^"?[=+\-@\t]/.test(line))).toEqual([]);
    expect(lines.some((line) => line.startsWith(`"'=HYPERLINK(""http://evil"")",4x9,f32,4,9,`))).toBe(true);
    expect(lines.some((line) => line.startsWith("'-1,4x9"))).toBe(true);
  });

  test('messages fit a screen, whatever stands in them', () => {
    for (const text of ['\x1b'.repeat(1e6), 'x'.repeat(1e6), '\u202e'.repeat(700)]) {
      const { message } = new FormatError('What.', {
        given: text,
        expected: text,
        where: text,
        remedy: text,
      });
      expect(message.length).toBeLessThan(4000);
    }
  });

  test('cells of a table: formulas are text, numbers stay numbers', () => {
    expect(['=1+1', '+1', '-1', '@x', '\tx', '\rx', 'a=1', ''].map(csvCell)).toEqual([
      ...["'=1+1", "'+1", "'-1", "'@x", "'\tx", '"\'\rx"', 'a=1', ''],
    ]);
    expect(csvOf([[-1, -0.5, 1e-7, [3, 3], undefined, true]])).toBe('-1,-0.5,1e-7,3x3,,true\r\n');
  });

  test('requests that are none end no server', async () => {
    const dist = join(folder, 'dist');
    mkdirSync(dist);
    writeFileSync(join(dist, 'bench.js'), 'of the library');
    writeFileSync(join(folder, 'secret.js'), 'of the owner');
    const server = await serve(dist);
    const ask = (target: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
        let answer = '';
        socket.on('data', (chunk) => {
          answer += chunk;
        });
        socket.on('close', () => resolve(answer)).on('error', reject);
        socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      });
    try {
      for (const target of ['/%', '/%ff', '//', '///', '/%00', '*', 'http://other/', '/dist/%', '/npm/%2e']) {
        expect(await ask(target), target).toMatch(/^HTTP\/1\.1 (400|404) /);
      }
      for (const target of ['/dist/../secret.js', '/dist/..%2fsecret.js', '/dist/%2e%2e/secret.js']) {
        expect(await ask(target), target).not.toContain('of the owner');
      }
      expect(await ask('/dist/bench.js')).toContain('of the library');
      expect(await ask('/')).toMatch(/^HTTP\/1\.1 200 [\s\S]*importmap/);
    } finally {
      await server.close();
    }
  });

  test('nor the one of the page, while it is developed', async () => {
    type Handler = (request: { url: string }, response: object, next: () => void) => Promise<void>;
    const handlers: Handler[] = [];
    const { configureServer } = mnistFiles() as unknown as { configureServer: (server: object) => void };
    configureServer({ middlewares: { use: (handler: Handler) => handlers.push(handler) } });
    let passed = 0;
    for (const url of ['/%', '//', '/mnist/%']) await handlers[0]?.({ url }, {}, () => passed++);
    expect(passed).toBe(3);
  });
});

describe('pages', () => {
  const evil = `$&$\`$' {a|b} {c} "><script>alert(1)</script><img src=x onerror=alert(1)>`;

  test('the template escapes everything, numbers and lists too, and labels are what they were', () => {
    expect(html`<b title="${evil}">${[1, evil]}</b>`.toString()).not.toMatch(/<script|<img|"">/);
    const lying = { toString: () => '<script>' } as unknown as string;
    expect(html`${lying}`.toString()).not.toContain('<script');
    const plot = draw(200, {
      xAxis: { type: 'category', data: [evil] },
      yAxis: { type: 'value', name: evil },
      series: [
        { type: 'line', name: evil, data: [1] },
        { type: 'line', name: 'b', data: [2] },
      ],
    });
    const text = figure(evil, evil, plot).toString();
    expect(text).not.toMatch(/<script|<img/);
    const shown = text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    expect(shown).toContain(`aria-label="${evil}. ${evil}"`);
    expect(shown.split(evil).length).toBeGreaterThan(5);
  });

  /** Nodes of a syntax tree. */
  function* nodesOf(value: unknown, parent?: Record<string, unknown>): Generator<Record<string, unknown>> {
    if (Array.isArray(value)) for (const entry of value) yield* nodesOf(entry, parent);
    else if (typeof value === 'object' && value !== null) {
      const node = value as Record<string, unknown>;
      if (typeof node.type === 'string') yield { ...node, parent };
      for (const [key, child] of Object.entries(node)) if (key !== 'parent') yield* nodesOf(child, node);
    }
  }
  const sources = ['src', 'demo', 'shaders'].flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(room, name)),
  );
  const treeOfSource = (file: string) => parseSync(file, readFileSync(join(ROOT, file), 'utf8')).program;

  test('nothing but the template makes HTML', () => {
    // Pages without anything from outside: the one that the benchmark runs in, and a list of fonts.
    const constant = ['src/node/bench-page.ts', 'src/node/chrome.ts'];
    // `layer.<name>` and the like are words for people, and so is the `<path>` of an option.
    const tag =
      /<\/?(a|b|br|body|div|figure|g|h\d|head|html|i|img|p|path|rect|script|section|span|style|svg|t[dhr]|table|text)\b[^<>]*>/;
    const wrong = sources
      .filter((file) => !constant.includes(file))
      .flatMap((file) =>
        [...nodesOf(treeOfSource(file))].flatMap(({ type, value, quasis, parent }) => {
          const { tag: function_, type: above } = (parent ?? {}) as {
            tag?: { name?: string };
            type?: string;
          };
          if (above === 'TaggedTemplateExpression' && function_?.name === 'html') return [];
          const parts = quasis as { value: { raw: string } }[] | undefined;
          const text =
            type === 'TemplateLiteral'
              ? (parts?.map((part) => part.value.raw).join('…') ?? '')
              : type === 'Literal' && typeof value === 'string'
                ? value
                : '';
          return tag.test(text.replace(/^--\w+ <path>$/, '')) ? [`${file}: ${text.slice(0, 60)}`] : [];
        }),
      );
    expect(wrong).toEqual([]);
    const unsafe = ['<b>', `x <img src=x>`, '</td>'];
    expect(unsafe.every((text) => tag.test(text))).toBe(true);
  });

  test('markup that is taken as it stands is made where it is marked', () => {
    const callers = sources.filter((file) =>
      /\b(ourMarkup|Html\.of)\(/.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(callers.sort()).toEqual(['src/reports/html.ts', 'src/reports/page.ts', 'src/reports/plots.ts']);
  });

  test('nothing replaces by a text in which $ has a meaning', () => {
    const wrong = sources.flatMap((file) =>
      [...nodesOf(treeOfSource(file))].flatMap((node) => {
        const callee = node.callee as { property?: { name?: string } } | undefined;
        if (node.type !== 'CallExpression' || !/^replace(All)?$/.test(callee?.property?.name ?? ''))
          return [];
        const [, replacement] = node.arguments as { type: string; start: number; end: number }[];
        const isSafe =
          replacement === undefined ||
          ['Literal', 'ArrowFunctionExpression', 'Identifier'].includes(replacement.type);
        return isSafe ? [] : [`${file}: ${JSON.stringify(replacement.type)}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test('JSON of files is parsed in one place', () => {
    const own = ['src/json.ts', 'src/node/bench-page.ts', 'src/node/gpu.ts', 'src/node/datasets.ts'];
    const more = ['src/node/choices.ts', 'src/formats/safetensors.ts', 'src/reports/page.ts'];
    // A page's answer, a package's manifest, what npm prints, a text that was just written, one key; the page's own script.
    const callers = sources.filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('JSON.parse('));
    expect(callers.filter((file) => file.startsWith('src/')).sort()).toEqual([...own, ...more].sort());
  });
});

describe('malformed records', () => {
  const changed = (change: (story: typeof STORY & Record<string, unknown>) => void) => {
    const copy = structuredClone(STORY) as typeof STORY & Record<string, unknown>;
    change(copy);
    return JSON.stringify(copy);
  };

  test('what is right is read, and nothing else comes along', () => {
    const text = changed((story) => Object.assign(story.run, { out: '/etc', __proto__: null, toggles: 'x' }));
    expect(parseStory(text, 'x')).toEqual(STORY);
  });

  test.each<[string, string, RegExp]>([
    ['no JSON', '{"run": ', /JSON/],
    ['a list', '[]', /all of it|run/],
    ['nothing', 'null', /all of it/],
    ['no run', '{}', /run/],
    ['a path for a data set', changed((s) => Object.assign(s.run, { dataset: '../x' })), /run\.dataset/],
    ['a URL for a model', changed((s) => Object.assign(s.run, { model: 'http://x' })), /run\.model/],
    ['markup for a number', changed((s) => Object.assign(s.run, { epochs: '<b>' })), /run\.epochs/],
    ['half an epoch', changed((s) => Object.assign(s.run, { epochs: 1.5 })), /run\.epochs/],
    ['a batch of nothing', changed((s) => Object.assign(s.run, { batch: 0 })), /run\.batch/],
    ['an unknown optimizer', changed((s) => Object.assign(s.run, { optimizer: 'x' })), /run\.optimizer/],
    ['a negative rate', changed((s) => Object.assign(s.run, { lr: -1 })), /run\.lr/],
    ['a seed beyond', changed((s) => Object.assign(s.run, { seed: 2 ** 32 })), /run\.seed/],
    ['an epoch of text', changed((s) => Object.assign(s, { epochs: ['x'] })), /epochs\.0/],
    ['a list of a million', changed((s) => Object.assign(s, { initial: Array(1e6).fill(0) })), /initial/],
  ])('%s', (_, text, message) => {
    expect(() => parseStory(text, 'evil')).toThrow(FormatError);
    expect(() => parseStory(text, 'evil')).toThrow(message);
  });

  test('surveys', () => {
    for (const text of ['', '{}', '{"version":1,"layers":[]}', '{"version":1,"key":{},"layers":[{}]}']) {
      expect(() => parseSurvey(text, 'evil')).toThrow(FormatError);
    }
  });

  test('a checkpoint of other progress', () => {
    const of = (progress: unknown) =>
      encodeSafetensors(
        {},
        {
          ...{ kind: 'webgpu-bnn checkpoint', version: '1' },
          progress: typeof progress === 'string' ? progress : JSON.stringify(progress),
        },
      );
    const right = {
      step: 1,
      epoch: 0,
      batch: 1,
      lossSum: 1,
      correct: 1,
      count: 2,
      seconds: 1,
      history: [],
      fixed: {},
    };
    const { checkpoint } = decodeCheckpoint(of({ ...right, folder: '/etc', history: [] }), 'x');
    expect(checkpoint.progress).toEqual(right);
    for (const wrong of [
      '',
      'null',
      '[]',
      { ...right, step: -1 },
      { ...right, history: [{}] },
      { ...right, fixed: [] },
      { ...right, seconds: null },
    ]) {
      expect(() => decodeCheckpoint(of(wrong), 'x')).toThrow(FormatError);
    }
  });
});

describe('JSON nested 4,500 deep', () => {
  const deep = `${'['.repeat(4500)}${']'.repeat(4500)}`;
  const deeper = `${'{"a":'.repeat(4500)}1${'}'.repeat(4500)}`;

  test('is refused everywhere, by an error of ours', async () => {
    expect(() => parseJson(deep)).toThrow(SyntaxError);
    expect(parseJson('{"a": "[[[[{{{{\\"[", "b": [[1]]}')).toEqual({ a: '[[[[{{{{"[', b: [[1]] });
    const metadata = { kind: 'webgpu-bnn model', version: '1' };
    for (const text of [deep, deeper, `{"name":"x","input":[1],"layers":${deep}}`]) {
      const header = new TextEncoder().encode(text);
      const file = new Uint8Array(8 + header.length);
      new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
      file.set(header, 8);
      expect(() => decodeSafetensors(file, 'x')).toThrow(FormatError);
      expect(() => decodeModel(encodeSafetensors({}, { ...metadata, model: text }))).toThrow(FormatError);
      expect(() => decodeNotes(new Map([['webgpu_bnn.classes', text]]), 'x')).toThrow(FormatError);
      expect(() => decodeNotes(new Map([['webgpu_bnn.pixels', text]]), 'x')).toThrow(FormatError);
      expect(() => parseStory(text, 'x')).toThrow(FormatError);
      expect(() => parseSurvey(text, 'x')).toThrow(FormatError);
      const index = join(folder, 'deep.safetensors.index.json');
      writeFileSync(index, text);
      await expect(openModel(index)).rejects.toThrow(FormatError);
    }
  });
});

describe('what files of many small things hold', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const inUse = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const headed = (text: string) => {
    const header = new TextEncoder().encode(text);
    const file = new Uint8Array(8 + header.length);
    new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
    file.set(header, 8);
    return file;
  };
  const times = (count: number, make: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => make(i)).join();
  const tensor = (index: number) => `"${index}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`;
  const layerOf = (index: number) => `{"name":"${index}","kind":"sign","config":{},"inputs":[${index - 1}]}`;
  const layers = `{"name":"x","input":[1],"layers":[${times(4096, layerOf)}]}`;
  const epoch = JSON.stringify({
    ...{ epoch: 1, trainLoss: 1, trainAccuracy: 1, testLoss: 1, testAccuracy: 1, learningRate: 1 },
    ...{ seconds: 1, imagesPerSecond: 1, layers: [] },
  });

  // What SECURITY.md says.
  test.each<[string, Uint8Array<ArrayBuffer> | string, (content: never) => unknown]>([
    [
      'tensors',
      headed(`{${times(20_000, tensor)}}`),
      (bytes: Uint8Array<ArrayBuffer>) => decodeSafetensors(bytes, 'x'),
    ],
    [
      'metadata',
      headed(`{"__metadata__":{${times(100_000, (index) => `"${index}":""`)}}}`),
      (bytes: Uint8Array<ArrayBuffer>) => decodeSafetensors(bytes, 'x'),
    ],
    [
      'layers',
      encodeSafetensors({}, { kind: 'webgpu-bnn model', version: '1', model: layers }),
      (bytes: Uint8Array<ArrayBuffer>) => decodeModel(bytes),
    ],
    [
      'epochs',
      JSON.stringify(STORY).replace('"epochs":[]', () => `"epochs":[${times(6000, () => epoch)}]`),
      (text: string) => parseStory(text, 'x'),
    ],
    [
      'classes',
      `[${times(200_000, () => '""')}]`,
      (text: string) => decodeNotes(new Map([['webgpu_bnn.classes', text]]), 'x'),
    ],
  ])('%s: at most 48 bytes for one', (_, content, read) => {
    expect(content.length).toBeGreaterThan(200_000);
    const before = inUse();
    const result = read(content as never);
    const held = inUse() - before;
    expect(result).toBeDefined();
    expect(held).toBeLessThan(48 * content.length);
  });
});

describe('archives that grow', () => {
  const crc = (bytes: Uint8Array) =>
    new DataView(zipSync({ a: bytes }, { level: 0 }).buffer).getUint32(14, true);
  const zeros = new Uint8Array(2 ** 20);
  const packed = deflateRawOf(zeros);
  const sum = crc(zeros);

  function deflateRawOf(bytes: Uint8Array): Uint8Array {
    const zip = zipSync({ a: bytes }, { level: 9 });
    const view = new DataView(zip.buffer);
    const start = 30 + view.getUint16(26, true) + view.getUint16(28, true);
    return zip.slice(start, start + view.getUint32(18, true));
  }

  interface Member {
    readonly name: string;
    readonly data: Uint8Array;
    readonly size: number;
    /** Offset of a header that is there already. */
    readonly at?: number;
    /** Sizes and offset in the field of 64-bit numbers. */
    readonly wide?: boolean;
  }

  /** An archive as it is written by hand. */
  function archiveOf(
    members: readonly Member[],
    options: { readonly wideEnd?: boolean } = {},
  ): Uint8Array<ArrayBuffer> {
    const parts: Uint8Array[] = [];
    let length = 0;
    const push = (bytes: Uint8Array) => {
      parts.push(bytes);
      length += bytes.length;
    };
    const fields = (...values: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]) => {
      const bytes = new Uint8Array(values.reduce((all, [width]) => all + width, 0));
      const view = new DataView(bytes.buffer);
      let at = 0;
      for (const [width, value] of values) {
        if (width === 2) view.setUint16(at, value, true);
        else if (width === 4) view.setUint32(at, value, true);
        else view.setBigUint64(at, BigInt(value), true);
        at += width;
      }
      return bytes;
    };
    const text = (name: string) => new TextEncoder().encode(name);
    const places = members.map(({ name, data, at }) => {
      if (at !== undefined) return at;
      const place = length;
      push(
        fields(
          [4, 0x04034b50],
          [2, 20],
          [2, 0],
          [2, 8],
          [4, 0],
          [4, sum],
          [4, data.length],
          [4, zeros.length],
          [2, name.length],
          [2, 0],
        ),
      );
      push(text(name));
      push(data);
      return place;
    });
    const start = length;
    members.forEach(({ name, data, size, wide }, index) => {
      const extra = wide
        ? fields([2, 1], [2, 24], [8, size], [8, data.length], [8, places[index] ?? 0])
        : new Uint8Array();
      const or = (value: number) => (wide ? 0xffffffff : value);
      push(
        fields(
          [4, 0x02014b50],
          [2, 20],
          [2, 20],
          [2, 0],
          [2, 8],
          [4, 0],
          [4, sum],
          [4, or(data.length)],
          [4, or(size)],
          [2, name.length],
          [2, extra.length],
          [2, 0],
          [2, 0],
          [2, 0],
          [4, 0],
          [4, or(places[index] ?? 0)],
        ),
      );
      push(text(name));
      push(extra);
    });
    const directory = length - start;
    if (options.wideEnd) {
      const record = length;
      push(
        fields(
          [4, 0x06064b50],
          [8, 44],
          [2, 45],
          [2, 45],
          [4, 0],
          [4, 0],
          [8, members.length],
          [8, members.length],
          [8, directory],
          [8, start],
        ),
      );
      push(fields([4, 0x07064b50], [4, 0], [8, record], [4, 1]));
    }
    const or = (value: number, most: number) => (options.wideEnd ? most : value);
    push(
      fields(
        [4, 0x06054b50],
        [2, 0],
        [2, 0],
        [2, or(members.length, 0xffff)],
        [2, or(members.length, 0xffff)],
        [4, or(directory, 0xffffffff)],
        [4, or(start, 0xffffffff)],
        [2, 0],
      ),
    );
    const all = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  const file = (name: string, over: Partial<Member> = {}): Member => ({
    name,
    data: packed,
    size: zeros.length,
    ...over,
  });
  const bound = (bytes: Uint8Array) => 2 ** 24 + 64 * bytes.length;
  const refused = (bytes: Uint8Array<ArrayBuffer>, message: RegExp) => {
    // Nothing is inflated before it is refused: no array of more than a page's size is made.
    const read = () => readZipWith(inflateSync, bytes, 'evil.zip');
    expect(attack(1, () => bytes, read, { allocation: 65_536, held: 65_536 })).toMatchObject({ refused: 1 });
    expect(read).toThrow(message);
  };

  test('files that share their bytes are refused', () => {
    const members = Array.from({ length: 10 }, (_, index) => file(`f${index}`, index === 0 ? {} : { at: 0 }));
    refused(archiveOf(members), /begins within the bytes of f\d/);
    // A header within another file's bytes, as in bombs of nested quotes.
    const inner = archiveOf([file('a')]);
    const nested = archiveOf([
      file('outer', { data: inner.subarray(0, 30 + 1 + packed.length), size: 64 }),
      file('inner', { at: 35 }),
    ]);
    refused(nested, /begins within/);
  });

  test('the bytes of all files together are bounded by those of the archive', () => {
    const many = archiveOf(Array.from({ length: 18 }, (_, index) => file(`f${index}`)));
    expect(many.length).toBeLessThan(30_000);
    refused(many, /with the files before/);
    const few = archiveOf(Array.from({ length: 15 }, (_, index) => file(`f${index}`)));
    const read = () => readZipWith(inflateSync, few, 'zip');
    expect(attack(1, () => 0, read, { allocation: 2 ** 20, held: bound(few) })).toMatchObject({ read: 1 });
  });

  test('sizes and places of 64 bits are read, and bounded as others are', () => {
    for (const wideEnd of [false, true]) {
      const back = readZipWith(
        inflateSync,
        archiveOf([file('a', { wide: true }), file('b')], { wideEnd }),
        'zip',
      );
      expect([...back].map(([name, { length }]) => [name, length])).toEqual([
        ['a', 2 ** 20],
        ['b', 2 ** 20],
      ]);
    }
    refused(archiveOf([file('a', { wide: true, size: 2 ** 52 })]), /in \d+/);
    const cut = archiveOf([file('a', { wide: true })]);
    const at = cut.length - 22 - 24 + 0;
    const short = cut.slice();
    // The field says that it is one of another kind.
    new DataView(short.buffer).setUint16(at - 4, 99, true);
    refused(short, /64-bit sizes/);
  });
});
