/** The demo page: `npm run demo` serves it, `vite build --config demo/vite.config.ts` writes it to `dist-demo/`. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { wgsl } from '../shaders/link.ts';
import { ENTRY_ALIASES } from '../test/helpers/entries.ts';
import { mnistFiles } from './mnist-plugin.ts';
import { offline } from './offline-plugin.ts';
import { runtime } from './runtime-plugin.ts';

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The demo, and every example. */
const pages = [
  folder('index.html'),
  ...readdirSync(folder('examples'))
    .filter((name) => name.endsWith('.html'))
    .map((name) => folder(`examples/${name}`)),
];

export default defineConfig(({ command }) => ({
  root: folder('.'),
  // Relative, so that a build works from any folder of a static server.
  base: './',
  cacheDir: folder('../node_modules/.vite-demo'),
  plugins: [wgsl({ share: command === 'build' }), mnistFiles(), runtime(), offline()],
  // Examples import the package by its name, as in a project of one's own.
  resolve: { alias: ENTRY_ALIASES },
  // Also while developing: Safari doesn't know `using`.
  oxc: { target: 'es2023' },
  worker: { format: 'es' as const, plugins: () => [wgsl({ share: command === 'build' })] },
  // A browser opens for a person at a terminal, not for a script.
  server: { open: process.stdout.isTTY, fs: { allow: [folder('..')] } },
  build: {
    target: 'es2023',
    outDir: folder('../dist-demo'),
    emptyOutDir: true,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: { input: pages },
  },
}));
