// Counting ones by carry-save adders: a counter holds 32 running sums modulo two (x), and how many twos went out of them
// (y). A population count every two words.
//!gives count_four, Counter, total
//!include "lib/count/carry.wgsl"
alias Counter = vec2u;

fn count_four(c: Counter, x0: u32, x1: u32, x2: u32, x3: u32) -> Counter {
  let first = add_bits(c.x, x0, x1);
  let second = add_bits(first.sum, x2, x3);
  return Counter(second.sum, c.y + countOneBits(first.carry) + countOneBits(second.carry));
}

fn total(c: Counter) -> u32 {
  return 2u * c.y + countOneBits(c.x);
}
