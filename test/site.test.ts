/**
 * The documentation site as `npm run site` builds it, below a path: no link is broken, search finds, and axe-core has nothing to
 * say on any kind of page, light and dark, wide and on a phone.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { LAYER_KINDS } from '../src/layers/index.ts';
import { METHODS } from '../src/methods/table.ts';
import { violations } from './helpers/axe.ts';
import { type Chrome, launchChrome } from './helpers/chrome.ts';
import { serveFolder } from './helpers/static.ts';

const ROOT = join(import.meta.dirname, '..');
const BASE = '/some/where/';
const REPOSITORY = manifest.repository.url.replace(/^git\+|\.git$/g, '');
/** A page of each kind. */
const KINDS = [
  'index.html',
  'getting-started.html',
  'how/bits.html',
  'theory.html',
  'methods/index.html',
  'methods/steSign.html',
  'layers/index.html',
  'layers/quantConv2d.html',
  'operators.html',
  'results/software-adapter.html',
  'api/index.html',
  'api/graph.html',
  '404.html',
];

/** A site that is there already may be looked at instead. */
const given = process.env.WEBGPU_BNN_SITE;
const site = given ?? mkdtempSync(join(tmpdir(), 'webgpu-bnn-site-'));
const pages = new Map<string, string>();

beforeAll(() => {
  if (given === undefined) {
    execFileSync(process.execPath, [join(ROOT, 'docs', 'site', 'build.js'), '--base', BASE, '--out', site], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  for (const name of readdirSync(site, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.html')) pages.set(name.split(sep).join('/'), readFileSync(join(site, name), 'utf8'));
  }
});
afterAll(() => {
  if (given === undefined) rmSync(site, { recursive: true, force: true });
});

const decoded = (text: string) => text.replaceAll('&amp;', '&').replaceAll('&#39;', "'");

describe('the site', () => {
  test('has a page for every method and layer, and every page of docs/', () => {
    const methods = Object.keys(METHODS);
    const written = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
      .map((name) => name.split(sep).join('/'))
      .filter((name) => name.endsWith('.md') && !name.startsWith('site/'));
    const expected = [
      ...methods.map((name) => `methods/${name}.html`),
      ...LAYER_KINDS.map((kind) => `layers/${kind}.html`),
      ...written.map((name) => name.replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html')),
    ];
    expect(expected.filter((name) => !pages.has(name))).toEqual([]);
    expect(expected.length).toBeGreaterThan(90);
    for (const name of methods) expect(pages.get(`methods/${name}.html`), name).toContain('<svg');
  });

  test('has no broken link', () => {
    const broken: string[] = [];
    let count = 0;
    const anchors = new Map(
      [...pages].map(([name, text]) => [
        name,
        new Set([...text.matchAll(/ (?:id|name)="([^"]*)"/g)].map(([, id = '']) => decoded(id))),
      ]),
    );
    for (const [name, text] of pages) {
      const links = text.matchAll(/<(?:a|link|script|img)\b[^>]*? (?:href|src)="([^"]*)"/g);
      for (const [, raw = ''] of links) {
        count += 1;
        const address = new URL(decoded(raw), `http://site${BASE}${name}`);
        const anchor = decodeURIComponent(address.hash.slice(1));
        if (address.host !== 'site') {
          const inRepository = address.href.startsWith(`${REPOSITORY}/`)
            ? /^\/(?:blob|tree)\/main\/(.*)$/.exec(address.href.slice(REPOSITORY.length).replace(/#.*$/, ''))
            : undefined;
          // What is in the repository is looked for; others' pages can't be from here.
          if (inRepository && !existsSync(join(ROOT, decodeURIComponent(inRepository[1] ?? '')))) {
            broken.push(`${name}: ${address.href}`);
          }
          continue;
        }
        const path = decodeURIComponent(address.pathname);
        const file = path.startsWith(BASE) ? path.slice(BASE.length).replace(/(^|\/)$/, '$1index.html') : '';
        const here = file !== '' && statSync(join(site, file), { throwIfNoEntry: false })?.isFile();
        if (!here) broken.push(`${name}: ${raw}`);
        else if (anchor !== '' && file.endsWith('.html') && !anchors.get(file)?.has(anchor)) {
          broken.push(`${name}: ${raw}`);
        }
      }
    }
    expect(broken).toEqual([]);
    expect(count).toBeGreaterThan(5000);
  });

  test('has llms.txt, which lists pages that are there', () => {
    const text = readFileSync(join(site, 'llms.txt'), 'utf8');
    const links = [...text.matchAll(/\]\(([^)]*\.html)\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !pages.has(link))).toEqual([]);
    expect(links.length).toBeGreaterThan(100);
    expect(readFileSync(join(site, 'llms-full.txt'), 'utf8')).toContain(
      'A product of signs is a count of bits',
    );
  });

  test('says no path of the machine that built it', () => {
    const own = [ROOT, relative(sep, ROOT)];
    for (const [name, text] of pages)
      expect(
        own.filter((path) => text.includes(path)),
        name,
      ).toEqual([]);
  });
});

describe('in Chrome', () => {
  let chrome: Chrome;
  let server: Awaited<ReturnType<typeof serveFolder>>;
  beforeAll(async () => {
    [chrome, server] = [await launchChrome(), await serveFolder(site, { below: BASE })];
  });
  afterAll(async () => {
    await chrome[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const shots = process.env.WEBGPU_BNN_SHOTS;

  test.for(['light', 'dark'])(
    'axe-core has nothing to say, and nothing is wider than its page: %s',
    async (scheme) => {
      const found: unknown[] = [];
      for (const width of [1440, 390]) {
        const { page, errors } = await chrome.open(`${server.url}/index.html`, { width, height: 900 });
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        for (const name of KINDS) {
          await page.goto(`${server.url}/${name}`, { waitUntil: 'load' });
          await page.waitForFunction(
            () =>
              '__vue_app__' in (document.getElementById('app') ?? {}) &&
              document.querySelector('main, [role=main]'),
          );
          expect(await page.evaluate(() => document.documentElement.classList.contains('dark'))).toBe(
            scheme === 'dark',
          );
          found.push(...(await violations(page)).map((one) => ({ name, width, ...one })));
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (wide > 0) found.push({ name, width, wide });
          if (shots)
            await page.screenshot({
              path: join(shots, `${name.replaceAll('/', '-')}-${width}-${scheme}.png`),
            });
        }
        // The only page that isn't found is the one that says so.
        expect(errors.filter((error) => !/404/.test(error))).toEqual([]);
        await page.close();
      }
      expect(found).toEqual([]);
    },
  );

  test('search finds a method', async () => {
    const { page } = await chrome.open(`${server.url}/index.html`, { width: 1440, height: 900 });
    await page.waitForSelector('.VPNavBarSearch button');
    await page.click('.VPNavBarSearch button');
    await page.waitForSelector('.VPLocalSearchBox input');
    await page.type('.VPLocalSearchBox input', 'approxSign');
    await page.waitForSelector('.VPLocalSearchBox .result');
    const titles = await page.$$eval('.VPLocalSearchBox .result', (all) => all.map((one) => one.textContent));
    expect(titles.join('\n')).toContain('approxSign');
    await page.close();
  });
});
