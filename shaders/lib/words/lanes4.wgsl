// Kernels whose body is written for a Lane of WIDTH neighbouring channels; here four, for rows of whole vec4s.
//!gives Lane, LaneBits, LaneInts, lanes_of, mask_of, negative_lanes, signs_of, sum_lanes, WIDTH
alias Lane = vec4f;
alias LaneBits = vec4u;
alias LaneInts = vec4i;
const WIDTH = 4u;

fn negative_lanes(w: Lane) -> u32 {
  let bits = bitcast<vec4u>(w);
  return mask_of((bits > vec4u(0x80000000u)) & (bits <= vec4u(0xff800000u))); // is_negative of lib/signs.wgsl
}

fn sum_lanes(x: Lane) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}

fn mask_of(chosen: vec4<bool>) -> u32 {
  let mask = select(vec4u(0u), vec4u(1u, 2u, 4u, 8u), chosen);
  return mask.x | mask.y | mask.z | mask.w;
}

// The weights of the lowest bits of a word.
fn signs_of(word: u32) -> Lane {
  return 1.0 - 2.0 * vec4f((vec4u(word) >> vec4u(0u, 1u, 2u, 3u)) & vec4u(1u));
}

fn first_of(x: Lane) -> f32 {
  return x.x;
}

fn lanes_of(four: vec4f) -> Lane {
  return four;
}
