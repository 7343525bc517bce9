// Counting ones by carry-save adders: a counter holds 32 running sums modulo four (x the ones, y the twos), and how many
// fours went out of them (z). A population count every four words.
//!gives count_four, Counter, first_two, total
//!include "lib/count/carry.wgsl"
alias Counter = vec3u;

fn first_two(x0: u32, x1: u32) -> Counter {
  return Counter(x0 ^ x1, x0 & x1, 0u);
}

fn count_four(c: Counter, x0: u32, x1: u32, x2: u32, x3: u32) -> Counter {
  let first = add_bits(c.x, x0, x1);
  let second = add_bits(first.sum, x2, x3);
  let twos = add_bits(c.y, first.carry, second.carry);
  return Counter(second.sum, twos.sum, c.z + countOneBits(twos.carry));
}

fn total(c: Counter) -> u32 {
  return 4u * c.z + 2u * countOneBits(c.y) + countOneBits(c.x);
}
