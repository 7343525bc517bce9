/** The command line as users run it: bundled, in a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'vite';
import { madeOnce } from './made-once.ts';

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
  const sources = ['src', 'shaders', 'vite.config.ts', 'package.json', 'package-lock.json'];
  const folder = await madeOnce('webgpu-bnn-cli-', '', sources, async (outDir) => {
    await build({
      configFile: join(ROOT, 'vite.config.ts'),
      root: ROOT,
      logLevel: 'error',
      build: { outDir, emptyOutDir: true, sourcemap: false },
    });
  });
  return join(folder, 'cli.js');
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Where it is called; default: the repository, which may hold runs of whoever works there. */
  readonly cwd?: string;
  /** Called with what kills the process, and everything printed so far, whenever it prints. */
  readonly onOutput?: (kill: (signal: NodeJS.Signals) => void, printed: string) => void;
}

export function runCli(
  cli: string,
  args: readonly string[],
  { env = {}, cwd = ROOT, onOutput }: CliOptions = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd, env: { ...process.env, ...env } });
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
