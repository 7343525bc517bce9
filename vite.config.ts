import { builtinModules } from 'node:module';
import { defineConfig } from 'vitest/config';
import manifest from './package.json' with { type: 'json' };
import { wgsl } from './shaders/link.ts';

const external = [
  ...builtinModules,
  ...builtinModules.map((name) => `node:${name}`),
  ...Object.keys(manifest.dependencies),
  ...Object.keys(manifest.optionalDependencies),
  ...Object.keys(manifest.peerDependencies),
];

/** Rooms of which a page may need a part: each of their modules stays a file, so that bundlers can leave others away. */
const ROOMS =
  /\/src\/((?:gpu|kernels|ops|layers|graph|reference|formats|data|train|geometry)\/.+|errors)\.ts$/;

/** Name of the file that a module becomes; null where it goes with those that import it. */
function moduleName(id: string): string | null {
  const path = ROOMS.exec(id)?.[1];
  return path === undefined || path.endsWith('/index') ? null : path.replaceAll('/', '-');
}

export default defineConfig(({ command }) => ({
  plugins: [wgsl({ strip: command === 'build' })],
  build: {
    target: 'es2023',
    minify: false,
    sourcemap: true,
    lib: {
      entry: {
        index: 'src/index.ts',
        inference: 'src/inference.ts',
        node: 'src/node/index.ts',
        onnx: 'src/formats/onnx.ts',
        tflite: 'src/formats/tflite/index.ts',
        bench: 'src/bench/index.ts',
        tfjs: 'src/interop/tfjs/index.ts',
        cli: 'src/cli/main.ts',
        'kit-launch': 'src/cli/kit-launch.ts',
      },
      formats: ['es'],
    },
    rolldownOptions: {
      // A dependency is a file of its own too.
      preserveEntrySignatures: 'allow-extension',
      output: {
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [{ debugName: 'modules', name: moduleName }],
        },
      },
      external: (id: string) => external.some((name) => id === name || id.startsWith(`${name}/`)),
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two cores are shared with the software adapter, which is itself multi-threaded.
    maxWorkers: 2,
    pool: 'forks',
  },
}));
