/** `npm run kills`: kills a training 500 times, where the tests do 20 times; see kills.test.ts. */
import { only } from './helpers/only.ts';

export default only(['test/kills.test.ts'], {
  env: { WEBGPU_BNN_KILLS: process.env.WEBGPU_BNN_KILLS ?? '500' },
  testTimeout: 24 * 3_600_000,
  disableConsoleIntercept: true,
  maxWorkers: 1,
});
