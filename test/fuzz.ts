/**
 * Damaged files of every format, many more than the tests have time for: `npm run fuzz`.
 * WEBGPU_BNN_FUZZ_SECONDS says how long for each format (60), WEBGPU_BNN_FUZZ_FIRST with which round to begin (the time
 * of day, so that every run tries others); a failure names its round.
 */
import { describe, expect, test } from 'vitest';
import { attack } from './helpers/attack.ts';
import { ALL_ATTACKS } from './helpers/attacks.ts';
import { COSTLY } from './helpers/costly.ts';

const seconds = Number(process.env.WEBGPU_BNN_FUZZ_SECONDS ?? 60);
const start = Number(process.env.WEBGPU_BNN_FUZZ_FIRST ?? Math.floor(Date.now() / 1000) % 2 ** 24);
const GROUP = 1000;

/** Seconds for a megabyte on one core, several times what SECURITY.md says: a reader that is quadratic takes far more. */
const MOST_SECONDS = 10;

describe('what large files take', () => {
  test.each(COSTLY)('$name', ({ name, make, read, held }) => {
    const bytes = make();
    const bound = held(bytes.length);
    const before = process.cpuUsage();
    const { most } = attack(1, () => bytes, read, { allocation: bound, held: bound });
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    console.log(`${name}: ${bytes.length} bytes, ${seconds.toFixed(2)} s, ${most} bytes of arrays`);
    expect(seconds).toBeLessThan(1 + (MOST_SECONDS * bytes.length) / 1e6);
  });
});

describe(`damaged files, ${seconds} s for each format, from round ${start * GROUP}`, () => {
  test.each(ALL_ATTACKS)('$name', ({ name, make, read, allocation, held }) => {
    const end = performance.now() + 1000 * seconds;
    let [refused, accepted, most, slowest, group] = [0, 0, 0, 0, start];
    do {
      const began = performance.now();
      const outcome = attack(GROUP, make, read as (damaged: unknown) => unknown, {
        allocation,
        held,
        first: group * GROUP,
      });
      refused += outcome.refused;
      accepted += outcome.read;
      most = Math.max(most, outcome.most);
      slowest = Math.max(slowest, (performance.now() - began) / GROUP);
      group += 1;
    } while (performance.now() < end);
    console.log(
      `${name}: ${refused + accepted} files, ${refused} refused, ${accepted} read; at most ${most} bytes of arrays for one, ${slowest.toFixed(3)} ms for one in the slowest ${GROUP}`,
    );
    expect(refused).toBeGreaterThan(0);
  });
});
