/** How `pages.ts` becomes a program of Node: shaders are linked, and `using` is translated. */
import { wgsl } from '../../shaders/link.ts';

export default {
  root: `${import.meta.dirname}/../..`,
  logLevel: 'error',
  plugins: [wgsl()],
  build: {
    ssr: true,
    target: 'es2023',
    outDir: 'node_modules/.cache/webgpu-bnn-site',
    emptyOutDir: true,
    rolldownOptions: { input: `${import.meta.dirname}/pages.ts` },
  },
};
