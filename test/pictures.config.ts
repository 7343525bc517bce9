/** `npm run pictures`: makes the pictures of docs/images; see pictures.ts. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { wgsl } from '../shaders/link.ts';

export default defineConfig({
  plugins: [wgsl()],
  test: {
    root: join(import.meta.dirname, '..'),
    include: ['test/pictures.ts'],
    testTimeout: 400_000,
    maxWorkers: 1,
    pool: 'forks',
  },
});
