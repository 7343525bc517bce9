/** A page that names what pictures show: a network, what runs it, and what shows it, as files for any static host. */
import { LayerNotRunError, OptionError, printable } from '../errors.ts';
import {
  loadModel,
  type Model,
  type ParameterValues,
  type PixelEncoding,
  saveModel,
  sizeOf,
  wasmEngine,
} from '../index.ts';
import { html } from './html.ts';
import { whole } from './words.ts';

/** Files of such a page. */
export const PAGE_FILES = {
  page: 'index.html',
  script: 'classify.js',
  library: 'webgpu-bnn.js',
  model: 'model.safetensors',
  readme: 'README.md',
} as const;

/** The network of a page. */
export interface PageNetwork {
  readonly model: Model;
  readonly values: ParameterValues;
  /** What pictures are brought to: height, width, channels. */
  readonly image: readonly [number, number, 1 | 3];
  readonly pixels: PixelEncoding;
  /** Names of the classes; undefined: their numbers. */
  readonly classes: readonly string[] | undefined;
  /** What the page is called; undefined: by the classes. */
  readonly title?: string | undefined;
}

/** What pages are made of. */
export interface PageParts {
  /** Texts of `exported-page/`. */
  readonly templates: { readonly page: string; readonly script: string; readonly readme: string };
  /** The entry for running networks, in one file. */
  readonly library: Uint8Array;
  /** Of this library. */
  readonly version: string;
}

/** Classes that the README names. */
const MOST_NAMES = 100;
/** Images whose times the README's is the median of. */
const RUNS = 21;

/** Makes a page of a network. @returns contents by name, and how long an image takes here */
export async function exportedPage(
  { model, values, image: [height, width, channels], pixels, ...named }: PageNetwork,
  { templates, library, version }: PageParts,
): Promise<{ readonly files: ReadonlyMap<string, Uint8Array>; readonly milliseconds: string }> {
  const outputs = sizeOf(model.outputShape);
  const classes = named.classes ?? Array.from({ length: Math.max(2, outputs) }, (_, i) => String(i));
  const network = await saveModel('safetensors', model, values, { pixels, classes });
  const title = named.title ?? titleOf(classes, model.name);
  const holes = { title, height, width, channels };
  const milliseconds = (await timeOfImage(network)).toFixed(1);
  const encoded = (text: string) => new TextEncoder().encode(text);
  const files: readonly (readonly [name: string, content: Uint8Array, about: string])[] = [
    [PAGE_FILES.page, encoded(filled(templates.page, holes, (text) => String(html`${text}`))), 'the page'],
    [PAGE_FILES.script, encoded(filled(templates.script, holes)), 'what it does: change it as you like'],
    [PAGE_FILES.library, library, 'webgpu-bnn: all that runs networks'],
    [PAGE_FILES.model, network, 'the network, with its classes and how it takes bytes'],
  ];
  const shown = classes.slice(0, MOST_NAMES).map(inMarkdown);
  const readme = filled(templates.readme, {
    title: inMarkdown(title),
    files: files
      .map(([name, { length }, about]) => `| \`${name}\` | ${whole(length)} | ${about} |`)
      .join('\n'),
    count: classes.length,
    classes: [...shown, ...(classes.length > MOST_NAMES ? ['...'] : [])].join(', '),
    size: `${height} x ${width}`,
    colours: channels === 1 ? 'grey' : 'red, green and blue',
    milliseconds,
    runs: RUNS,
    version,
  });
  const all = files.map(([name, content]) => [name, content] as const);
  return { files: new Map([...all, [PAGE_FILES.readme, encoded(readme)]]), milliseconds };
}

/** Text that Markdown takes for nothing else, in one line. */
function inMarkdown(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' ')).replaceAll(/[\\`*_<>|[\]#]/g, '\\$&');
}

/** Few classes are the question that the page answers. */
function titleOf(classes: readonly string[], name: string): string {
  if (classes.length > 4) return `${name}: ${classes.length} classes`;
  return `${classes.slice(0, -1).join(', ')} or ${classes.at(-1)}?`;
}

/** Milliseconds of one image, of the file as a page loads it. */
async function timeOfImage(network: Uint8Array<ArrayBuffer>): Promise<number> {
  const loaded = await loadModel(network);
  const classifier = await loaded.createClassifier({ engine: wasmEngine({ threads: 1 }) }).catch((cause) => {
    if (!(cause instanceof LayerNotRunError)) throw cause;
    const { given, where } = cause;
    throw new OptionError('Pages are for visitors without a GPU, too, and this network needs one.', {
      ...{ given, where, cause },
      remedy:
        "quantize inputs by their signs alone, 'steSign' say; or run the network in a program of your own",
    });
  });
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
