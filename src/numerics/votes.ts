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
  const counter = majorityCounter(voters.length);
  const words = new Uint32Array(voters.length);
  const isEven = voters.length % 2 === 0;
  return Uint32Array.from(voters[0] ?? [], (_, word) => {
    for (const [i, voter] of voters.entries()) words[i] = voter[word] ?? 0;
    return counter(words, isEven ? ties(word) : 0);
  });
}

/**
 * What counts the set bits of so many words at each of 32 places, and gives those places where more than half are set; `ties` where
 * it is half. A count is a number of which each binary digit is a word (Harley & Seal's carry-save adder): words are added two at a time.
 */
export function majorityCounter(count: number): (words: Uint32Array, ties: number) => number {
  const digits = new Uint32Array(Math.floor(Math.log2(count)) + 1);
  const half = Math.floor(count / 2);
  const isEven = count % 2 === 0;
  return (words, ties) => {
    digits.fill(0);
    let [ones, twos] = [0, 0];
    let i = 0;
    for (; i + 4 <= count; i += 4) {
      const [a, b, c, d] = [words[i] ?? 0, words[i + 1] ?? 0, words[i + 2] ?? 0, words[i + 3] ?? 0];
      const ab = ones ^ a;
      const first = (ones & a) | (ab & b);
      ones = ab ^ b;
      const cd = ones ^ c;
      const second = (ones & c) | (cd & d);
      ones = cd ^ d;
      const both = twos ^ first;
      const fours = (twos & first) | (both & second);
      twos = both ^ second;
      carry(digits, fours, 2);
    }
    digits[0] = ones;
    if (digits.length > 1) digits[1] = twos;
    for (; i < count; i++) carry(digits, words[i] ?? 0, 0);
    let [more, same] = [0, -1];
    for (let digit = digits.length - 1; digit >= 0; digit--) {
      const value = digits[digit] ?? 0;
      if ((half >>> digit) & 1) same &= value;
      else {
        more |= same & value;
        same &= ~value;
      }
    }
    return (more | (isEven ? same & ties : 0)) >>> 0;
  };
}

function carry(digits: Uint32Array, word: number, first: number): void {
  let rest = word;
  for (let digit = first; rest !== 0; digit++) {
    const value = digits[digit] ?? 0;
    digits[digit] = value ^ rest;
    rest &= value;
  }
}
