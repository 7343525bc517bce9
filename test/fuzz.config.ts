/** `npm run fuzz`: the attacks of the tests for as long as one likes; see fuzz.ts. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { linkFlags, wgsl } from '../shaders/link.ts';

export default defineConfig({
  plugins: [wgsl()],
  test: {
    root: join(import.meta.dirname, '..'),
    include: ['test/fuzz.ts'],
    testTimeout: 24 * 3_600_000,
    maxWorkers: 1,
    pool: 'forks',
    execArgv: linkFlags(),
  },
});
