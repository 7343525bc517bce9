/** The demo page: `npm run demo` serves it, `vite build --config demo/vite.config.ts` writes it to `dist-demo/`. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { wgsl } from '../shaders/link.ts';
import { mnistFiles } from './mnist-plugin.ts';

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig(({ command }) => ({
  root: folder('.'),
  // Relative, so that a build works from any folder of a static server.
  base: './',
  cacheDir: folder('../node_modules/.vite-demo'),
  plugins: [wgsl({ strip: command === 'build' }), mnistFiles()],
  // A browser opens for a person at a terminal, not for a script.
  server: { open: process.stdout.isTTY, fs: { allow: [folder('..')] } },
  build: {
    target: 'es2023',
    outDir: folder('../dist-demo'),
    emptyOutDir: true,
    sourcemap: true,
    chunkSizeWarningLimit: 1000,
  },
}));
