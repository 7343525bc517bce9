// Signs out of words: bit 1 is -1, bit 0 is +1.
//!gives sign_of
fn sign_of(word: u32, bit: u32) -> f32 {
  return bitcast<f32>(((word >> bit) << 31u) | 0x3f800000u);
}

// Four neighbouring signs, from `bit` (at most 28) on.
fn signs_from(word: u32, bit: u32) -> vec4f {
  let shifted = vec4u(word >> bit) << vec4u(31u, 30u, 29u, 28u);
  return bitcast<vec4f>((shifted & vec4u(0x80000000u)) | vec4u(0x3f800000u));
}

// The sign at one bit of four words.
fn signs_at(words: vec4u, bit: u32) -> vec4f {
  return bitcast<vec4f>(((words << vec4u(31u - bit)) & vec4u(0x80000000u)) | vec4u(0x3f800000u));
}
