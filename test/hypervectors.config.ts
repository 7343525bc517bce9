/** `npm run hypervectors`: measures classifiers of hypervectors on MNIST, and search among keys: hypervectors.ts, vector-search.ts. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { linkFlags, wgsl } from '../shaders/link.ts';

export default defineConfig({
  plugins: [wgsl()],
  test: {
    root: join(import.meta.dirname, '..'),
    include: ['test/hypervectors.ts', 'test/vector-search.ts'],
    testTimeout: 3_600_000,
    disableConsoleIntercept: true,
    maxWorkers: 1,
    pool: 'forks',
    execArgv: linkFlags(),
  },
});
