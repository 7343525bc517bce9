import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules, createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { esmExternalRequirePlugin, type Plugin, parseSync } from 'vite';
import { defineConfig } from 'vitest/config';
import manifest from './package.json' with { type: 'json' };
import { linkFlags, wgsl } from './shaders/link.ts';
import { DECODERS } from './src/node/decoders.ts';
import { ENTRY_ALIASES } from './test/helpers/entries.ts';

const builtins = [...builtinModules, ...builtinModules.map((name) => `node:${name}`)];
/** All else that is used is in the build, so that a project which installs the package gets one folder. */
const external = Object.keys(manifest.peerDependencies);

/** Rooms that a page needs whole or not at all: a file each. */
const WHOLE =
  /\/src\/(gpu|train|geometry|data|formats\/onnx|formats\/tflite)\/(?!index|trainer|callbacks|start|pictures)/;
/** Modules that are needed together are one file, since bundlers cut where pages differ. */
const TOGETHER: readonly (readonly [RegExp, string])[] = [
  [/\/src\/(bytes|errors|npx)\.ts$/, 'errors'],
  [/\/src\/pictures\.ts$/, 'pictures'],
  [/\/src\/data\/pictures\.ts$/, 'data-pictures'],
  [/\/src\/(dispose|json|options|run\/pixels)\.ts$/, 'gpu'],
  // The engine of the processor is one file, but for what is loaded when a network needs it.
  [/\/src\/cpu\/(?!team|worker|workspace|layers\/others).+\.ts$/, 'cpu'],
  // Networks that were trained have these, and folded ones have others.
  [
    /\/src\/layers\/(activations|conv2d|dense|normalization|quantized-input|reshaping|weights)\.ts$/,
    'layers-trained',
  ],
  [/\/src\/(layers|ops|kernels)\/pool(ing)?\.ts$/, 'pooling'],
];
/** Rooms of which a page may need a part: a file for each module, so that bundlers can leave the others away. */
const IN_PARTS =
  /\/src\/((?:kernels|ops|methods|layers|graph|numerics|formats|run|zoo)\/.+|train\/(?:trainer|callbacks|start))(?<!\/index)\.ts$/;

/** WGSL of methods. What one module imports is in its file, what several do is a file that imports nothing: no circles. */
const OF_METHODS = /\/shaders\/methods\/.+\.wgsl$/;

/**
 * Families of shaders whose files hold what others share with them: a page that has those has these, too. A piece that none of
 * them has is where its bundler puts it.
 */
const SHARING = ['products', 'convolutions'];

/** Entries that export much of which most pages need little. */
const WIDE = ['index.js'];

/** Packages that formats need: they are in the build, so that a page without a bundler can load what imports them. */
const PACKAGES = /\/node_modules\/(?:@bufbuild\/(protobuf)|(fflate|flatbuffers|csv-parse))\//;

interface Graph {
  getModuleInfo(id: string): { readonly importers: readonly string[] } | null;
}

/** Whether a module is a family of shaders, or a shader of it, or a piece of one. */
function isOf(family: string, id: string, graph: Graph): boolean {
  if (!id.includes('.wgsl')) return id.endsWith(`/shaders/${family}.ts`);
  return graph.getModuleInfo(id)?.importers.some((from) => isOf(family, from, graph)) ?? false;
}

/** Name of the file that a module goes into; null where that is the one of who imports it. */
function fileOf(id: string, graph: Graph): string | null {
  if (/\/shaders\/(?!methods\/).+\.(wgsl|ts)/.test(id)) {
    return SHARING.find((family) => isOf(family, id, graph)) ?? null;
  }
  if (OF_METHODS.test(id)) {
    const [first, second] = graph.getModuleInfo(id)?.importers ?? [];
    if (first !== undefined && second === undefined) return fileOf(first, graph);
    return `${/\/shaders\/(.+)\.wgsl$/.exec(id)?.[1]?.replaceAll(/[/_]/g, '-')}-wgsl`;
  }
  const together = TOGETHER.find(([modules]) => modules.test(id));
  if (together !== undefined) return together[1];
  const [, ...names] = WHOLE.exec(id) ?? IN_PARTS.exec(id) ?? PACKAGES.exec(id) ?? [];
  return names.find(Boolean)?.replaceAll(/[/_]/g, '-') ?? null;
}

/** Puts the compiled code of image decoders beside the build; Vite would write it into their scripts as text. */
function decoders(): Plugin {
  const { resolve } = createRequire(import.meta.url);
  const url = /new URL\("\w+\.wasm",\s*import\.meta\.url\)\.href/g;
  return {
    name: 'decoders',
    apply: 'build',
    enforce: 'pre',
    transform: {
      filter: { id: /@jsquash\/.*_dec\.js$/ },
      handler: (code) => ({ code: code.replaceAll(url, '"handed over by src/node/images.ts"'), map: null }),
    },
    generateBundle() {
      for (const file of DECODERS) {
        this.emitFile({ type: 'asset', fileName: basename(file), source: readFileSync(resolve(file)) });
      }
    },
  };
}

/** What `export` makes a page of: its templates, and the entry for running networks as one file. */
function onePiece(): Plugin {
  const templates = join(import.meta.dirname, 'src', 'reports', 'exported-page');
  return {
    name: 'one-piece',
    apply: 'build',
    generateBundle() {
      for (const name of readdirSync(templates)) {
        this.emitFile({
          ...{ type: 'asset', fileName: `page/${name}` },
          source: readFileSync(join(templates, name)),
        });
      }
    },
    async writeBundle({ dir = '' }) {
      const { build } = await import('esbuild');
      await build({
        entryPoints: [join(dir, 'inference.js')],
        outfile: join(dir, 'webgpu-bnn-inference.min.js'),
        ...{ bundle: true, minify: true, format: 'esm', target: 'es2023' },
        ...{ legalComments: 'none', logLevel: 'warning', logOverride: { 'ignored-bare-import': 'silent' } },
      });
    },
  };
}

/**
 * Writes an entry of many names as `export *` of one file for each file that it takes names from. Bundlers that cut pages into
 * files give a page all that its entry's file imports, if another page needs that; of these they give it what it names.
 */
function narrowDoors(): Plugin {
  return {
    name: 'narrow-doors',
    apply: 'build',
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk' || !WIDE.includes(chunk.fileName)) continue;
        const { module } = parseSync(chunk.fileName, chunk.code);
        const doors = new Map<string, string[]>();
        for (const { moduleRequest, importName, exportName } of module.staticExports.flatMap(
          (one) => one.entries,
        )) {
          if (moduleRequest === null) throw new Error(`${chunk.fileName} makes ${exportName.name} itself.`);
          const names = doors.get(moduleRequest.value) ?? [];
          doors.set(moduleRequest.value, [...names, `${importName.name} as ${exportName.name}`]);
        }
        const lines = [...doors].map(([file, names]) => {
          const fileName = `${chunk.name}-of-${basename(file).replace(/-[\w-]{8}\.js$/, '.js')}`;
          this.emitFile({
            type: 'asset',
            fileName,
            source: `export { ${names.join(', ')} } from "${file}";\n`,
          });
          return `export * from "./${fileName}";\n`;
        });
        chunk.code = lines.join('');
      }
    },
  };
}

/** Tests that install, build, serve, train and kill as a user would: too long for `npm test`. */
export const OUTSIDE = [
  'attack',
  'bench',
  'cli',
  'convert',
  'cpu-browsers',
  'demo',
  'examples',
  'faults',
  'hostile',
  'kills',
  'kit',
  'nats',
  'own-data',
  'own-page',
  'package',
  'paper',
  'readme',
  'round-trip',
  'run',
  'runs',
  'setup',
  'site',
  'studio',
  'survey',
  'zoo',
].map((name) => `test/${name}.test.ts`);

export default defineConfig(({ command }) => ({
  plugins: [
    wgsl({ share: command === 'build' }),
    decoders(),
    onePiece(),
    narrowDoors(),
    esmExternalRequirePlugin({ external: builtins }),
  ],
  build: {
    target: 'es2023',
    minify: false,
    license: { fileName: 'licenses.md' },
    lib: {
      entry: {
        index: 'src/index.ts',
        inference: 'src/inference.ts',
        training: 'src/training.ts',
        methods: 'src/methods.ts',
        compare: 'src/compare.ts',
        nats: 'src/nats/open.ts',
        vectors: 'src/vectors.ts',
        hypervectors: 'src/hypervectors/index.ts',
        node: 'src/node/index.ts',
        onnx: 'src/formats/onnx.ts',
        tflite: 'src/formats/tflite/index.ts',
        bench: 'src/bench/index.ts',
        tfjs: 'src/interop/tfjs/index.ts',
        onnxruntime: 'src/interop/onnxruntime/index.ts',
        cli: 'src/cli/main.ts',
        'kit-launch': 'src/cli/kit-launch.ts',
        'picture-worker': 'src/node/picture-worker.ts',
      },
      formats: ['es'],
    },
    rolldownOptions: {
      // A dependency is a file of its own too.
      preserveEntrySignatures: 'allow-extension',
      output: {
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [{ debugName: 'modules', name: fileOf }],
        },
      },
      external: (id: string) => external.some((name) => id === name || id.startsWith(`${name}/`)),
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    // `npm run test:outside` runs these, which take minutes each.
    exclude: OUTSIDE,
    alias: ENTRY_ALIASES,
    // Not for what a test takes, but for a machine that is four times as loaded as two quiet cores.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // Two cores are shared with the software adapter, which is itself multi-threaded.
    maxWorkers: 2,
    pool: 'forks',
    execArgv: linkFlags(),
  },
}));
