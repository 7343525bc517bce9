/** The command line as users run it: bundled, in a process of its own. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';

const ROOT = join(import.meta.dirname, '..', '..');

/** What Dawn says of drivers whose limits it takes down. */
const DRIVER_WARNING = /^Warning: max\w+ artificially reduced .*\n/gm;

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Bundles the command line beside the repository's packages, apart from `dist`: once for all tests that run the same sources.
 * @returns its path; it stays
 */
export async function buildCli(): Promise<string> {
  // Below node_modules, so that its imports resolve as an installed package's do.
  const cache = join(ROOT, 'node_modules', '.cache');
  const outDir = join(cache, `webgpu-bnn-cli-${digestOfSources()}`);
  if (!existsSync(outDir)) {
    const own = `${outDir}-${process.pid}`;
    await build({
      configFile: join(ROOT, 'vite.config.ts'),
      root: ROOT,
      logLevel: 'error',
      build: { outDir: own, emptyOutDir: true, sourcemap: false },
    });
    try {
      renameSync(own, outDir);
    } catch {
      // Another process was faster.
      rmSync(own, { recursive: true, force: true });
    }
    for (const name of readdirSync(cache)) {
      const old = join(cache, name);
      const isOld = name.startsWith('webgpu-bnn-cli-') && Date.now() - statSync(old).mtimeMs > DAY;
      if (isOld) rmSync(old, { recursive: true, force: true });
    }
  }
  return join(outDir, 'cli.js');
}

const DAY = 86_400_000;

/** Follows from all that the command line is made of. */
function digestOfSources(): string {
  const hash = createHash('sha256');
  for (const name of ['src', 'shaders', 'vite.config.ts', 'package.json', 'package-lock.json']) {
    const path = join(ROOT, name);
    const files = statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .sort()
      : [path];
    for (const file of files) hash.update(file).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Called once the process was started. */
  readonly onStart?: (kill: (signal: NodeJS.Signals) => void) => void;
  /** Called with the process and everything printed so far, whenever it prints. */
  readonly onOutput?: (kill: (signal: NodeJS.Signals) => void, printed: string) => void;
}

export function runCli(
  cli: string,
  args: readonly string[],
  { env = {}, onStart, onOutput }: CliOptions = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd: ROOT, env: { ...process.env, ...env } });
    onStart?.((signal) => child.kill(signal));
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
      onOutput?.((signal) => child.kill(signal), stdout);
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr: stderr.replace(DRIVER_WARNING, '') }));
  });
}
