// Counting ones word by word, for adapters with an instruction for that.
//!gives count_four, Counter, first_two, total
alias Counter = u32;

fn first_two(x0: u32, x1: u32) -> Counter {
  return countOneBits(x0) + countOneBits(x1);
}

fn count_four(c: Counter, x0: u32, x1: u32, x2: u32, x3: u32) -> Counter {
  return c + countOneBits(x0) + countOneBits(x1) + countOneBits(x2) + countOneBits(x3);
}

fn total(c: Counter) -> u32 {
  return c;
}
