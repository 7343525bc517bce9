/** `npm run faults`: lets every call of the device fail in turn, of which the tests try a sample; see faults.test.ts. */
import { only } from './helpers/only.ts';

export default only(['test/faults.test.ts'], {
  env: { WEBGPU_BNN_FAULTS: process.env.WEBGPU_BNN_FAULTS ?? 'Infinity' },
  testTimeout: 3_600_000,
  maxWorkers: 1,
});
