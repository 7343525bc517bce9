/** How the signs of filters change from one look to the next. */

/**
 * Compares the signs of one filter with those at the look before and at the start, and ages its weights: a weight's age
 * is how many looks ago its sign was last seen to change, counted from the first look.
 * @param ages of every weight at the look before; they are brought up to date
 * @returns weights whose sign changed since the look before, since the start, and the sum of all ages
 */
export function signHistory(
  now: ArrayLike<number>,
  before: ArrayLike<number>,
  start: ArrayLike<number>,
  ages: number[],
): { flipped: number; flippedSinceStart: number; ageSum: number } {
  let [flipped, flippedSinceStart, ageSum] = [0, 0, 0];
  for (let i = 0; i < now.length; i++) {
    const changed = now[i] !== before[i];
    const age = changed ? 0 : (ages[i] ?? 0) + 1;
    ages[i] = age;
    ageSum += age;
    if (changed) flipped += 1;
    if (now[i] !== start[i]) flippedSinceStart += 1;
  }
  return { flipped, flippedSinceStart, ageSum };
}
