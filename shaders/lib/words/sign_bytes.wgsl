// Signs of eight neighbouring channels out of four words, which hold them in their upper bytes.
//!gives byte_factor, signs_of_bytes
struct Signs {
  lo: mat4x4f, // a column for each word, of its lower four signs
  hi: mat4x4f,
}

fn top_signs(words: vec4u) -> vec4f {
  return bitcast<vec4f>((words & vec4u(0x80000000u)) | vec4u(0x3f800000u));
}

// Shifts by one are additions: software adapters shift lanes one by one.
fn signs_of_bytes(x7: vec4u) -> Signs {
  let x6 = x7 + x7;
  let x5 = x6 + x6;
  let x4 = x5 + x5;
  let x3 = x4 + x4;
  let x2 = x3 + x3;
  let x1 = x2 + x2;
  let x0 = x1 + x1;
  return Signs(
    transpose(mat4x4f(top_signs(x0), top_signs(x1), top_signs(x2), top_signs(x3))),
    transpose(mat4x4f(top_signs(x4), top_signs(x5), top_signs(x6), top_signs(x7))),
  );
}

// What to multiply words with so that a byte of them becomes the upper one.
fn byte_factor(byte: u32) -> u32 {
  return 1u << (24u - 8u * (byte & 3u));
}
