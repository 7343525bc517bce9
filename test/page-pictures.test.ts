/** Pictures of a page, in a real Chrome: the files of a folder, and images, canvases and frames, as samples and to be classified. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { encode } from 'fast-png';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PictureOptions, ResidentSource } from '../src/data/index.ts';
import { encodeModel } from '../src/formats/index.ts';
import { initialValues } from '../src/graph/index.ts';
import { decodeImage } from '../src/node/images.ts';
import { imagesFromFolder, loadModel, requestGpu } from '../src/node/index.ts';
import { PIXEL_RANGES } from '../src/run/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { type Chrome, launchChrome, servePages } from './helpers/chrome.ts';
import { drawShapes, picture } from './helpers/drawn-shapes.ts';
import { expectClose } from './helpers/gpu.ts';
import type { Folder, Sent } from './pages/pictures.ts';

const root = mkdtempSync(join(tmpdir(), 'page pictures '));
let chrome: Chrome;
let server: Awaited<ReturnType<typeof servePages>>;
let page: Awaited<ReturnType<Chrome['open']>>['page'];
let errors: string[] = [];
beforeAll(async () => {
  chrome = await launchChrome();
  server = await servePages();
  ({ page, errors } = await chrome.open(`${server.url}/test/pages/pictures.html`));
});
afterAll(async () => {
  await chrome?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

/** The files of a folder as an input of a page hands them over, in any order. */
const filesOf = (folder: string): Sent =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .reverse()
    .map((path) => [
      `${basename(folder)}/${relative(folder, path).replaceAll('\\', '/')}`,
      [...readFileSync(path)],
    ]);

const inPage = (files: Sent, options: PictureOptions) =>
  page.evaluate((sent, given) => window.folderOf(sent, given), files, options) as Promise<Folder | string>;

test.each<[string, PictureOptions, string[]]>([
  ['as they are', {}, ['']],
  ['made smaller and grey, with another seed', { size: [9, 13], channels: 1, seed: 4, split: 0.4 }, ['']],
  ['made larger, in parts of their own', { size: [24, 20] }, ['train', 'test']],
])('a folder of a page is that of Node: %s', async (_, options, parts) => {
  const folder = join(root, `shapes ${parts.length} ${options.seed}`);
  for (const part of parts)
    drawShapes(join(folder, part), part === 'test' ? 70 : 0, part === 'test' ? 2 : 5, 16);
  const inNode = await imagesFromFolder(folder, options);
  const { train, test: held } = inNode as typeof inNode & { train: ResidentSource; test: ResidentSource };
  const streamed = { ...options, channels: inNode.image[2] as 1 | 3, stream: true };
  // Kept, and decoded as they are needed.
  for (const given of [options, streamed]) {
    expect(await inPage(filesOf(folder), given)).toEqual({
      name: basename(folder),
      classes: inNode.classes,
      image: inNode.image,
      skipped: [],
      parts: [train, held].map(({ images, labels }) => ({ images: [...images], labels: [...labels] })),
    });
  }
});

test('images, canvases and frames are samples, and are classified, as Node does it', async () => {
  const png = picture('disc', 3, 12);
  const labels = ['a', 'b', 'a', 'b', 'a', 'b', 'a'];
  const data = (await page.evaluate(
    (bytes, names) => window.labelled(bytes, names),
    [...png],
    labels,
  )) as Folder;
  expect(data).toMatchObject({ classes: ['a', 'b'], image: [12, 12, 3] });
  const { pixels } = await decodeImage(new Uint8Array(png), { height: 12, width: 12, channels: 3 });
  const all = data.parts.flatMap(({ images }) => images);
  expect(all).toEqual(labels.flatMap(() => [...pixels]));

  const scores = (await page.evaluate((bytes) => window.scoresOf(bytes), [...png])) as Record<
    string,
    number[]
  >;
  const model = mlp({ input: [8, 8, 3], classes: 4, units: 32 });
  const file = encodeModel(model, initialValues(model, 5), { pixels: PIXEL_RANGES['0:1'] });
  using gpu = await requestGpu({ adapter: 'software' });
  using classifier = await (await loadModel(file)).createClassifier(gpu);
  const small = await decodeImage(new Uint8Array(png), { height: 8, width: 8, channels: 3 });
  const expected = [...(await classifier.classify(small.pixels)).scores];
  for (const [kind, own] of Object.entries(scores)) {
    const count = kind === 'all' ? Object.keys(scores).length - 1 : 1;
    expectClose(own, Array.from({ length: count }, () => expected).flat(), 1e-5, kind);
  }
  expect(Object.keys(scores)).toHaveLength(8);
});

test('what is no picture is refused by name, or left out and counted', async () => {
  const folder = join(root, 'broken');
  drawShapes(folder, 0, 3);
  const bad: Sent = [
    ['broken/disc/7.png', [...picture('disc', 7)].slice(0, 80)],
    ['broken/disc/8.jpg', [1, 2, 3]],
    ['broken/readme.md', [1]],
    ['broken/.cache/x/9.png', [1]],
  ];
  const files = [...filesOf(folder), ...bad];
  expect(await inPage(files, {})).toMatch(/can not be read[\s\S]*broken\/disc\/7\.png/);
  expect(await inPage(files, { skipBroken: true })).toMatchObject({
    classes: ['cross', 'disc', 'hollow square'],
    skipped: [expect.stringContaining('broken/disc/7.png'), expect.stringContaining('broken/disc/8.jpg')],
  });
  const large = encode({ width: 5, height: 4, channels: 3, data: new Uint8Array(60) });
  expect(await inPage([...filesOf(folder), ['broken/disc/9.png', [...large]]], {})).toMatch(
    /not of one size[\s\S]*5 x 4, and 16 x 16/,
  );
  const refusals = (await page.evaluate(() => window.refusals())) as string[];
  for (const [i, words] of [
    /no pictures in a folder[\s\S]*labels/,
    /no pictures in a folder[\s\S]*1 files/,
    /one label for every file[\s\S]*2 labels, 1 files/,
    /no picture of a page[\s\S]*Number/,
    /can not be read[\s\S]*no picture that the browser reads/,
    /no pixels here yet[\s\S]*0 x/,
  ].entries())
    expect(refusals[i]).toMatch(words);
  expect(errors).toEqual([]);
});
