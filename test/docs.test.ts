/**
 * What the documentation and the docstrings say is so: programs compile, run and print what stands below them, commands and options
 * are there, figures are those that the command makes.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Command } from 'commander';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { methodExample } from '../docs/site/methods.ts';
import { svgFile, THEORY } from '../docs/site/plots.ts';
import manifest from '../package.json' with { type: 'json' };
import { wgsl } from '../shaders/link.ts';
import * as errors from '../src/errors.ts';
import { LAYER_KINDS } from '../src/layers/index.ts';
import { METHODS, methodByName } from '../src/methods/table.ts';
import { publicNames } from './helpers/docstrings.ts';
import { ENTRIES, ENTRY_ALIASES } from './helpers/entries.ts';

const ROOT = join(import.meta.dirname, '..');
const scratch = join(ROOT, 'node_modules', '.cache', `webgpu-bnn-docs-${process.pid}`);

const filesBelow = (folder: string, ending: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.split(sep).join('/')}`)
    .filter((name) => name.endsWith(ending) && !name.startsWith('docs/site/'))
    .sort();
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SUPPORT.md',
  'SECURITY.md',
  ...filesBelow('docs', '.md'),
].map((name) => ({ name, text: read(name) }));

/** Programs of pages, and what they print where the page says it. */
const programs = documents.flatMap(({ name, text }) =>
  [...text.matchAll(/```ts program\n([\s\S]*?)```(?:\n\n```text printed\n([\s\S]*?)```)?/g)].map(
    ([, code = '', printed], i) => ({ name: `${name} ${i + 1}`, code, printed }),
  ),
);

/** Examples of docstrings, by the file and the name that they stand above. */
const examples = filesBelow('src', '.ts').flatMap((name) =>
  [
    ...read(name).matchAll(
      /\/\*\*(?:(?!\*\/)[\s\S])*?@example\n \* ```ts\n((?: \*.*\n)+?) \* ```[\s\S]*?\*\/\s*export (?:abstract )?(?:async )?(?:function|const|class) (\w+)/g,
    ),
  ].map(([, block = '', symbol = '']) => ({
    name: `${name} ${symbol}`,
    symbol,
    code: block.replaceAll(/^ \* ?/gm, ''),
  })),
);

/** A program for every method, as its page has it. */
const used = Object.keys(METHODS).map((name) => ({
  name: `method ${name}`,
  code: methodExample(methodByName(name)),
}));

const fileOf = (name: string) => name.replaceAll(/[^\w]+/g, '-');

beforeAll(() => {
  mkdirSync(scratch, { recursive: true });
  for (const { name, code } of [...programs, ...examples, ...used]) {
    writeFileSync(join(scratch, `${fileOf(name)}.ts`), `export {};\n${code}`);
  }
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function bundle(names: readonly string[]): Promise<void> {
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
      emptyOutDir: false,
      rolldownOptions: { input: names.map((name) => join(scratch, `${fileOf(name)}.ts`)) },
    },
  });
}

const printedBy = (name: string) =>
  execFileSync(process.execPath, [join(scratch, 'out', `${fileOf(name)}.js`)], {
    encoding: 'utf8',
    cwd: scratch,
  });

describe('programs', () => {
  test('are enough, and satisfy the type checker', () => {
    expect(programs.length).toBeGreaterThan(9);
    const paths = Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, [file]]));
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      // An example may end where something was made.
      compilerOptions: { paths, noUnusedLocals: false },
      include: ['*.ts', join(ROOT, 'shaders', 'wgsl.d.ts')],
    };
    writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '--noEmit', '-p', scratch], { encoding: 'utf8' });
    expect(stdout).toBe('');
  });

  test('of pages print what stands below them', async () => {
    await bundle(programs.map(({ name }) => name));
    for (const { name, printed } of programs) {
      const lines = printedBy(name);
      if (printed !== undefined) expect(lines, name).toBe(printed);
      else expect(lines.split('\n').at(-2), name).toMatch(/^true true$/);
    }
  });

  test('of docstrings and of methods run', async () => {
    const all = [...examples, ...used];
    // One program, so that the library is loaded once.
    const main = all.map(({ name }) => `await import('./${fileOf(name)}.ts');`).join('\n');
    writeFileSync(join(scratch, 'all.ts'), `${main}\nconsole.log('done');\nprocess.exit();\n`);
    await bundle(['all']);
    expect(printedBy('all')).toMatch(/done\n$/);
  });

  test('every layer is in docs/layers, with what its docstring says first (vitest -u writes the page)', async () => {
    const found = filesBelow('src/layers', '.ts').flatMap((file) =>
      [...read(file).matchAll(/\/\*\*\n((?: \*.*\n)+?) \*\/\nexport (?:const|function) (\w+)/g)].map(
        ([, block = '', kind = '']) => ({ kind, file, says: block.replaceAll(/^ \* ?/gm, '') }),
      ),
    );
    const rows = LAYER_KINDS.map((kind) => {
      const { file = '', says = '' } =
        found.find((one) => one.kind === kind && one.says.includes('@example')) ?? {};
      const first = /^[\s\S]*?(?<!\bal)\.(?=\s)/.exec(says)?.[0].replaceAll('\n', ' ').replaceAll('|', '\\|');
      expect(first, kind).toBeDefined();
      return `| [\`${kind}\`](../../${file}) | ${first} |`;
    });
    const page = [
      '# Layers',
      '',
      'What networks are made of; all come from `webgpu-bnn`. Shapes are named without the batch, and activations are NHWC. Options and an',
      'example stand above each in its file; [your own](../extending/layer.md) are made with `defineLayer`.',
      '',
      '| layer | what it does |',
      '|---|---|',
      ...rows,
    ];
    await expect(`${page.join('\n')}\n`).toMatchFileSnapshot('../docs/layers/README.md');
  });

  test('every layer has an example', () => {
    const shown = examples.map(({ symbol }) => symbol);
    expect(LAYER_KINDS.filter((kind) => !shown.includes(kind))).toEqual([]);
  });
});

describe('docstrings', () => {
  test('stand above every public name and every public member of it', () => {
    const all = publicNames(Object.values(ENTRIES));
    // So that they were looked for.
    expect(all.length).toBeGreaterThan(2500);
    const lacking = all.filter(({ documented }) => !documented);
    expect(lacking.map(({ file, line, name }) => `${file}:${line} ${name}`)).toEqual([]);
  });

  test('are missed where there is none', () => {
    const [entry, other] = ['entry', 'other'].map((name) => join(scratch, `docstrings-${name}.ts`)) as [
      string,
      string,
    ];
    writeFileSync(entry, "export * from './docstrings-other.ts';\nexport const unsaid = 1;\n");
    writeFileSync(
      other,
      `/** Said. */
export interface Said { bare: number; /** Said. */ said: number }
export class Unsaid implements Said {
  bare = 1;
  said = 2;
  #own = 3;
  private hidden = 4;
  // A comment is no docstring.
  method(): number {
    return this.#own + this.hidden;
  }
}
/** Said. */
export type Either =
  | {
      readonly inner: number;
    }
  | { readonly line: 'is said above' };
const notPublic = 1;
export { notPublic as renamed };
`,
    );
    const lacking = publicNames([entry]).filter(({ documented }) => !documented);
    expect(lacking.map(({ name }) => name)).toEqual([
      ...['unsaid', 'Said.bare', 'Unsaid', 'Unsaid.bare', 'Unsaid.method', 'Either.inner', 'notPublic'],
    ]);
  });
});

describe('commands', () => {
  /** Of the command line by name, with the options that each takes. */
  const known = new Map<string, Command>();
  beforeAll(async () => {
    for (const file of filesBelow('src/cli', '.ts')) {
      if (/\/(main|kit-launch)\.ts$/.test(file)) continue;
      const module = (await import(join(ROOT, file))) as Readonly<Record<string, unknown>>;
      for (const [name, make] of Object.entries(module)) {
        if (!/^\w+Command$/.test(name) || typeof make !== 'function' || make.length > 0) continue;
        const command = (make as () => Command)();
        for (const name of [command.name(), ...command.aliases()]) known.set(name, command);
      }
    }
  });

  /** What is wrong with a line that calls the command line; undefined where nothing is. */
  function wrongIn(words: readonly string[]): string | undefined {
    const [name = '', ...rest] = words;
    let command = known.get(name);
    if (command === undefined) return /^[A-Z<-]/.test(name) ? undefined : `no command ${name}`;
    const below = command.commands.find((one) => one.name() === rest[0]);
    command = below ?? command;
    const options = [command, ...(below ? [known.get(name) as Command] : [])].flatMap((one) =>
      one.options.flatMap(({ long, short }) => [long, short]),
    );
    const given = rest.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*/, ''));
    const unknown = given.filter((word) => !['--help', ...options].includes(word));
    return unknown.length === 0 ? undefined : `${name} has no ${unknown.join(', ')}`;
  }

  test('that texts tell to type are there, with their options', () => {
    const wrong: string[] = [];
    let count = 0;
    for (const { name, text } of documents) {
      const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
        block.split('\n'),
      );
      const inline = [...text.matchAll(/`((?:npx )?webgpu-bnn [a-z][^`]*|npm (?:run|test|ci)[^`]*)`/g)];
      for (const line of [...blocks, ...inline.map(([, line = '']) => line.replaceAll('\n', ' '))]) {
        for (const part of line.replace(/\s+#.*$/, '').split('&&')) {
          const words = part
            .trim()
            .split(/\s+/)
            .filter((word) => !/^[A-Z_]+=/.test(word));
          if (words[0] === undefined || words[0] === '') continue;
          count += 1;
          if (words[0] === 'npx' && words[1] === 'webgpu-bnn') words.shift();
          const problem =
            words[0] === 'webgpu-bnn'
              ? wrongIn(words.slice(1))
              : words[0] === 'npm'
                ? wrongForNpm(words.slice(1))
                : words[0] === 'node' || words[0] === 'npx'
                  ? undefined
                  : `nothing is known of ${words[0]}`;
          if (problem !== undefined) wrong.push(`${name}: ${line.trim()}: ${problem}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(count).toBeGreaterThan(60);
    expect(wrongIn(['train', '--epoch', '3'])).toBe('train has no --epoch');
  });

  function wrongForNpm([word = '', name = '']: readonly string[]): string | undefined {
    if (['ci', 'install', 'i', 'test', 'publish'].includes(word)) return undefined;
    return word === 'run' && Object.hasOwn(manifest.scripts, name) ? undefined : `no script ${name}`;
  }

  test('all are in docs/command-line.md, and all scripts in CONTRIBUTING', () => {
    const page = read('docs/command-line.md');
    expect([...known.keys()].filter((name) => !page.includes(`\`webgpu-bnn ${name}`))).toEqual([]);
    expect(known.size).toBeGreaterThan(11);
    const house = read('CONTRIBUTING.md');
    const internal = ['build:js', 'build:min', 'prepack', 'train', 'test', 'build'];
    const scripts = Object.keys(manifest.scripts).filter((name) => !internal.includes(name));
    expect(scripts.filter((name) => !house.includes(`\`npm run ${name}\``))).toEqual([]);
  });
});

describe('pages', () => {
  test('every error has a part of the page on troubles, with its code', () => {
    const text = read('docs/troubleshooting.md');
    const kinds = Object.entries(errors).filter(
      ([name, one]) => typeof one === 'function' && one.prototype instanceof Error && name !== 'BnnError',
    );
    for (const [name, kind] of kinds) {
      const { code } = new (kind as new (what: string) => errors.BnnError)('');
      expect(text, name).toContain(`## ${name}\n\n\`${code}\`.`);
    }
    expect(kinds.length).toBeGreaterThan(12);
  });

  test('figures are those that `npm run pictures` makes', () => {
    const shown = [...read('docs/theory.md').matchAll(/images\/theory\/(\w+)\.svg/g)].map(([, name]) => name);
    expect(shown.sort()).toEqual(Object.keys(THEORY).sort());
    for (const [name, make] of Object.entries(THEORY)) {
      expect(read(`docs/images/theory/${name}.svg`) === svgFile(make()), name).toBe(true);
    }
  });

  test('the glossary is in order', () => {
    const words = [...read('docs/glossary.md').matchAll(/^\*\*([^*]+)\*\*/gm)].map(([, word = '']) => word);
    expect(words).toEqual([...words].sort((a, b) => a.localeCompare(b, 'en')));
    expect(words.length).toBeGreaterThan(25);
  });
});
