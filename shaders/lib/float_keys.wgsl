// Floats as whole numbers in the same order, so that one can be found digit by digit.
//!gives key_of, value_of

// A number that is in the order of the floats: those below zero count backwards.
fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn value_of(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}
