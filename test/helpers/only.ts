import { defineConfig, mergeConfig, type ViteUserConfig } from 'vitest/config';
import base from '../../vite.config.ts';

/** The configuration of `npm test`, for some of its test files alone, whichever it leaves out. */
export const only = (files: readonly string[], test: ViteUserConfig['test'] = {}) =>
  defineConfig((environment) => {
    const config = mergeConfig(base(environment), { test });
    Object.assign(config.test, { include: files, exclude: [] });
    return config;
  });

/** A script that measures: alone, for as long as it takes, and what it prints is seen. */
export const measuring = (...files: readonly string[]) =>
  only(files, { testTimeout: 3_600_000, disableConsoleIntercept: true, maxWorkers: 1 });
