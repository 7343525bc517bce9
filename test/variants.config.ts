/**
 * `npm run test:variants`: every kernel of every family on every case of its grid, where the tests run one in turn. It is
 * compilation that takes the time: minutes on two cores.
 */
import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../vite.config.ts';

const files = ['conv', 'fused', 'grouped', 'matmul'];

export default defineConfig((environment) => {
  const config = mergeConfig(base(environment), {
    test: {
      env: { EVERY_VARIANT: '1' },
      testTimeout: 3_600_000,
    },
  });
  config.test.include = files.map((name) => `test/${name}.test.ts`);
  return config;
});
