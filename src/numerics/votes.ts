/** Majorities of packed signs, 32 at a time. */

/**
 * The bit that most voters have, place by place.
 * @param voters one or more, of the same length
 * @param ties bits of a word for the places of which as many are for as against
 */
export function majorityWords(
  voters: readonly Uint32Array[],
  ties: (word: number) => number,
): Uint32Array<ArrayBuffer> {
  const half = voters.length >> 1;
  const isEven = voters.length % 2 === 0;
  // Votes for 1 of all 32 places, counted in binary: a word for each digit.
  const digits = new Uint32Array(32 - Math.clz32(voters.length));
  const won = new Uint32Array(voters[0]?.length ?? 0);
  for (let word = 0; word < won.length; word++) {
    digits.fill(0);
    for (const voter of voters) {
      let carry = voter[word] ?? 0;
      for (let d = 0; carry !== 0 && d < digits.length; d++) {
        const digit = digits[d] ?? 0;
        digits[d] = digit ^ carry;
        carry &= digit;
      }
    }
    let more = 0;
    let equal = ~0;
    for (let d = digits.length - 1; d >= 0; d--) {
      const digit = digits[d] ?? 0;
      if ((half >> d) & 1) equal &= digit;
      else {
        more |= equal & digit;
        equal &= ~digit;
      }
    }
    won[word] = more | (isEven && equal !== 0 ? equal & ties(word) : 0);
  }
  return won;
}
