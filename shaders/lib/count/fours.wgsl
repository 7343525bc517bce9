// Counting ones by carry-save adders: a counter holds 32 running sums modulo eight (x the ones, y the twos, z the fours),
// and how many eights went out of them (w). A population count every eight words.
//!gives count_eight, Counter, total
//!include "lib/count/carry.wgsl"
alias Counter = vec4u;

fn count_eight(c: Counter, x0: u32, x1: u32, x2: u32, x3: u32, x4: u32, x5: u32, x6: u32, x7: u32) -> Counter {
  let one0 = add_bits(c.x, x0, x1);
  let one1 = add_bits(one0.sum, x2, x3);
  let two0 = add_bits(c.y, one0.carry, one1.carry);
  let one2 = add_bits(one1.sum, x4, x5);
  let one3 = add_bits(one2.sum, x6, x7);
  let two1 = add_bits(two0.sum, one2.carry, one3.carry);
  let four = add_bits(c.z, two0.carry, two1.carry);
  return Counter(one3.sum, two1.sum, four.sum, c.w + countOneBits(four.carry));
}

fn total(c: Counter) -> u32 {
  return 8u * c.w + 4u * countOneBits(c.z) + 2u * countOneBits(c.y) + countOneBits(c.x);
}
