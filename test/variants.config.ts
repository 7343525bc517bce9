/**
 * `npm run test:variants`: every kernel of every family on every case of its grid, where the tests run one in turn. It is
 * compilation that takes the time: minutes on two cores.
 */
import { only } from './helpers/only.ts';

const files = ['conv', 'fused', 'grouped', 'matmul'];

export default only(
  files.map((name) => `test/${name}.test.ts`),
  { env: { EVERY_VARIANT: '1' }, testTimeout: 3_600_000 },
);
