/**
 * Other runtimes than Node, from the packages of the npm registry that carry them: into the cache when a test first asks, since
 * they are 195 MB that nobody needs who doesn't run these tests.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../src/node/cache.ts';
import { partialPath, sweepPartials } from '../../src/node/partial.ts';

const { platform, arch } = process;

/** Package, version, and where the program lies in it. */
const RUNTIMES = {
  deno: {
    name: `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`,
    version: '2.9.6',
    program: platform === 'win32' ? 'deno.exe' : 'deno',
  },
  bun: {
    name: `@oven/bun-${platform === 'win32' ? 'windows' : platform}-${arch === 'arm64' ? 'aarch64' : arch}`,
    version: '1.4.5',
    program: platform === 'win32' ? 'bin/bun.exe' : 'bin/bun',
  },
} as const;

/**
 * The program of a runtime, after downloading it the first time.
 * @returns undefined where it can't be had, after saying why
 */
export async function runtimeProgram(runtime: keyof typeof RUNTIMES): Promise<string | undefined> {
  const { name, version, program } = RUNTIMES[runtime];
  const folder = join(cacheFolder(), 'runtimes', `${runtime}-${version}`);
  const path = join(folder, 'node_modules', ...name.split('/'), ...program.split('/'));
  if (existsSync(path)) return path;
  const partial = partialPath(folder);
  try {
    mkdirSync(dirname(folder), { recursive: true });
    sweepPartials(folder);
    mkdirSync(partial);
    const args = [
      'install',
      '--prefix',
      '.',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
    ];
    const shell = platform === 'win32';
    await promisify(execFile)('npm', [...args, `${name}@${version}`], { cwd: partial, shell });
    renameSync(partial, folder);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    // Another process may have been faster.
    if (!existsSync(path)) {
      console.log(`${runtime} did not run: ${name}@${version} can't be had: ${String(cause).slice(0, 300)}`);
      return undefined;
    }
  }
  return path;
}
