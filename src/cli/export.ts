/** `webgpu-bnn export RUN page/`: a folder that any static host serves, whose page names what pictures show. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { OptionError, printable } from '../errors.ts';
import { PIXEL_RANGES, type PixelRange, saveModel, sizeOf, wasmEngine } from '../index.ts';
import { readFileChecked } from '../node/files.ts';
import { loadModel, writeFileAtomic } from '../node/index.ts';
import { npx } from '../npx.ts';
import { html } from '../reports/html.ts';
import { bytesText, whole } from '../reports/words.ts';
import { resolvePixels } from '../run/pixels.ts';
import { MODEL_ARGUMENT, type ReadableModel, readModel } from './imported.ts';
import { madeNow } from './made.ts';
import { assertFree } from './output.ts';

interface Flags {
  readonly title?: string;
  readonly pixels?: PixelRange;
  readonly overwrite?: boolean;
}

/** The entry for running networks in one file, and what a page is made of; the build lays them beside the command line. */
export const RUNTIME = 'webgpu-bnn-inference.min.js';
export const TEMPLATES = 'page';
const BESIDE = dirname(fileURLToPath(import.meta.url));
const NAMES = {
  page: 'index.html',
  script: 'classify.js',
  library: 'webgpu-bnn.js',
  model: 'model.safetensors',
  readme: 'README.md',
} as const;

/** Classes that the README names. */
const MOST_NAMES = 100;
/** Images whose times the README's is the median of. */
const RUNS = 21;

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
      assertFree(
        Object.values(NAMES).map((name) => join(folder, name)),
        flags,
        '<folder>',
      );
      await exportPage(path, folder, flags);
    });
}

async function exportPage(path: string, folder: string, flags: Flags): Promise<void> {
  const source = await readModel(path, { fold: false });
  const { model } = source;
  const pixels = flags.pixels === undefined ? source.pixels : resolvePixels(flags.pixels);
  const [height, width, channels] = imageOf(source, path);
  if (pixels === undefined) {
    throw new OptionError('Nothing says how the network takes the bytes of a picture.', {
      given: path,
      expected: Object.keys(PIXEL_RANGES).join(', '),
      where: '--pixels',
      remedy: 'say it: --pixels 0:1 where a black byte is 0 and a white one 1',
    });
  }
  const outputs = sizeOf(model.outputShape);
  const classes = source.classes ?? Array.from({ length: Math.max(2, outputs) }, (_, i) => String(i));
  const bytes = await saveModel('safetensors', model, source.values, { pixels, classes });
  const title = flags.title ?? titleOf(classes, model.name);
  const values = { title, height, width, channels };
  const library = await readFileChecked(join(BESIDE, RUNTIME));
  const [page, script, readme] = [
    await template(NAMES.page),
    await template(NAMES.script),
    await template(NAMES.readme),
  ];
  await writeFileAtomic(join(folder, NAMES.model), bytes);
  const milliseconds = (await timeOfImage(join(folder, NAMES.model))).toFixed(1);
  const files: readonly (readonly [name: string, content: Uint8Array | string, about: string])[] = [
    [NAMES.page, filled(page, values, (text) => String(html`${text}`)), 'the page'],
    [NAMES.script, filled(script, values), 'what it does: change it as you like'],
    [NAMES.library, library, 'webgpu-bnn: all that runs networks'],
    [NAMES.model, bytes, 'the network, with its classes and how it takes bytes'],
  ];
  for (const [name, content] of files) await writeFileAtomic(join(folder, name), content);
  const shown = classes.slice(0, MOST_NAMES).map(inMarkdown);
  await writeFileAtomic(
    join(folder, NAMES.readme),
    filled(readme, {
      title: inMarkdown(title),
      files: files
        .map(([name, content, about]) => `| \`${name}\` | ${whole(Buffer.byteLength(content))} | ${about} |`)
        .join('\n'),
      count: classes.length,
      classes: [...shown, ...(classes.length > MOST_NAMES ? ['...'] : [])].join(', '),
      size: `${height} x ${width}`,
      colours: channels === 1 ? 'grey' : 'red, green and blue',
      milliseconds,
      runs: RUNS,
      version: madeNow().version,
    }),
  );
  const total = files.reduce((sum, [, content]) => sum + Buffer.byteLength(content), 0);
  console.log(`written   ${folder}: ${Object.values(NAMES).join(', ')}`);
  console.log(`size      ${bytesText(total)}, of it the network ${bytesText(bytes.length)}`);
  console.log(`image     ${milliseconds} ms here, in WebAssembly with one thread`);
  console.log(`look      npx serve ${folder}`);
}

async function template(name: string): Promise<string> {
  return new TextDecoder().decode(await readFileChecked(join(BESIDE, TEMPLATES, name)));
}

/** Text that Markdown takes for nothing else, in one line. */
function inMarkdown(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' ')).replaceAll(/[\\`*_<>|[\]#]/g, '\\$&');
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

/** Few classes are the question that the page answers. */
function titleOf(classes: readonly string[], name: string): string {
  if (classes.length > 4) return `${name}: ${classes.length} classes`;
  return `${classes.slice(0, -1).join(', ')} or ${classes.at(-1)}?`;
}

/** Milliseconds of one image, of the file as a page loads it. */
async function timeOfImage(path: string): Promise<number> {
  const classifier = await (await loadModel(path)).createClassifier({ engine: wasmEngine({ threads: 1 }) });
  const image = new Uint8Array(sizeOf(classifier.loaded.model.inputShape)).map((_, i) => (97 * i) & 255);
  const times: number[] = [];
  for (let i = 0; i <= RUNS; i++) times.push((await classifier.classify(image)).millisecondsPerImage);
  classifier.dispose();
  // The first one makes ready.
  return times.slice(1).sort((a, b) => a - b)[(RUNS - 1) / 2] ?? 0;
}

/** A text with its `{{name}}`s replaced. */
function filled(
  text: string,
  values: Readonly<Record<string, string | number>>,
  written: (text: string) => string = (own) => own,
): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => written(String(values[name])));
}
