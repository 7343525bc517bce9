/** `npm run test:outside`: what goes through a user's doors and takes minutes; `.ci/run` runs it after `npm test`. */
import { defineConfig, mergeConfig } from 'vitest/config';
import base, { OUTSIDE } from '../vite.config.ts';

export default defineConfig((environment) => {
  const config = mergeConfig(base(environment), {});
  config.test.include = OUTSIDE;
  config.test.exclude = [];
  return config;
});
