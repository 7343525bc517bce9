/** The studio as it is built, below a sub-path, in a real Chrome, as a visitor uses it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ElementHandle, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mnistFromInk } from '../demo/panels/preprocess.ts';
import { initialSettings, queryOf } from '../demo/state/settings.ts';
import { advice } from '../demo/state/support.ts';
import { IDX_FILES } from '../src/data/idx.ts';
import { loadModel } from '../src/formats/index.ts';
import { drawShapes, picture } from './helpers/drawn-shapes.ts';
import {
  answer,
  close,
  draw,
  field,
  hashOf,
  inked,
  ONE,
  pastStep,
  reach,
  SMALL,
  type Studio,
  screenshots,
  show,
  startStudio,
  step,
  TINY,
  type,
} from './helpers/studio.ts';

const ROOT = join(import.meta.dirname, '..');
/** A network that Brevitas exported. */
const TFC = join(ROOT, 'test', 'fixtures', 'qonnx-tfc', 'TFC_1W1A.onnx');

/** A drawing of `width`×`height` with ink in rectangles [left, top, width, height]. */
function ink(
  width: number,
  height: number,
  rectangles: readonly (readonly [number, number, number, number])[],
): Uint8Array {
  const drawing = new Uint8Array(width * height);
  for (const [left, top, wide, tall] of rectangles) {
    for (let y = top; y < top + tall; y++) drawing.fill(255, y * width + left, y * width + left + wide);
  }
  return drawing;
}

/** Bounding box of the ink of a 28×28 image. */
function boxOf(image: Uint8Array): { left: number; top: number; right: number; bottom: number } {
  const at = [...image.keys()].filter((index) => (image[index] ?? 0) > 0);
  const columns = at.map((index) => index % 28);
  const rows = at.map((index) => Math.floor(index / 28));
  return {
    left: Math.min(...columns),
    right: Math.max(...columns),
    top: Math.min(...rows),
    bottom: Math.max(...rows),
  };
}

describe('a drawing becomes what MNIST would have made of it', () => {
  test('an empty pad is no image', () => {
    expect(mnistFromInk(new Uint8Array(100 * 100), 100, 100)).toBeUndefined();
  });

  test('a square fills 20×20 in the middle of 28×28', () => {
    const image = mnistFromInk(ink(280, 280, [[10, 150, 60, 60]]), 280, 280) ?? new Uint8Array();
    expect(image.length).toBe(784);
    expect(boxOf(image)).toEqual({ left: 4, right: 23, top: 4, bottom: 23 });
    expect(image.reduce((sum, value) => sum + value, 0)).toBe(400 * 255);
  });

  test('the aspect ratio is kept', () => {
    const image = mnistFromInk(ink(280, 280, [[100, 20, 20, 200]]), 280, 280) ?? new Uint8Array();
    expect(boxOf(image)).toEqual({ left: 13, right: 14, top: 4, bottom: 23 });
  });

  test('the mass is centred, not the box', () => {
    // An L: most of its ink is on the left and below.
    const drawing = ink(200, 200, [
      [50, 50, 20, 100],
      [50, 130, 100, 20],
    ]);
    const image = mnistFromInk(drawing, 200, 200) ?? new Uint8Array();
    let [mass, x, y] = [0, 0, 0];
    for (const [index, value] of image.entries()) {
      mass += value;
      x += value * ((index % 28) + 0.5);
      y += value * (Math.floor(index / 28) + 0.5);
    }
    expect(Math.abs(x / mass - 14)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(y / mass - 14)).toBeLessThanOrEqual(0.5);
  });

  test('where it was drawn, and how large, makes no difference', () => {
    const small = mnistFromInk(ink(200, 200, [[20, 30, 20, 40]]), 200, 200);
    const large = mnistFromInk(ink(300, 200, [[150, 60, 60, 120]]), 300, 200);
    expect(large).toEqual(small);
  });
});

test('advice begins with the browser at hand', () => {
  const first = (userAgent: string) => advice(userAgent)[0]?.browser;
  expect(first('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/147.0 Safari/537.36')).toMatch(
    /Linux/,
  );
  expect(first('Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/147.0 Safari/537.36')).toMatch(
    /Windows/,
  );
  expect(first('Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/147.0 Mobile')).toMatch(/Android/);
  expect(first('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toMatch(/Firefox/);
  expect(first('Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15')).toMatch(
    /Safari/,
  );
});

describe('an address', () => {
  test('opens with the settings that it was made of, on any adapter', () => {
    const settings = {
      ...initialSettings('', false),
      ...{ epochs: 7, rate: 0.003, layers: [{ kind: 'conv', units: 16, pool: true } as const], twin: false },
      ...{
        quantizer: 'mine',
        gradient: 'fn gradient(x: f32) -> f32 { return 1.0; }',
        penalty: 'weightDecay',
      },
    };
    expect(initialSettings(queryOf(settings), false)).toEqual(settings);
    expect(initialSettings(queryOf(settings), true)).toEqual(settings);
  });

  test('that says nonsense opens with what suits', () => {
    const usual = initialSettings('', true);
    for (const query of [
      'epochs=many&rate=NaN&images=',
      'layers=dense0&quantizer=none&optimizer=__proto__',
      'layers=conv99999-dense3',
      'twin=perhaps&loss=constructor',
    ]) {
      expect(initialSettings(query, true), query).toEqual(usual);
    }
  });
});

describe('the studio', () => {
  let studio: Studio;
  beforeAll(async () => {
    studio = await startStudio();
  });
  afterAll(() => studio?.[Symbol.asyncDispose]());
  const open = (query: string) => studio.open(query);
  const linkIn = async (page: Page) => {
    await page.click('#link');
    await page.waitForSelector('#link-address');
    return page.$eval('#link-address', (input) => (input as HTMLInputElement).value);
  };

  test('holds MNIST in pieces, and refers to everything by relative paths', async () => {
    const html = readFileSync(join(studio.folder, 'index.html'), 'utf8');
    expect(html).toMatch(/src="\.\/assets\//);
    expect(html).not.toMatch(/(src|href)="\//);
    for (const name of Object.values(IDX_FILES))
      expect(readFileSync(join(studio.folder, 'mnist', name)).length).toBeGreaterThan(0);
    const labels = readFileSync(join(studio.folder, 'mnist', IDX_FILES.trainLabels)).subarray(8);
    const last = gunzipSync(readFileSync(join(studio.folder, 'mnist', 'train-29.gz')));
    expect(last.length).toBe(2000 * 785);
    expect(last.subarray(0, 2000).equals(labels.subarray(58_000))).toBe(true);
  });

  test('trains a binary network and its twin in step, pauses, resumes, recognises, and shows what it sees', async () => {
    const { page, errors } = await open(`${SMALL}&twin=1`);
    await reach(page, 'ready');
    expect(await field(page, 'adapter')).toMatch(/swiftshader/i);
    expect(await field(page, 'adapter-kind')).toMatch(/software/);

    await page.click('#toggle');
    await pastStep(page, 5);
    await page.click('#toggle');
    await reach(page, 'paused');
    const stopped = await step(page);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await step(page)).toBe(stopped);
    expect(await page.$eval('#toggle', (button) => button.textContent)).toBe('Resume');
    await page.click('#toggle');
    await reach(page, 'finished');
    expect(await step(page)).toBe(120);
    const beside = await page.$eval('#beside', (table) => table.textContent ?? '');
    expect(beside).toMatch(/Size17 KB440 KB/);
    const [binary = 0, real = 0] = [...beside.matchAll(/([\d.]+) %/g)].map(([, share]) => Number(share));
    expect(binary).toBeGreaterThan(75);
    expect(real).toBeGreaterThan(75);
    await draw(page, ONE);
    expect(await answer(page)).toBe('1');
    expect(await field(page, 'twin-class')).toMatch(/takes it for \d/);
    // The same stroke by keyboard.
    await page.click('#clear');
    await page.waitForFunction(() => document.querySelector('[data-field="class"]')?.textContent === '–');
    await page.focus('#pad');
    for (let i = 0; i < 10; i++) await page.keyboard.press('ArrowUp');
    await page.keyboard.down('Shift');
    for (let i = 0; i < 18; i++) await page.keyboard.press('ArrowDown');
    await page.keyboard.up('Shift');
    expect(await answer(page)).toBe('1');
    await page.waitForSelector('#accuracy svg path');
    await screenshots(page, 'train');

    await show(page, 'weights');
    expect(await inked(page, '#filters')).toBeGreaterThanOrEqual(64 * 784);
    await page.waitForFunction(() => document.querySelectorAll('#histograms figure svg').length === 3);
    const meanAngle = await page.$eval('#layers tbody td:nth-of-type(2)', (cell) =>
      Number.parseFloat(cell.textContent ?? ''),
    );
    expect(meanAngle).toBeGreaterThan(31);
    await page.select('#layer', 'dense2');
    await page.waitForSelector('#maps[data-layer="dense2"] figure:nth-of-type(3)');
    for (const number of [1, 2, 3]) {
      expect(await inked(page, `#maps figure:nth-of-type(${number}) canvas`)).toBeGreaterThan(1000);
    }
    await page.click('#find-mistakes');
    await page.waitForSelector('#confusion');
    const counts = await page.$$eval('#confusion td', (cells) =>
      cells.map((cell) => Number(cell.textContent)),
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(500);
    const right = counts.filter((_, cell) => cell % 11 === 0).reduce((sum, count) => sum + count, 0);
    expect((100 * right) / 500).toBeCloseTo(binary, 1);
    await screenshots(page, 'weights');
    expect(errors).toEqual([]);
    await close(page);
  });

  test('left in the middle and opened again, goes on to the bits of a training that was not', async () => {
    const straight = await open(SMALL);
    await reach(straight.page, 'ready');
    await straight.page.click('#toggle');
    await reach(straight.page, 'finished');
    const hash = await hashOf(straight.page);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    await close(straight.page);

    const { page } = await open(SMALL);
    await reach(page, 'ready');
    await page.click('#toggle');
    // An epoch of 40 steps was kept.
    await pastStep(page, 45);
    await page.goto(`${studio.url}/`, { waitUntil: 'load' });
    await reach(page, 'paused');
    expect(await field(page, 'status')).toMatch(/left after step 40/);
    await page.click('#toggle');
    await reach(page, 'finished');
    expect(await step(page)).toBe(120);
    expect(await hashOf(page)).toBe(hash);

    // Kept: renamed, found again, deleted.
    await page.$eval('#runs input', (input) => {
      if (!(input instanceof HTMLInputElement)) return;
      input.value = 'my first';
      input.dispatchEvent(new Event('change', { bubbles: true }));
    });
    await page.waitForSelector('#runs input[aria-busy="false"]');
    await page.reload({ waitUntil: 'load' });
    await reach(page, 'ready');
    await show(page, 'runs');
    expect(await page.$eval('#runs input', (input) => (input as HTMLInputElement).value)).toBe('my first');
    await screenshots(page, 'runs');
    await page.evaluate(() => {
      for (const button of document.querySelectorAll('#runs button'))
        if (button.textContent === 'Delete') (button as HTMLButtonElement).click();
    });
    await page.waitForFunction(() => document.querySelector('#runs') === null);
    await close(page);
  });

  test("learns a visitor's own pictures, says what is wrong with them, and knows them after a reload", async () => {
    const shapes = mkdtempSync(join(tmpdir(), 'webgpu-bnn shapes '));
    drawShapes(shapes, 0, 20, 20);
    writeFileSync(join(shapes, 'disc', 'notes.txt'), 'no picture');
    const broken = join(shapes, 'broken.png');
    writeFileSync(broken, 'no picture');
    const pathOf = (shape: string) => (_: unknown, i: number) => join(shapes, shape, `${i}.png`);
    const crosses = Array.from({ length: 20 }, pathOf('cross'));
    const { page, errors } = await open('images=2000&heldOut=500&epochs=10&layers=dense64&twin=0&seed=1');
    await reach(page, 'ready');
    await show(page, 'pictures');
    const give = async (selector: string, ...paths: string[]) => {
      const input = (await page.$(selector)) as ElementHandle<HTMLInputElement>;
      await input.uploadFile(...paths);
    };
    const name = (value: string) =>
      page.$eval(
        '#class-name',
        (input, text) => {
          if (!(input instanceof HTMLInputElement)) return;
          input.value = text;
          input.dispatchEvent(new Event('input', { bubbles: true }));
        },
        value,
      );
    const counted = (...counts: string[]) =>
      page.waitForFunction(
        (wanted) =>
          [...document.querySelectorAll('#groups li')]
            .map(
              (item) => `${item.querySelector('input')?.value}: ${item.querySelector('span')?.textContent}`,
            )
            .join() === wanted,
        {},
        counts.join(),
      );
    /** What is wrong with them; the training that was there is left as it was. */
    const refused = async (what: RegExp) => {
      await page.click('#learn-pictures');
      await page.waitForFunction(
        (source) =>
          new RegExp(source, 's').test(document.querySelector('#picture-trouble')?.textContent ?? ''),
        {},
        what.source,
      );
      expect(await page.$eval('body', (body) => body.dataset.state)).toBe('ready');
    };

    await name('cross');
    await give('#picture-files', ...crosses);
    await counted('cross: 20 pictures');
    await refused(/tell classes apart.*one class, cross.*Remedy/);
    await name('hollow');
    await give('#picture-files', broken);
    await counted('cross: 20 pictures', 'hollow: 1 picture');
    await refused(/one picture only.*hollow.*Remedy/);
    await name('hollow');
    await give('#picture-files', join(shapes, 'hollow square', '0.png'));
    await counted('cross: 20 pictures', 'hollow: 2 pictures');
    await refused(/can not be read.*broken\.png.*Remedy/);
    await screenshots(page, 'pictures-wrong');
    await page.click('input[name="skip-broken"]');
    await refused(/too few samples.*1 sample of hollow.*Remedy/);
    await page.click('input[name="skip-broken"]');
    await page.click('button[aria-label="Remove hollow"]');
    await give('#picture-folder', join(shapes, 'disc'));
    await counted('cross: 20 pictures', 'disc: 20 pictures');
    // Dropped without a folder, and named afterwards.
    await page.$eval(
      '#pictures-drop',
      (panel, files) => {
        const dataTransfer = new DataTransfer();
        for (const [i, bytes] of files.entries())
          dataTransfer.items.add(new File([Uint8Array.from(bytes)], `${i}.png`, { type: 'image/png' }));
        panel.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
      },
      Array.from({ length: 20 }, (_, i) => [...picture('hollow square', i, 20)]),
    );
    await counted('cross: 20 pictures', 'disc: 20 pictures', 'class 3: 20 pictures');
    await page.$eval('#groups li:nth-of-type(3) input', (input) => {
      if (!(input instanceof HTMLInputElement)) return;
      input.value = 'hollow square';
      input.dispatchEvent(new Event('change', { bubbles: true }));
    });
    await page.click('#learn-pictures');
    await page.waitForSelector('#own');
    await reach(page, 'ready');
    expect(await page.$('#picture-trouble')).toBeNull();
    const shown = () =>
      page.$$eval('#own figure', (figures) =>
        figures.map((figure) => {
          const thumbnails = figure.querySelectorAll('canvas').length;
          return `${figure.querySelector('figcaption')?.textContent}, ${thumbnails} shown`;
        }),
      );
    const own = ['cross', 'disc', 'hollow square'].map(
      (shape) => `${shape} 16 to learn, 4 held out, 8 shown`,
    );
    expect(await shown()).toEqual(own);
    expect(await inked(page, '#own canvas')).toBe(784);
    await screenshots(page, 'pictures');

    await show(page, 'train');
    await page.click('#toggle');
    await reach(page, 'finished');
    expect(Number.parseFloat(await field(page, 'test-accuracy'))).toBeGreaterThan(60);
    await page.click('#sample');
    await page.waitForFunction(() =>
      /^(cross|disc|hollow square)$/.test(document.querySelector('[data-field="class"]')?.textContent ?? ''),
    );
    expect(await field(page, 'hint')).toMatch(/is (cross|disc|hollow square)\.$/);
    await screenshots(page, 'pictures-train');
    const hash = await hashOf(page);

    // The same again, left in the middle.
    await show(page, 'train');
    await page.click('#reset');
    await reach(page, 'ready');
    await page.click('#toggle');
    await pastStep(page, 15);
    await page.goto(`${studio.url}/`, { waitUntil: 'load' });
    await reach(page, 'paused');
    await show(page, 'pictures');
    expect(await shown()).toEqual(own);
    await show(page, 'train');
    await page.click('#toggle');
    await reach(page, 'finished');
    expect(await hashOf(page)).toBe(hash);

    // Pictures go with the last run that learnt them; MNIST is there as before.
    const kept = () =>
      page.evaluate(
        () =>
          new Promise<number>((resolve) => {
            const opening = indexedDB.open('webgpu-bnn studio');
            opening.onsuccess = () => {
              const counting = opening.result.transaction('pictures').objectStore('pictures').count();
              counting.onsuccess = () => {
                opening.result.close();
                resolve(counting.result);
              };
            };
          }),
      );
    expect(await kept()).toBe(1);
    for (const left of [1, 0]) {
      await page.$$eval('#runs button', (buttons) =>
        buttons.find(({ textContent }) => textContent === 'Delete')?.click(),
      );
      await page.waitForFunction(
        (count) => document.querySelectorAll('#runs tbody tr').length === count,
        {},
        left,
      );
      expect(await kept()).toBe(left);
      await reach(page, 'ready', 'finished');
    }
    await show(page, 'pictures');
    await page.click('#learn-mnist');
    await reach(page, 'ready');
    await page.waitForFunction(() => document.querySelector('#own') === null);
    rmSync(shapes, { recursive: true, force: true });
    expect(errors).toEqual([]);
    await close(page);
  });

  test('goes on for 10 more epochs after the end, over a reload, and draws runs over each other', async () => {
    const { page, errors } = await open(TINY);
    await reach(page, 'ready');
    await page.click('#toggle');
    await reach(page, 'finished');
    await page.click('#more');
    await pastStep(page, 30);
    await page.goto(`${studio.url}/`, { waitUntil: 'load' });
    await reach(page, 'paused');
    expect(await field(page, 'status')).toMatch(/left after step \d/);
    expect(await page.$eval('input[name="epochs"]', (input) => (input as HTMLInputElement).value)).toBe('11');
    await page.click('#toggle');
    await reach(page, 'finished');
    expect(await step(page)).toBe(110);
    await screenshots(page, 'finished');

    await page.click('#reset');
    await reach(page, 'ready');
    await type(page, 'epochs', '2');
    await type(page, 'seed', '2');
    await page.click('#toggle');
    await reach(page, 'finished');
    await show(page, 'runs');
    const text = () => page.$eval('#accuracy', (chart) => chart.textContent ?? '');
    await page.waitForSelector('#accuracy svg path');
    expect(await text()).not.toMatch(/64, steSign, adam/);
    await page.click('#runs input[type="checkbox"]:not(:disabled)');
    await page.waitForFunction(() =>
      /64, steSign, adam, held out/.test(document.querySelector('#accuracy')?.textContent ?? ''),
    );
    await screenshots(page, 'overlaid');
    await page.click('#runs input[type="checkbox"]:not(:disabled)');
    await page.waitForFunction(
      () => !/64, steSign/.test(document.querySelector('#accuracy')?.textContent ?? ''),
    );
    expect(errors).toEqual([]);
    await close(page);
  });

  test('hands out the network in every format', async () => {
    const { page, errors } = await open(SMALL.replace('epochs=3', 'epochs=1'));
    await reach(page, 'ready');
    const blobs = await page.evaluateHandle(() => {
      const made: Promise<number[]>[] = [];
      const plain = URL.createObjectURL;
      URL.createObjectURL = (blob) => {
        if (blob instanceof Blob) made.push(blob.arrayBuffer().then((bytes) => [...new Uint8Array(bytes)]));
        return plain(blob);
      };
      return made;
    });
    await page.click('#toggle');
    await reach(page, 'finished');
    await show(page, 'runs');
    for (const [index, format] of ['safetensors', 'onnx', 'tflite'].entries()) {
      await page.click(`[data-format="${format}"]`);
      await page.waitForFunction((made, least) => made.length > least, {}, blobs, index);
      const bytes = await blobs.evaluate((made, at) => made[at], index);
      const model = await loadModel(Uint8Array.from(bytes ?? []));
      expect(model.classes, format).toHaveLength(10);
    }
    expect(errors).toEqual([]);
    await close(page);
  });

  test('trains with a gradient that was typed, and says by line what is wrong with another', async () => {
    const { page } = await open(SMALL.replace('epochs=3', 'epochs=1'));
    await reach(page, 'ready');
    await show(page, 'method');
    const write = (text: string) =>
      page.$eval(
        '#gradient',
        (area, value) => {
          if (!(area instanceof HTMLTextAreaElement)) return;
          area.value = value;
          area.dispatchEvent(new Event('input', { bubbles: true }));
        },
        text,
      );
    await write('fn gradient(x: f32) -> f32 {\n  return nothing(x);\n}');
    await page.waitForFunction(() =>
      /Line 2: .*nothing/.test(document.querySelector('#gradient-errors')?.textContent ?? ''),
    );
    expect(await page.$eval('#use-gradient', (button) => (button as HTMLButtonElement).disabled)).toBe(true);
    await screenshots(page, 'method-wrong');
    await write('fn gradient(x: f32) -> f32 { return exp(-x * x); }');
    await page.waitForFunction(() => document.querySelector('#gradient-errors')?.textContent === '');
    await page.waitForSelector('#gradient-plot svg path');
    await screenshots(page, 'method');
    await page.click('#use-gradient');
    await show(page, 'train');
    expect(
      await page.$eval('select[name="quantizer"]', (select) => (select as HTMLSelectElement).value),
    ).toBe('mine');
    await page.click('#toggle');
    await reach(page, 'finished');
    expect(Number.parseFloat(await field(page, 'test-accuracy'))).toBeGreaterThan(50);

    // By one click beside a shipped one.
    await show(page, 'method');
    await page.click('#compare-gradients');
    await page.waitForFunction(() => {
      const quantizer = document.querySelector<HTMLSelectElement>('select[name="quantizer"]')?.value;
      return quantizer === 'steSign' && document.body.dataset.state === 'finished';
    });
    await page.waitForFunction(() =>
      /128-64, mine, adam, held out/.test(document.querySelector('#accuracy')?.textContent ?? ''),
    );
    await screenshots(page, 'method-compared');
    await close(page);
  });

  test('compiles the gradient function of a link when it is allowed, and not before', async () => {
    const gradient = 'fn gradient(x: f32) -> f32 { return nothing(x); }';
    const { page } = await open(`${SMALL}&quantizer=mine&gradient=${encodeURIComponent(gradient)}`);
    await reach(page, 'ready');
    expect(await field(page, 'status')).toMatch(/link brings a gradient function/);
    const mine = 'select[name="quantizer"] option[value="mine"]';
    expect(await page.$eval(mine, (option) => (option as HTMLOptionElement).disabled)).toBe(true);
    await show(page, 'method');
    expect(await page.$eval('#gradient', (area) => (area as HTMLTextAreaElement).value)).toBe(gradient);
    expect(await page.$eval('#gradient-errors', (list) => list.textContent)).toBe('');
    await page.click('#allow');
    await page.waitForFunction(() =>
      /Line 1: .*nothing/.test(document.querySelector('#gradient-errors')?.textContent ?? ''),
    );
    expect(await page.$('#foreign')).toBeNull();
    await close(page);

    // Nor that of a link which names another method.
    const other = await open(`${SMALL}&quantizer=steSign&gradient=${encodeURIComponent(gradient)}`);
    await reach(other.page, 'ready');
    await show(other.page, 'method');
    await other.page.waitForSelector('#foreign');
    expect(await other.page.$eval('#gradient-errors', (list) => list.textContent)).toBe('');
    await close(other.page);
  });

  test('opens model files of others, and says what is wrong with one that is none', async () => {
    const { page, errors } = await open(SMALL);
    await reach(page, 'ready');
    await show(page, 'model');
    const give = async (...files: string[]) => {
      const input = await page.$('#model-file');
      if (input === null) throw new Error('there is no file input');
      await (input as ElementHandle<HTMLInputElement>).uploadFile(...files);
    };
    await give(join(ROOT, 'package.json'));
    await page.waitForSelector('#model-trouble');
    await give(TFC);
    await page.waitForSelector('#model #graph');
    expect(await page.$('#model-trouble')).toBeNull();
    const text = await page.$eval('#model', (element) => element.textContent ?? '');
    expect(text).toMatch(/onnx.*in WebAssembly/i);
    await screenshots(page, 'model');
    expect(errors).toEqual([]);
    await close(page);
  });

  test('explains in six steps why signs suffice, with figures that react', async () => {
    const { page, errors } = await open(SMALL);
    await reach(page, 'ready');
    await show(page, 'understand');
    const mean = async () => Number.parseFloat(await field(page, 'mean-angle'));
    expect(Math.abs((await mean()) - 36.7)).toBeLessThan(0.5);
    const slide = (name: string, value: string) =>
      page.$eval(
        `input[name="${name}"]`,
        (input, text) => {
          if (!(input instanceof HTMLInputElement)) return;
          input.value = text;
          input.dispatchEvent(new Event('input', { bubbles: true }));
        },
        value,
      );
    // In the plane, two numbers: 22.5 degrees in the mean.
    await slide('dimension', '1');
    await page.waitForFunction(
      () => Number.parseFloat(document.querySelector('[data-field="mean-angle"]')?.textContent ?? '') < 25,
    );
    expect(Math.abs((await mean()) - 22.5)).toBeLessThan(1);
    await slide('share', '0');
    await page.waitForFunction(
      () => Number.parseFloat(document.querySelector('[data-field="lopsided"]')?.textContent ?? '') < 40,
    );
    await slide('dimension', '9');
    await page.waitForFunction(() => document.querySelectorAll('main svg').length === 6);
    await screenshots(page, 'understand');
    expect(errors).toEqual([]);
    await close(page);
  });

  test('says what is wrong with options, and starts once they are right', async () => {
    const { page, errors } = await open('images=100&heldOut=100&batch=200&layers=dense32');
    await page.waitForSelector('body[data-state="failed"]');
    expect(await page.$eval('#notice', (element) => element.textContent)).toMatch(
      /batch is larger than the data set.*batch = 200/is,
    );
    await type(page, 'batch', '50');
    await type(page, 'rate', '0');
    await page.click('#toggle');
    await page.waitForFunction(() =>
      /Without a learning rate.*Remedy/s.test(document.querySelector('#notice')?.textContent ?? ''),
    );
    await type(page, 'rate', '0.02');
    await page.select('select[name="schedule"]', 'cosine');
    await page.click('#toggle');
    await reach(page, 'training', 'finished');
    expect(await page.$('#notice')).toBeNull();
    await reach(page, 'finished');
    expect(await linkIn(page)).toMatch(/schedule=cosine/);
    await page.click('#reset');
    await reach(page, 'ready');
    // A convolution that no room is left for is said before anything is made.
    for (let i = 0; i < 4; i++) {
      await page.$eval('#layer-list select', (select) => {
        if (!(select instanceof HTMLSelectElement)) return;
        select.value = 'conv';
        select.dispatchEvent(new Event('change', { bubbles: true }));
      });
    }
    expect(await field(page, 'outline')).toMatch(/KB with signs/);
    expect(errors).toEqual([]);
    await close(page);
  });

  test('says what to do where WebGPU is missing', async () => {
    const page = await studio.chrome.browser.newPage();
    await page.evaluateOnNewDocument(() => {
      Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined });
    });
    await page.goto(`${studio.url}/`);
    await page.waitForSelector('body[data-state="unsupported"]');
    const text = await page.$eval('#notice', (element) => element.textContent);
    for (const browser of ['Chrome', 'Firefox', 'Safari', '--enable-unsafe-webgpu'])
      expect(text).toContain(browser);
    await screenshots(page, 'unsupported');
    await page.close();
  });

  test('shows the loss of the device and goes on from the last checkpoint', async () => {
    const { page } = await open('images=600&heldOut=100&epochs=40&batch=50&layers=dense64');
    await reach(page, 'ready');
    await page.click('#toggle');
    await pastStep(page, 24);
    await page.evaluate(() => new BroadcastChannel('take-device').postMessage(''));
    await page.waitForSelector('body[data-state="failed"]');
    expect(await page.$eval('#notice', (element) => element.textContent)).toMatch(
      /device was lost.*remedy/is,
    );
    await screenshots(page, 'lost');
    await page.click('#recover');
    await reach(page, 'training');
    await pastStep(page, 24);
    await page.click('#toggle');
    await reach(page, 'paused');
    expect(await page.$('#notice')).toBeNull();
    await close(page);
  });

  test('keeps the run when the GPU process crashes', async () => {
    const { page } = await open('images=600&heldOut=100&epochs=40&batch=50&layers=dense64');
    await reach(page, 'ready');
    await page.click('#toggle');
    await pastStep(page, 24);
    const session = await studio.chrome.browser.target().createCDPSession();
    // The answer doesn't come when the process is gone first.
    session.send('Browser.crashGpuProcess').catch(() => undefined);
    await page.waitForSelector('body[data-state="failed"]');
    expect(await page.$eval('#notice', (element) => element.textContent)).toMatch(/device was lost/i);
    await page.click('#recover');
    // Whether the browser starts the GPU again is its own affair.
    await page.waitForSelector('body[data-state="failed"], body[data-state="training"]');
    if ((await page.$eval('body', (body) => body.dataset.state)) === 'failed') {
      expect(await page.$eval('#notice', (element) => element.textContent)).toMatch(/checkpoint is kept/i);
      expect(await page.$('#recover')).not.toBeNull();
    }
    await close(page);
  });
});
