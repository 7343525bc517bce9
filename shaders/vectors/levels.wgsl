// A level memory: level l is level 0 with its first flips(l) bits negated, in an order by the seed, so that similarity falls
// evenly with the distance of levels. Of a circle the way back negates the same bits again. One invocation makes one word.
//!include "lib/index.wgsl"
//!include "lib/random.wgsl"
//!include "lib/vector/words.wgsl"

override ROWS: u32; // levels
override BITS: u32;
override SEED: u32;
override CIRCULAR: u32;
override HALF_BITS: u32; // feistelHalfBits(BITS)

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // bits [ROWS, BITS]

const STREAM_LEVELS = 0x6c65766cu;

// Bits that are negated on the way of `steps` steps, half of all at its end.
fn flips(step: u32, steps: u32) -> u32 {
  return (BITS / 2u) * step / max(steps, 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = vector_words();
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words) {
    return;
  }
  let level = index / words;
  let first = (index % words) * 32u;
  var low = 0u;
  var high = flips(level, ROWS - 1u);
  if (CIRCULAR == 1u) {
    let there = (ROWS + 1u) / 2u;
    high = flips(min(level, there), there);
    if (level > there) {
      low = flips(level - there, ROWS - there);
    }
  }
  var word = pcg4d(vec4u(SEED, STREAM_LEVELS, 0u, index % words)).x;
  for (var i = 0u; i < min(32u, BITS - first); i++) {
    let rank = permute(SEED, STREAM_LEVELS, first + i, BITS, HALF_BITS);
    word ^= select(0u, 1u, rank >= low && rank < high) << i;
  }
  out[index] = word & vector_mask(index % words);
}
