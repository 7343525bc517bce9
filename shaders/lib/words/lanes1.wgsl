// Kernels whose body is written for a Lane of WIDTH neighbouring channels; here one.
//!gives Lane, LaneBits, LaneInts, lanes_of, mask_of, negative_lanes, signs_of, sum_lanes, WIDTH
//!include "lib/signs.wgsl"

alias Lane = f32;
alias LaneBits = u32;
alias LaneInts = i32;
const WIDTH = 1u;

fn negative_lanes(w: Lane) -> u32 {
  return select(0u, 1u, is_negative(bitcast<u32>(w)));
}

fn sum_lanes(x: Lane) -> f32 {
  return x;
}

fn mask_of(chosen: bool) -> u32 {
  return select(0u, 1u, chosen);
}

// The weights of the lowest bits of a word.
fn signs_of(word: u32) -> Lane {
  return 1.0 - 2.0 * f32(word & 1u);
}

fn first_of(x: Lane) -> f32 {
  return x;
}

fn lanes_of(four: vec4f) -> Lane {
  return four.x;
}
