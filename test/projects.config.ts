/** `npm run projects`: the packed package in blank projects of every kind; see projects.ts. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { linkFlags, wgsl } from '../shaders/link.ts';

export default defineConfig({
  plugins: [wgsl()],
  test: {
    root: join(import.meta.dirname, '..'),
    include: ['test/projects.ts'],
    // Tools are downloaded.
    testTimeout: 400_000,
    hookTimeout: 400_000,
    disableConsoleIntercept: true,
    maxWorkers: 1,
    pool: 'forks',
    execArgv: linkFlags(),
  },
});
