/** From a folder of pictures to a page that recognises them: the README's own lines, in a project that has the package. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { initialValues, mlp, saveModel } from '../src/index.ts';
import { launchChrome, launchWithoutWebGpu } from './helpers/chrome.ts';
import { drawShapes, picture } from './helpers/drawn-shapes.ts';
import { linkedCache, makeProject, packed, run } from './helpers/package.ts';
import { serveFolder } from './helpers/static.ts';

const README = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
const LINES = (/page that knows them[\s\S]*?```sh\n([\s\S]*?)\n```/.exec(README)?.[1] ?? '').split('\n');
const SHAPES = ['cross', 'disc', 'hollow square'] as const;

const work = mkdtempSync(join(tmpdir(), 'webgpu-bnn page '));
const project = join(work, 'a project');
const at = (...names: string[]) => join(project, ...names);
let env: Readonly<Record<string, string>> = {};
const printed: string[] = [];

beforeAll(async () => {
  await makeProject(project, {}, [await packed()]);
  env = linkedCache(join(work, 'cache'));
  drawShapes(at('pictures'), 0, 100, 24);
  writeFileSync(at('photo.png'), picture('disc', 7000, 24));
});
afterAll(() => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));

const bnn = (...args: string[]) => run(project, 'npx', ['--no-install', 'webgpu-bnn', ...args], { env });

/** What the page says is in a picture that is dropped on it. */
async function drop(page: Page, shape: string, i: number, size: number): Promise<string> {
  const encoded = Buffer.from(picture(shape, i, size)).toString('base64');
  await page.evaluate(async (base64: string) => {
    document.querySelector('#result')?.replaceChildren();
    const blob = await (await fetch(`data:image/png;base64,${base64}`)).blob();
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], 'dropped.png', { type: 'image/png' }));
    document
      .querySelector('#drop')
      ?.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  }, encoded);
  return best(page);
}

async function best(page: Page): Promise<string> {
  await page.waitForSelector('#result li');
  return page.$eval('#result li', (item) => item.textContent?.replace(/ \(.*/, '') ?? '');
}

describe("the README's five lines", () => {
  test('train a network, and write a page of it', async () => {
    expect(LINES.length).toBe(5);
    // The last one gets a server from the registry; the tests below serve the folder themselves, below a path.
    expect(LINES.at(-1)).toBe('npx serve page');
    for (const line of LINES.slice(0, -1)) printed.push(await run(project, 'sh', ['-c', line], { env }));
    const [inspected = '', trained = '', ran = '', written = ''] = printed;
    expect(inspected).toContain('240 training and 60 test samples of 32 x 32 x 3');
    expect(Number(/test accuracy +([\d.]+)/.exec(trained)?.[1])).toBeGreaterThanOrEqual(95);
    expect(ran).toMatch(/photo\.png[\s\S]*?disc/);
    expect(written).toMatch(/image +[\d.]+ ms here, in WebAssembly/);
  });

  test('the folder has a page, a script and a README that says sizes and times', () => {
    const names = ['README.md', 'classify.js', 'index.html', 'model.safetensors', 'webgpu-bnn.js'];
    expect(readdirSync(at('page')).sort()).toEqual(names);
    const readme = readFileSync(at('page', 'README.md'), 'utf8');
    for (const name of names.slice(1)) {
      expect(readme).toContain(
        `| \`${name}\` | ${statSync(at('page', name)).size.toLocaleString('en-US')} |`,
      );
    }
    expect(readme).toMatch(/An image took [\d.]+ ms/);
    expect(readme).toContain('3 classes: cross, disc, hollow square.');
    for (const name of ['README.md', 'classify.js', 'index.html']) {
      expect(readFileSync(at('page', name), 'utf8')).not.toMatch(/\{\{|>undefined|NaN/);
    }
    expect(readFileSync(at('page', 'index.html'), 'utf8').split('\n').length).toBeLessThan(65);
  });

  test.each([
    ['on WebGPU', launchChrome, 'gpu'],
    ['without WebGPU', launchWithoutWebGpu, undefined],
  ] as const)('the page names what is dropped on it, %s, below any path', async (_, launch, engine) => {
    await using server = await serveFolder(at('page'), { below: '/some/where/' });
    await using chrome = await launch();
    const browser = 'browser' in chrome ? chrome.browser : chrome;
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`${server.url}/${engine === undefined ? '' : `?engine=${engine}`}`);
    await page.waitForFunction(() => /^Ready/.test(document.querySelector('#status')?.textContent ?? ''));
    for (const [i, shape] of SHAPES.entries()) expect(await drop(page, shape, 8000 + i, 24)).toBe(shape);
    expect(await page.$eval('#status', (status) => status.textContent)).toMatch(
      new RegExp(`^[\\d.]+ ms, by ${engine ?? 'wasm'}$`),
    );
    expect(errors).toEqual([]);
  });

  test('the page names what is before the camera, and says what is no picture', async () => {
    await using server = await serveFolder(at('page'), { below: '/some/where/' });
    await using browser = await launchWithoutWebGpu();
    const page = await browser.newPage();
    const encoded = Buffer.from(picture('cross', 9000, 96)).toString('base64');
    // A camera before which someone holds a picture.
    await page.evaluateOnNewDocument((base64) => {
      navigator.mediaDevices.getUserMedia = async () => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 96;
        const image = new Image();
        image.src = `data:image/png;base64,${base64}`;
        await image.decode();
        const draw = () => {
          canvas.getContext('2d')?.drawImage(image, 0, 0);
          requestAnimationFrame(draw);
        };
        draw();
        return canvas.captureStream();
      };
    }, encoded);
    await page.goto(`${server.url}/index.html`);
    await page.waitForFunction(() => /^Ready/.test(document.querySelector('#status')?.textContent ?? ''));
    const [file] = [await page.$('#file')];
    writeFileSync(at('no-picture.png'), 'no picture');
    await (file as unknown as { uploadFile(path: string): Promise<void> }).uploadFile(at('no-picture.png'));
    await page.waitForFunction(() => /Error: /.test(document.querySelector('#status')?.textContent ?? ''));
    await page.click('#camera');
    expect(await best(page)).toBe('cross');
  });
});

describe('export', () => {
  test('replaces nothing unasked, and says what it can not make a page of', async () => {
    const failed = async (...args: string[]) =>
      bnn(...args).then(
        () => expect.fail(`${args.join(' ')} did not fail`),
        (cause: Error) => cause.message,
      );
    expect(await failed('export', 'runs/pictures', 'page/')).toMatch(
      /of this name already[\s\S]*--overwrite/,
    );
    await bnn('export', 'runs/pictures', 'page/', '--overwrite', '--title', '<b>Mine</b>');
    expect(readFileSync(at('page', 'index.html'), 'utf8')).toContain('<h1>&#60;b&#62;Mine&#60;/b&#62;</h1>');

    const rows = mlp({ input: [5], classes: 3, units: 8 });
    writeFileSync(at('rows.safetensors'), await saveModel('safetensors', rows, initialValues(rows, 1)));
    expect(await failed('export', 'rows.safetensors', 'other')).toMatch(
      /name what a picture shows[\s\S]*webgpu-bnn convert/,
    );
    const grey = mlp({ input: [8, 8, 1], classes: 2, units: 8 });
    writeFileSync(at('grey.onnx'), await saveModel('onnx', grey, initialValues(grey, 1)));
    expect(await failed('export', 'grey.onnx', 'other')).toMatch(/Nothing says how[\s\S]*--pixels 0:1/);
    mkdirSync(at('other'));
    expect(readdirSync(at('other'))).toEqual([]);
    expect(await bnn('export', 'grey.onnx', 'other', '--pixels', '0:1')).toContain('written   other');
    expect(readFileSync(at('other', 'README.md'), 'utf8')).toContain('2 classes: 0, 1.');
  });
});
