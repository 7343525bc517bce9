/** `npm run runtimes`: the same work in every implementation of WebGPU that is here; see runtimes.ts. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { linkFlags, wgsl } from '../shaders/link.ts';

export default defineConfig({
  plugins: [wgsl()],
  test: {
    root: join(import.meta.dirname, '..'),
    include: ['test/runtimes.ts'],
    // All of it takes three minutes at most.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
    maxWorkers: 1,
    pool: 'forks',
    execArgv: linkFlags(),
  },
});
