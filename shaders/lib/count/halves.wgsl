// Eight words as twice four, where nothing is gained by taking them together.
//!needs count_four, Counter
//!gives count_eight
fn count_eight(c: Counter, x0: u32, x1: u32, x2: u32, x3: u32, x4: u32, x5: u32, x6: u32, x7: u32) -> Counter {
  return count_four(count_four(c, x0, x1, x2, x3), x4, x5, x6, x7);
}
