/**
 * Damaged files of every format, many more than the tests have time for: `npm run fuzz`.
 * WEBGPU_BNN_FUZZ_SECONDS says how long for each format (60), WEBGPU_BNN_FUZZ_FIRST with which round to begin (the time
 * of day, so that every run tries others); a failure names its round.
 */
import { describe, expect, test } from 'vitest';
import { attack } from './helpers/attack.ts';
import { ALL_ATTACKS } from './helpers/attacks.ts';

const seconds = Number(process.env.WEBGPU_BNN_FUZZ_SECONDS ?? 60);
const start = Number(process.env.WEBGPU_BNN_FUZZ_FIRST ?? Math.floor(Date.now() / 1000) % 2 ** 24);
const GROUP = 1000;

describe(`damaged files, ${seconds} s for each format, from round ${start * GROUP}`, () => {
  test.each(ALL_ATTACKS)('$name', ({ name, make, read, allocation }) => {
    const end = performance.now() + 1000 * seconds;
    let [refused, accepted, group] = [0, 0, start];
    do {
      const outcome = attack(GROUP, make, read as (damaged: unknown) => unknown, {
        allocation,
        first: group * GROUP,
      });
      refused += outcome.refused;
      accepted += outcome.read;
      group += 1;
    } while (performance.now() < end);
    console.log(`${name}: ${refused + accepted} files, ${refused} refused, ${accepted} read`);
    expect(refused).toBeGreaterThan(0);
  });
});
