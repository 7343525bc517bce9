/** `webgpu-bnn export RUN page/`: a folder that any static host serves, whose page names what pictures show. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { OptionError } from '../errors.ts';
import { PIXEL_RANGES, type PixelRange } from '../index.ts';
import { readFileChecked } from '../node/files.ts';
import { writeFileAtomic } from '../node/index.ts';
import { npx } from '../npx.ts';
import { exportedPage, PAGE_FILES } from '../reports/exported-page.ts';
import { bytesText } from '../reports/words.ts';
import { resolvePixels } from '../run/pixels.ts';
import { MODEL_ARGUMENT, type ReadableModel, readModel } from './imported.ts';
import { madeNow } from './made.ts';
import { assertFree, assertOurs } from './output.ts';

interface Flags {
  readonly title?: string;
  readonly pixels?: PixelRange;
  readonly overwrite?: boolean;
}

/** The entry for running networks in one file, and what a page is made of; the build lays them beside the command line. */
export const RUNTIME = 'webgpu-bnn-inference.min.js';
export const TEMPLATES = 'page';
const BESIDE = dirname(fileURLToPath(import.meta.url));
export function exportCommand(): Command {
  return new Command('export')
    .description('write a page that classifies pictures with a stored network, for any static host')
    .argument('<model>', MODEL_ARGUMENT)
    .argument('<folder>', 'where the page goes')
    .option('--title <words>', 'what the page is called')
    .option(
      '--pixels <range>',
      `what the network takes bytes as, where its file does not say: ${Object.keys(PIXEL_RANGES).join(', ')}`,
    )
    .option('--overwrite', 'replace files that are there')
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn export runs/flowers page/
  $ webgpu-bnn export flowers.onnx page/ --title 'Which flower is it?'`,
    )
    .action(async (path: string, folder: string, flags: Flags) => {
      const files = Object.values(PAGE_FILES);
      assertOurs(folder, '<folder>', { mark: PAGE_FILES.library, files });
      assertFree(
        files.map((name) => join(folder, name)),
        flags,
        '<folder>',
      );
      await exportPage(path, folder, flags);
    });
}

async function exportPage(path: string, folder: string, { title, pixels: range }: Flags): Promise<void> {
  const source = await readModel(path, { fold: false });
  const { model, values, classes } = source;
  const pixels = range === undefined ? source.pixels : resolvePixels(range);
  const image = imageOf(source, path);
  if (pixels === undefined) {
    throw new OptionError('Nothing says how the network takes the bytes of a picture.', {
      given: path,
      expected: Object.keys(PIXEL_RANGES).join(', '),
      where: '--pixels',
      remedy: 'say it: --pixels 0:1 where a black byte is 0 and a white one 1',
    });
  }
  const library = await readFileChecked(join(BESIDE, RUNTIME));
  const [page, script, readme] = [
    await template(PAGE_FILES.page),
    await template(PAGE_FILES.script),
    await template(PAGE_FILES.readme),
  ];
  const { files, milliseconds } = await exportedPage(
    { model, values, image, pixels, classes, title },
    { templates: { page, script, readme }, library, version: madeNow().version },
  );
  for (const [name, content] of files) await writeFileAtomic(join(folder, name), content);
  const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  console.log(`written   ${folder}: ${[...files.keys()].join(', ')}`);
  console.log(
    `size      ${bytesText(total)}, of it the network ${bytesText(files.get(PAGE_FILES.model)?.length ?? 0)}`,
  );
  console.log(`image     ${milliseconds} ms here, in WebAssembly with one thread`);
  console.log(`look      npx serve ${folder}`);
}

async function template(name: string): Promise<string> {
  return new TextDecoder().decode(await readFileChecked(join(BESIDE, TEMPLATES, name)));
}

/** The extents of the pictures that a network takes. @throws OptionError for one that takes none, or has no classes */
function imageOf({ model, table }: ReadableModel, path: string): [number, number, 1 | 3] {
  const [height = 0, width = 0, channels, more] = model.inputShape;
  const isImage = (channels === 1 || channels === 3) && more === undefined && table === undefined;
  if (isImage && model.inputs.length === 1 && model.outputs.length === 1) return [height, width, channels];
  throw new OptionError('A page is written of networks that name what a picture shows.', {
    given: `${path}, which takes ${model.inputs.map(({ shape }) => shape.join(' x ')).join(' and ')}`,
    expected: 'height x width x 1 or 3, and one output',
    remedy: `write a file for a page of your own: ${npx('convert RUN FILE')}`,
  });
}
