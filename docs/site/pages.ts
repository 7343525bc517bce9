/**
 * Writes the pages of the site: those of docs/ as they are, and those that are made of the objects that they are about, so that
 * no page repeats what code says: methods with their formulas, numbers and plots, layers with their options, operators, figures.
 */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { RULES as ONNX_RULES } from '../../src/formats/onnx/read.ts';
import { RULES as TFLITE_RULES } from '../../src/formats/tflite/read.ts';
import { LAYER_KINDS } from '../../src/layers/index.ts';
import { describeMethod } from '../../src/methods/describe.ts';
import { EVERY, methodByName } from '../../src/methods/table.ts';
import { DARK, LIGHT } from '../../src/reports/plots.ts';
import { Docstrings, type Reflection } from './docstrings.ts';
import { layerFigure } from './layers.ts';
import { methodExample, unfitFor } from './methods.ts';
import { type Figure, methodFigures, THEORY } from './plots.ts';

const REPOSITORY = manifest.repository.url.replace(/^git\+|\.git$/g, '');

interface Entry {
  readonly text: string;
  readonly link?: string;
  readonly items?: readonly Entry[];
}

/** Text of prose, as Markdown that has no markup in it. */
const plain = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('{{', '&#123;&#123;');
/** Text in a cell of a table. */
const cell = (text: string): string => plain(text).replaceAll('|', '\\|');

/** A picture as it stands in a page; its colours follow the page's light or dark scheme. */
function inlined({ title, caption, plot }: Figure): string {
  const svg = plot.picture.toString().replaceAll(/<style[\s\S]*?<\/style>|\n/g, '');
  const legend = plot.series
    .filter(() => plot.series.length > 1)
    .map(({ name, colour }) => `<span><i style="background:${colour}"></i>${plain(name)}</span>`)
    .join('');
  const label = plain(`${title}. ${caption}`).replaceAll('"', '&quot;');
  return `<figure class="plot" v-pre><div class="legend">${legend}</div><div class="drawn" role="img" aria-label="${label}">${svg}</div><figcaption>${plain(caption)}</figcaption></figure>`;
}

/**
 * A page of docs/ as the site has it: links that leave docs/ go to the repository, and pictures of theory stand in the page.
 * @param path below docs/
 * @param root the repository's folder
 */
function sitePage(path: string, text: string, root: string): string {
  const docs = join(root, 'docs');
  return text
    .replaceAll(/!\[[^\]]*\]\((?:\.\.\/)*images\/theory\/(\w+)\.svg\)/g, (_, name: string) => {
      const make = THEORY[name];
      if (make === undefined) throw new Error(`${path} shows a figure that nothing makes: ${name}`);
      return inlined(make());
    })
    .replaceAll(/(\]\()([^)\s#]+)(#[^)\s]*)?\)/g, (whole, start: string, target: string, anchor = '') => {
      if (/^\w+:/.test(target)) return whole;
      const from = join(docs, dirname(path), target);
      const inside = relative(docs, from).split(sep).join('/');
      if (inside.startsWith('..')) {
        const kind = statSync(from).isDirectory() ? 'tree' : 'blob';
        return `${start}${REPOSITORY}/${kind}/main/${relative(root, from).split(sep).join('/')}${anchor})`;
      }
      if (statSync(from, { throwIfNoEntry: false })?.isDirectory()) {
        return `${start}${target.replace(/\/?$/, '/index.md')}${anchor})`;
      }
      return `${start}${target.replace(/README\.md$/, 'index.md')}${anchor})`;
    });
}

/** The pages below docs/ that people write. */
function writtenPages(root: string): readonly string[] {
  return readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((name) => name.split(sep).join('/'))
    .filter((name) => name.endsWith('.md') && !/^site\//.test(name))
    .sort();
}

const titleOf = (text: string): string => /^# (.*)$/m.exec(text)?.[1] ?? '';

const PLURALS = { quantizer: 'Quantizers', optimizer: 'Optimizers', penalty: 'Penalties', loss: 'Losses' };

const NOT_FOR = [
  ['kernelQuantizer', 'weights'],
  ['inputQuantizer', 'activations'],
] as const;

/** Pages of methods by their paths, and their list. */
function methodPages(): { readonly pages: ReadonlyMap<string, string>; readonly entries: readonly Entry[] } {
  const pages = new Map<string, string>();
  const entries: Entry[] = [];
  const index = [
    '# Methods',
    '',
    'What a training varies. Most are known by their names, wherever a method is taken, and `{ name, ... }` gives numbers of your own;',
    'the others are imported from `webgpu-bnn/methods`, as their pages show. Each page is made of the object that it is about, as',
    '`npx webgpu-bnn methods NAME` prints it; [your own](../extending/index.md) are made in the same way.',
  ];
  for (const [kind, all] of Object.entries(EVERY)) {
    const plural = PLURALS[kind as keyof typeof EVERY];
    const items: Entry[] = [];
    index.push('', `## ${plural}`, '', '| name | what it does | source |', '|---|---|---|');
    for (const name of Object.keys(all)) {
      const method = methodByName(name);
      const { about, formula, source, parameters, learned, notes } = describeMethod(method);
      const numbers = [
        ...parameters.map(({ name: key, value, bounds, says }) => [key, value, bounds, says]),
        ...learned.map(({ name: key, start, says }) => [key, `learned, from ${start}`, '', says]),
      ];
      const unfit = (method.kind === 'quantizer' ? NOT_FOR : []).flatMap(([use, what]) => {
        const reason = method.kind === 'quantizer' ? unfitFor(method, use) : undefined;
        const said = reason === undefined ? '' : `Not for ${what}: ${reason}.`;
        return said === '' || notes.includes(said) ? [] : [said];
      });
      const text = [
        `# ${name}`,
        '',
        `A ${kind}: ${plain(about)}.`,
        '',
        '```text',
        formula,
        '```',
        '',
        `Source: ${withLinks(plain(source))}.`,
        '',
        ...methodFigures(method).flatMap((figure) => [inlined(figure), '']),
        ...(numbers.length === 0
          ? []
          : [
              '| number | default | bounds | what it is |',
              '|---|---|---|---|',
              ...numbers.map(([key = '', ...cells]) => `| \`${key}\` | ${cells.map(cell).join(' | ')} |`),
              '',
            ]),
        ...[...notes, ...unfit].map((note) => `- ${plain(note)}`),
        '',
        '```ts',
        methodExample(method),
        '```',
        '',
        'Types and members: [methods](../api/methods/index.md).',
      ];
      pages.set(`methods/${name}.md`, text.join('\n'));
      items.push({ text: name, link: `/methods/${name}` });
      index.push(`| [${name}](${name}.md) | ${cell(about)} | ${withLinks(cell(source))} |`);
    }
    entries.push({ text: plural, items });
  }
  pages.set('methods/index.md', `${index.join('\n')}\n`);
  return { pages, entries };
}

/** Papers by their number are addresses. */
function withLinks(source: string): string {
  return source.replaceAll(/arXiv (\d{4}\.\d{4,5})/g, '[arXiv $1](https://arxiv.org/abs/$1)');
}

/** Pages of layers by their paths, and their list. */
function layerPages(docstrings: Docstrings): {
  readonly pages: ReadonlyMap<string, string>;
  readonly items: readonly Entry[];
} {
  const pages = new Map<string, string>();
  const index = [
    '# Layers',
    '',
    'Activations are NHWC, [batch, height, width, channels]; shapes are named without the batch. Every layer takes a `name`.',
    '',
    '| layer | what it does |',
    '|---|---|',
  ];
  for (const kind of LAYER_KINDS) {
    const { says, example, options } = docstrings.functionOf('layers', kind);
    const drawn = layerFigure(kind);
    const rows = options.map(
      (option) =>
        `| \`${option.name}\`${option.optional ? '' : ' (must be given)'} | \`${cell(option.type)}\` | ${cell(option.says)} |`,
    );
    const text = [
      `# ${kind}`,
      '',
      plain(says),
      '',
      ...(drawn === undefined ? [] : [inlined(drawn), '']),
      ...(rows.length === 0 ? [] : ['| option | type | what it is |', '|---|---|---|', ...rows, '']),
      ...(example === undefined ? [] : ['```ts', example, '```', '']),
      `Types: [layers](../api/layers.md#${kind.toLowerCase()}).`,
    ];
    pages.set(`layers/${kind}.md`, text.join('\n'));
    index.push(`| [${kind}](${kind}.md) | ${cell(says.split('\n\n')[0]?.replaceAll('\n', ' ') ?? '')} |`);
  }
  pages.set('layers/index.md', `${index.join('\n')}\n`);
  return { pages, items: LAYER_KINDS.map((kind) => ({ text: kind, link: `/layers/${kind}` })) };
}

/** Which operators of files are read. */
function operatorsPage(): string {
  const listed = (names: readonly string[]) =>
    [...names]
      .sort()
      .map((name) => `\`${name}\``)
      .join(', ');
  return `# Formats and operators

[Networks in files](models.md) says how files are read and written. A network in a file whose operators are not all here is refused,
and the one that isn't known is named. The lists are those of the readers themselves.

## ONNX, with QONNX, FINN and Brevitas

${listed(Object.keys(ONNX_RULES))}

## TensorFlow Lite, with Larq Compute Engine

${listed(Object.keys(TFLITE_RULES))}

## This library's own files, and BNN-PYNQ folders

All [layers](layers/index.md) are written to and read from \`.safetensors\`, with their options. BNN-PYNQ parameter folders hold the
networks CNV, LFC, SFC and TFC.
`;
}

/** Rooms of the reference, as people call them. */
const ROOMS: readonly (readonly [path: string, text: string])[] = [
  ['layers', 'Layers'],
  ['methods/index', 'Methods'],
  ['graph', 'Models and networks'],
  ['data', 'Data'],
  ['train', 'Training'],
  ['run', 'Classifying'],
  ['zoo', 'Ready-made networks'],
  ['formats', 'Files'],
  ['formats/onnx', 'webgpu-bnn/onnx'],
  ['formats/tflite', 'webgpu-bnn/tflite'],
  ['geometry', 'Geometry'],
  ['gpu', 'The GPU'],
  ['ops', 'ops: operations'],
  ['errors', 'Errors'],
  ['node', 'webgpu-bnn/node'],
  ['interop/tfjs', 'webgpu-bnn/tfjs'],
  ['interop/onnxruntime', 'webgpu-bnn/onnxruntime'],
];

/** Gives the reference the names that the site has for pages. */
function renameReference(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.md')) continue;
    const path = join(folder, name);
    const room = ROOMS.find(([of]) => `${of}.md` === name.split(sep).join('/').replace('README', 'index'));
    const text = readFileSync(path, 'utf8')
      .replaceAll('README.md', 'index.md')
      .replaceAll('{{', '&#123;&#123;')
      .replace(/^# .*$/m, (title) => (room === undefined ? title : `# ${room[1]}`));
    writeFileSync(path, text);
    if (name.endsWith('README.md')) renameSync(path, join(dirname(path), 'index.md'));
  }
  const list = ROOMS.map(([path, text]) => `- [${text}](${path}.md)`).join('\n');
  writeFileSync(
    join(folder, 'index.md'),
    `# API reference\n\nMade of the docstrings. The names of all rooms but the last six come from \`webgpu-bnn\`, and from \`webgpu-bnn/node\`.\n\n${list}\n`,
  );
}

const written = (group: string, names: readonly string[], text: (path: string) => string): Entry => ({
  text: group,
  items: names.map((name) => ({
    text: titleOf(text(`${name.replace(/\/$/, '/README')}.md`)),
    link: `/${name}`,
  })),
});

/**
 * Writes all pages, the list of them beside the text, and `llms.txt`.
 * @param folder has what TypeDoc wrote: `api/` and `api.json`
 * @param root the repository's folder
 */
export function writePages(folder: string, root: string): void {
  const docs = join(root, 'docs');
  const api = join(folder, 'api.json');
  const docstrings = new Docstrings(JSON.parse(readFileSync(api, 'utf8')) as Reflection);
  rmSync(api);
  renameReference(join(folder, 'api'));

  const texts = new Map<string, string>();
  const source = (path: string) => readFileSync(join(docs, path), 'utf8');
  for (const path of writtenPages(root)) {
    if (path === 'README.md') continue;
    texts.set(path.replace(/README\.md$/, 'index.md'), sitePage(path, source(path), root));
  }
  const methods = methodPages();
  const layers = layerPages(docstrings);
  for (const [path, text] of [...methods.pages, ...layers.pages]) texts.set(path, text);
  texts.set('operators.md', operatorsPage());

  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  // What a fence says after its language is for tests.
  for (const [path, text] of texts) put(path, text.replaceAll(/^```(\w+) [\w -]+$/gm, '```$1'));
  put('index.md', source('site/home.md'));
  mkdirSync(join(folder, 'public', 'images'), { recursive: true });
  copyFileSync(join(docs, 'images', 'demo.png'), join(folder, 'public', 'images', 'demo.png'));

  const main: Entry[] = [
    written(
      'Start',
      [
        'getting-started',
        'studio',
        'data',
        'models',
        'vectors',
        'one-bit',
        'in-projects',
        'coming-from',
        'command-line',
      ],
      source,
    ),
    written(
      'Tutorials',
      ['train', 'geometry', 'ship', 'bring', 'measure'].map((name) => `tutorials/${name}`),
      source,
    ),
    written(
      'How it works',
      [
        ...['bits', 'padding', 'straight-through', 'folding', 'determinism'].map((name) => `how/${name}`),
        'theory',
      ],
      source,
    ),
    written(
      'Your own',
      [
        'comparing',
        'several-machines',
        'thousand-workers',
        'extending/',
        ...['quantizer', 'optimizer', 'penalty', 'loss', 'layer', 'hook', 'source'].map(
          (name) => `extending/${name}`,
        ),
      ],
      source,
    ),
    {
      text: 'Reference',
      items: [
        { text: 'Methods', link: '/methods/' },
        { text: 'Layers', link: '/layers/' },
        { text: 'Formats and operators', link: '/operators' },
        ...(written('', ['compatibility', 'troubleshooting', 'glossary'], source).items ?? []),
        { text: 'API reference', link: '/api/' },
      ],
    },
    written(
      'Results',
      [
        'results/',
        ...['training', 'methods', 'software-adapter', 'llvmpipe', 'cpu', 'geometry', 'compilers'].map(
          (name) => `results/${name}`,
        ),
      ],
      source,
    ),
  ];
  // Long lists stand beside the pages that they are of.
  const sidebar = {
    '/methods/': [{ text: 'Methods', items: [{ text: 'All', link: '/methods/' }] }, ...methods.entries],
    '/layers/': [{ text: 'Layers', items: [{ text: 'All', link: '/layers/' }, ...layers.items] }],
    '/api/': [
      {
        text: 'API reference',
        items: [
          { text: 'All rooms', link: '/api/' },
          ...ROOMS.map(([path, text]) => ({ text, link: `/api/${path}`.replace(/index$/, '') })),
        ],
      },
    ],
    '/': main,
  };
  put('sidebar.json', JSON.stringify({ sidebar, repository: REPOSITORY }));
  put('colours.css', colours());
  put(
    'public/llms.txt',
    llms([...main, ...methods.entries, ...sidebar['/layers/'], ...sidebar['/api/']], texts),
  );
  put(
    'public/llms-full.txt',
    [...texts].map(([path, text]) => `<!-- ${path} -->\n\n${withoutPictures(text)}`).join('\n\n'),
  );
}

const withoutPictures = (text: string): string => text.replaceAll(/<figure[\s\S]*?<\/figure>/g, '');

/** The colours of plots, for the light and the dark scheme of the page. */
function colours(): string {
  const rules = (scheme: Readonly<Record<string, string>>) =>
    Object.entries(scheme)
      .map(([name, value]) => `  --${name}: ${value};`)
      .join('\n');
  return `:root {\n${rules(LIGHT)}\n}\n.dark {\n${rules(DARK)}\n}\n`;
}

/** What there is, for readers that are programs: https://llmstxt.org. */
function llms(sidebar: readonly Entry[], texts: ReadonlyMap<string, string>): string {
  const says = (link: string): string => {
    const text = texts.get(`${link.slice(1).replace(/\/$/, '/index')}.md`);
    const first = withoutPictures(text ?? '')
      .split(/\n\s*\n/)
      .find((block) => /^[A-Z`]/.test(block));
    const sentence = first?.replaceAll(/\s+/g, ' ').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    return sentence === undefined ? '' : `: ${sentence}`;
  };
  const entries = (list: readonly Entry[]): string[] =>
    list.flatMap(({ text, link, items }) => [
      ...(link === undefined
        ? []
        : [`- [${text}](${link.slice(1).replace(/\/$/, '/index')}.html)${says(link)}`]),
      ...entries(items ?? []),
    ]);
  const parts = sidebar.map(({ text, items }) => `## ${text}\n\n${entries(items ?? []).join('\n')}`);
  return `# ${manifest.name}\n\n> ${manifest.description}\n\nAll pages in one file: llms-full.txt\n\n${parts.join('\n\n')}\n`;
}
