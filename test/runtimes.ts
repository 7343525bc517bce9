/**
 * The same work in every implementation that is here: Dawn in Node and in Chrome, wgpu in Deno and in Firefox, and what needs no
 * GPU in JavaScriptCore, the engine of Safari. It ends in hashes, which agree. What is not here is said, with the reason.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import puppeteer, { type Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChrome } from '../src/node/chrome.ts';
import { requestGpu, softwareAdapterFolder } from '../src/node/gpu.ts';
import { bundledPage } from './helpers/bundled-page.ts';
import { runtimeProgram } from './helpers/runtimes.ts';
import { serveFolder, withoutDispose } from './helpers/static.ts';
import { type Work, work } from './pages/runtimes.ts';

let folder = '';
let inNode: Work;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-runtimes-'));
  writeFileSync(join(folder, 'work.js'), await bundledPage('runtimes'));
  writeFileSync(
    join(folder, 'index.html'),
    '<!doctype html><link rel="icon" href="data:," /><script type="module">import * as work from "./work.js"; window.work = work;</script>',
  );
  using gpu = await requestGpu({ adapter: 'software' });
  inNode = await work(gpu);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Integers agree everywhere, floats wherever the driver is the same. */
function expectAgreement(name: string, found: Work): void {
  console.log(
    `${name}: ${found.adapter}, ${Object.keys(found.exact).length} hashes of integers and ${Object.keys(found.floats).length} of floats`,
  );
  expect(Object.keys(found.exact)).toHaveLength(4);
  expect(found.exact).toEqual(inNode.exact);
  // All of them are given the same driver.
  if (found.adapter !== 'the processor') expect(found.floats).toEqual(inNode.floats);
}

/** A program of this name, wherever it is installed; undefined where it isn't, after saying so. */
function find(name: string, ...names: readonly string[]): string | undefined {
  const path = (process.env.PATH ?? '')
    .split(':')
    .flatMap((folder) => names.map((program) => join(folder, program)))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  if (path === undefined) console.log(`${name} did not run: ${names.join(' or ')} is not installed`);
  return path;
}

/** What a program needs to see the software adapter, and nothing else. */
async function software(): Promise<Record<string, string>> {
  const libraries = await softwareAdapterFolder();
  const driver = join(libraries, 'vk_swiftshader_icd.json');
  return { LD_LIBRARY_PATH: libraries, VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver };
}

async function run(program: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const { stdout } = await promisify(execFile)(program, args, {
    cwd: folder,
    env: { ...process.env, ...more },
  });
  return JSON.parse(stdout.slice(stdout.indexOf('{'))) as Work;
}

test('Node, by Dawn', () => {
  expect(inNode.adapter).toMatch(/swiftshader/i);
  expect(Object.keys(inNode.floats)).toHaveLength(6);
  expect(new Set([...Object.values(inNode.exact), ...Object.values(inNode.floats)]).size).toBe(10);
  expectAgreement('Node', inNode);
});

test('Deno, by wgpu', { timeout: 300_000 }, async ({ skip }) => {
  const deno = await runtimeProgram('deno');
  if (deno === undefined) return skip();
  writeFileSync(
    join(folder, 'deno.js'),
    'import { onGpu } from "./work.js"; console.log(JSON.stringify(await onGpu())); Deno.exit();',
  );
  expectAgreement('Deno', await run(deno, ['run', '-A', '--no-config', 'deno.js'], await software()));
});

test('JavaScriptCore, without a GPU and without Symbol.dispose', async ({ skip }) => {
  const jsc = find('JavaScriptCore', 'jsc');
  if (jsc === undefined) return skip();
  writeFileSync(
    join(folder, 'jsc.js'),
    'import { onProcessor } from "./work.js"; print(JSON.stringify(onProcessor()));',
  );
  expectAgreement('JavaScriptCore', await run(jsc, ['-m', 'jsc.js']));
});

test('Chrome, by Dawn, without Symbol.dispose', async () => {
  const browser = await startChrome({ adapter: 'software' });
  try {
    expectAgreement('Chrome', await inPage(browser, withoutDispose));
  } finally {
    await browser[Symbol.asyncDispose]();
  }
});

test('Firefox, by wgpu', async ({ skip }) => {
  const firefox = find('Firefox', 'firefox-esr', 'firefox', 'firefox-nightly');
  if (firefox === undefined) return skip();
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox,
    headless: true,
    extraPrefsFirefox: {
      'dom.webgpu.enabled': true,
      'dom.webgpu.workers.enabled': true,
      'gfx.webgpu.ignore-blocklist': true,
    },
    env: { ...process.env, ...(await software()) },
    protocolTimeout: 0,
  });
  try {
    expectAgreement('Firefox', await inPage(browser));
  } finally {
    await browser.close();
  }
});

/** The work in a page of a browser. */
async function inPage(browser: Browser, edit?: (script: string) => string): Promise<Work> {
  await using server = await serveFolder(folder, { ...(edit && { edit }) });
  const page = await browser.newPage();
  await page.goto(`${server.url}/`, { waitUntil: 'load' });
  return (await page.evaluate('work.onGpu()')) as Work;
}
