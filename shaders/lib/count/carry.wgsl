// Carry-save addition of bits, in all 32 positions of a word at once: 2 * carry + sum = x + y + z.
//!gives add_bits
struct Sum {
  sum: u32,
  carry: u32,
}

fn add_bits(x: u32, y: u32, z: u32) -> Sum {
  let either = x ^ y;
  return Sum(either ^ z, (x & y) | (either & z));
}
