/** 100,000 damaged files of each kind: an error of ours or a result, in bounded memory. `npm run fuzz` tries more. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import { attack } from './helpers/attack.ts';
import { ATTACKS } from './helpers/attacks.ts';

describe('100,000 damaged files', () => {
  test.each(ATTACKS)('$name', ({ rounds, make, read, allocation }) => {
    const { refused, read: accepted } = attack(rounds, make, read as (damaged: unknown) => unknown, {
      allocation,
    });
    expect(refused).toBeGreaterThan(rounds / 10);
    expect(accepted).toBeGreaterThan(0);
  });

  test('a reader that makes too large an array is found out', () => {
    const greedy = () => new Float32Array(1e6);
    expect(() => attack(1, () => 0, greedy, { allocation: 1e6 })).toThrow(/4000000 bytes/);
    expect(attack(1, () => 0, greedy, { allocation: 4e6 })).toEqual({ refused: 0, read: 1 });
    expect(() =>
      attack(
        1,
        () => 0,
        () => JSON.parse('{'),
        { allocation: 1 },
      ),
    ).toThrow(/SyntaxError/);
    const ours = () => {
      throw new OptionError('no');
    };
    expect(attack(3, () => 0, ours, { allocation: 1 })).toEqual({ refused: 3, read: 0 });
  });
});
