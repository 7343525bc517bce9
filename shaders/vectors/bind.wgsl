// Binds vectors: the products of their signs, negated where that is wanted. One invocation makes one word.
//!include "lib/index.wgsl"
//!include "lib/vector/words.wgsl"

override ROWS: u32;
override OTHERS: u32; // rows of y: ROWS; 1 where all are bound to the same; 0 where to none
override BITS: u32;
override NEGATE: u32;

@group(0) @binding(0) var<storage, read> x: array<u32>; // bits [ROWS, BITS]
@group(0) @binding(1) var<storage, read> y: array<u32>; // bits [OTHERS, BITS]
@group(0) @binding(2) var<storage, read_write> out: array<u32>; // bits [ROWS, BITS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = vector_words();
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words) {
    return;
  }
  var word = x[index];
  if (OTHERS > 0u) {
    word ^= y[index % (OTHERS * words)];
  }
  if (NEGATE == 1u) {
    word = ~word & vector_mask(index % words);
  }
  out[index] = word;
}
