/** Damaged files, 100,000 of most kinds: an error of ours or a result, in bounded memory. `npm run fuzz` tries more. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { attack } from './helpers/attack.ts';
import { ATTACKS } from './helpers/attacks.ts';
import { COSTLY } from './helpers/costly.ts';

describe('damaged files by the ten thousand', () => {
  test.each(ATTACKS)('$name', ({ rounds, make, read, allocation, held }) => {
    const { refused, read: accepted } = attack(rounds, make, read as (damaged: unknown) => unknown, {
      allocation,
      held,
    });
    expect(refused).toBeGreaterThan(rounds / 10);
    expect(accepted).toBeGreaterThan(0);
  });

  test.each(COSTLY)('a large file: $name', ({ make, read, held }) => {
    const bytes = make();
    const bound = held(bytes.length);
    const { refused, read: accepted } = attack(1, () => bytes, read, { allocation: bound, held: bound });
    expect(refused + accepted).toBe(1);
  });

  test('a reader that makes too large an array is found out', () => {
    const greedy = () => new Float32Array(1e6);
    expect(() => attack(1, () => 0, greedy, { allocation: 1e6 })).toThrow(/4000000 bytes/);
    expect(attack(1, () => 0, greedy, { allocation: 4e6 })).toEqual({ refused: 0, read: 1, most: 4e6 });
    expect(() =>
      attack(
        1,
        () => 0,
        () => JSON.parse('{'),
        { allocation: 1 },
      ),
    ).toThrow(/SyntaxError/);
    expect(() => attack(1, () => 0, greedy, { allocation: 4e6, held: 3e6 })).toThrow(
      /4000000 bytes were made/,
    );
    const ours = () => {
      throw new OptionError('no');
    };
    expect(attack(3, () => 0, ours, { allocation: 1 })).toEqual({ refused: 3, read: 0, most: 0 });
  });
});
