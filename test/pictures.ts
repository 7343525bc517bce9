/**
 * Makes docs/images: the studio as it is built, after it trained for a while, with a drawn zero; and the figures of docs/theory.md.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { expect, test } from 'vitest';
import { svgFile, THEORY } from '../docs/site/plots.ts';
import { launchChrome } from './helpers/chrome.ts';
import { serveFolder } from './helpers/static.ts';

const ROOT = join(import.meta.dirname, '..');

test('docs/images/theory', () => {
  const folder = join(ROOT, 'docs', 'images', 'theory');
  mkdirSync(folder, { recursive: true });
  for (const [name, make] of Object.entries(THEORY)) {
    const file = svgFile(make());
    expect(file).toContain('</svg>');
    writeFileSync(join(folder, `${name}.svg`), file);
  }
});

test('docs/images/demo.png', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-pictures-'));
  try {
    const configFile = join(ROOT, 'demo', 'vite.config.ts');
    await build({ configFile, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
    await using server = await serveFolder(folder);
    await using chrome = await launchChrome();
    const size = { width: 1280, height: 900 };
    const address = `${server.url}/?images=8000&heldOut=1000&epochs=3&batch=50`;
    const { page, errors } = await chrome.open(address, size);
    await page.waitForFunction(() => document.body.dataset.state === 'ready', { timeout: 100_000 });
    await page.click('#toggle');
    await page.waitForFunction(
      () => Number(document.querySelector('[data-field="step"]')?.textContent?.replace(/\D/g, '')) > 400,
      { timeout: 300_000, polling: 500 },
    );
    const box = await (await page.$('#pad'))?.boundingBox();
    if (!box) throw new Error('the pad is not on the page');
    const point = (share: number) =>
      [
        box.x + box.width * (0.5 + 0.22 * Math.sin(2 * Math.PI * share)),
        box.y + box.height * (0.5 - 0.32 * Math.cos(2 * Math.PI * share)),
      ] as const;
    await page.mouse.move(...point(0));
    await page.mouse.down();
    for (let step = 1; step <= 40; step++) await page.mouse.move(...point(step / 40));
    await page.mouse.up();
    await page.mouse.move(0, 0);
    // What was drawn last is recognised after the step that runs.
    await new Promise((done) => setTimeout(done, 3000));
    await page.screenshot({ path: join(ROOT, 'docs', 'images', 'demo.png'), fullPage: true });
    // What others show of a link to it.
    await page.setViewport({ width: 1200, height: 630 });
    await page.evaluate(() => scrollTo(0, 0));
    await new Promise((done) => setTimeout(done, 1000));
    await page.screenshot({ path: join(ROOT, 'demo', 'public', 'preview.png') });
    expect(errors).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
