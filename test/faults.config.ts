/** `npm run faults`: lets every call of the device fail in turn, of which the tests try a sample; see faults.test.ts. */
import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../vite.config.ts';

export default defineConfig((environment) => {
  const config = mergeConfig(base(environment), {
    test: {
      env: { WEBGPU_BNN_FAULTS: process.env.WEBGPU_BNN_FAULTS ?? 'Infinity' },
      testTimeout: 3_600_000,
      maxWorkers: 1,
    },
  });
  config.test.include = ['test/faults.test.ts'];
  return config;
});
