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

export default defineConfig(({ command }) => ({
  plugins: [wgsl({ strip: command === 'build' })],
  build: {
    target: 'es2023',
    minify: false,
    sourcemap: true,
    lib: {
      entry: {
        index: 'src/index.ts',
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
