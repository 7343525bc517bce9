/** `npm run large`: trains with a set that is larger than memory; see large.ts. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { linkFlags, wgsl } from '../shaders/link.ts';

export default defineConfig({
  plugins: [wgsl()],
  test: {
    root: join(import.meta.dirname, '..'),
    include: ['test/large.ts'],
    testTimeout: 3_600_000,
    disableConsoleIntercept: true,
    maxWorkers: 1,
    pool: 'forks',
    execArgv: linkFlags(),
  },
});
