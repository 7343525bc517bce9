/** `npm run kills`: kills a training 500 times, where the tests do 20 times; see kills.test.ts. */
import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../vite.config.ts';

export default defineConfig((environment) => {
  const config = mergeConfig(base(environment), {
    test: {
      env: { WEBGPU_BNN_KILLS: process.env.WEBGPU_BNN_KILLS ?? '500' },
      testTimeout: 24 * 3_600_000,
      disableConsoleIntercept: true,
      maxWorkers: 1,
    },
  });
  config.test.include = ['test/kills.test.ts'];
  config.test.exclude = [];
  return config;
});
