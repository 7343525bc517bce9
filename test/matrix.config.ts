/** `npm run matrix`: every network through every format and every door, where the tests send two through all; see round-trip.test.ts. */
import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../vite.config.ts';

export default defineConfig((environment) => {
  const config = mergeConfig(base(environment), {
    test: { env: { WEBGPU_BNN_MATRIX: 'whole' }, testTimeout: 600_000, maxWorkers: 1 },
  });
  config.test.include = ['test/round-trip.test.ts'];
  return config;
});
