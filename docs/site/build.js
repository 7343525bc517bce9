/**
 * `npm run site`: the documentation as a static site. What builds it is a package of its own with its own lock file, in this
 * folder, so that `npm ci` of a clone doesn't take it; it is installed here when it isn't. Options: `--base /below/any/path/`
 * and `--out folder`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
const PAGES = join(HERE, 'pages');
const { values } = parseArgs({
  options: { base: { type: 'string', default: '/' }, out: { type: 'string', default: 'dist-site' } },
});

/** Runs a program of this folder, and ends where it fails. */
function run(program, args, env = {}) {
  // npm is a script on Windows.
  const shell = process.platform === 'win32' && program === 'npm';
  const { status, error } = spawnSync(program, args, {
    cwd: HERE,
    shell,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${error ?? status}`);
}

const bin = (...path) => join(HERE, 'node_modules', ...path);
if (!existsSync(bin('vitepress'))) run('npm', ['ci', '--no-audit', '--no-fund']);

rmSync(PAGES, { recursive: true, force: true });
mkdirSync(PAGES);
// Docstrings first: pages of layers are made of them.
run(process.execPath, [
  bin('typedoc', 'bin', 'typedoc'),
  ...['--options', 'typedoc.json', '--logLevel', 'Error'],
]);

// Other pages are made of the objects themselves, by a module in TypeScript that imports them. Vite is that of the repository,
// not the older one that VitePress has here.
const vite = createRequire(join(ROOT, 'package.json')).resolve('vite');
const { build } = await import(pathToFileURL(vite).href);
await build({ configFile: join(HERE, 'pages.config.ts') });
const program = join(ROOT, 'node_modules', '.cache', 'webgpu-bnn-site', 'pages.js');
const { writePages } = await import(pathToFileURL(program).href);
writePages(PAGES, ROOT);

run(process.execPath, [bin('vitepress', 'bin', 'vitepress.js'), 'build'], {
  SITE_BASE: values.base,
  SITE_OUT: resolve(values.out),
});
console.log(`${resolve(values.out)}, to be served below ${values.base}`);
