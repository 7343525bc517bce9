/** `npm run matrix`: every network through every format and every door, where the tests send two through all; see round-trip.test.ts. */
import { only } from './helpers/only.ts';

export default only(['test/round-trip.test.ts'], {
  env: { WEBGPU_BNN_MATRIX: 'whole' },
  testTimeout: 600_000,
  maxWorkers: 1,
});
