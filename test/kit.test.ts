/** The kit for hosts without Node and without a network: written once, and used where there is nothing else. */
import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type Run, runCli } from './helpers/cli.ts';

let cli = '';
let work = '';
let kit = '';

/** What `run.sh` says that it needs. */
const TOOLS = ['sh', 'gzip', 'mkdir', 'chmod', 'mv', 'rm'];

beforeAll(async () => {
  cli = await buildCli();
  work = mkdtempSync(join(tmpdir(), 'webgpu-bnn-kit test '));
  kit = join(work, 'a kit');
  const { code, stderr } = await runCli(cli, ['kit', '--out', kit]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  for (const folder of ['bin', 'home', 'elsewhere']) mkdirSync(join(work, folder));
  for (const tool of TOOLS) symlinkSync(whereIs(tool), join(work, 'bin', tool));
});

afterAll(() => {
  if (work !== '') rmSync(work, { recursive: true, force: true, maxRetries: 5 });
});

function whereIs(tool: string): string {
  const folders = (process.env.PATH ?? '').split(':');
  const found = folders.map((folder) => join(folder, tool)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${tool} is not on this machine`);
  accessSync(found, constants.X_OK);
  return found;
}

/** Runs the kit with nothing in the environment but the tools that it names and an empty home. */
function runKit(...args: string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(kit, 'run.sh'), args, {
      cwd: join(work, 'elsewhere'),
      env: { PATH: join(work, 'bin'), HOME: join(work, 'home') },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('the kit', () => {
  test('is one folder under 60 MB', () => {
    const files = readdirSync(kit, { recursive: true, encoding: 'utf8' }).map((name) =>
      statSync(join(kit, name)),
    );
    const bytes = files.filter((entry) => entry.isFile()).reduce((sum, { size }) => sum + size, 0);
    expect(bytes).toBeLessThan(60e6);
    expect(bytes).toBeGreaterThan(30e6);
    expect(readdirSync(kit).sort()).toEqual([
      'README.txt',
      'app.tar.br',
      'launch.mjs',
      'lib',
      'node.gz',
      'run.sh',
    ]);
  });

  test('has a doctor that finds every bit right where there is nothing but a shell and gzip', async () => {
    const { code, stdout, stderr } = await runKit('doctor', '--adapter', 'software', '--json');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.verdict).toBe('software');
    expect(report.findings.every(({ ok }: { ok: boolean }) => ok)).toBe(true);
    // All that it unpacked lies in its own folder.
    expect(readdirSync(join(work, 'home'))).toEqual([]);
    expect(readdirSync(join(kit, 'unpacked')).sort()).toEqual(['app', 'cache', 'node']);
  });

  test('measures, and writes figures and a report', async () => {
    const { code, stderr } = await runKit(
      ...['bench', '--quick', '--adapter', 'software', '--suite', 'kernels', '--shapes', 'matmul-100*'],
      ...['--json', 'figures.json', '--html', 'report.html'],
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const figures = JSON.parse(readFileSync(join(work, 'elsewhere', 'figures.json'), 'utf8'));
    expect(figures).toMatchObject({
      adapter: { software: true },
      kernels: [{ id: 'matmul-100x512x512' }],
      peers: [],
    });
    expect(figures.missingPeers.length).toBeGreaterThan(2);
    expect(readFileSync(join(work, 'elsewhere', 'report.html'), 'utf8')).toContain('<svg ');
  });

  test('has the data of MNIST', async () => {
    const { code, stdout } = await runKit('data');
    expect(code).toBe(0);
    expect(stdout).toMatch(/mnist +│[^│]+│ yes/);
  });

  test('is not written into a folder that holds something', async () => {
    const { code, stderr } = await runCli(cli, ['kit', '--out', kit]);
    expect(stderr).toContain('files in this folder already');
    expect(code).toBe(2);
  });
});
