// An item memory: random vectors by a seed. One invocation makes one word.
//!include "lib/index.wgsl"
//!include "lib/random.wgsl"
//!include "lib/vector/words.wgsl"

override ROWS: u32;
override BITS: u32;
override SEED: u32;

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // bits [ROWS, BITS]

const STREAM_ITEMS = 0x6974656du;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = vector_words();
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words) {
    return;
  }
  let word = index % words;
  out[index] = pcg4d(vec4u(SEED, STREAM_ITEMS, index / words, word)).x & vector_mask(word);
}
