// Rotates vectors: sign i goes to place (i + SHIFT) mod BITS. One invocation makes one word.
//!include "lib/index.wgsl"
//!include "lib/vector/words.wgsl"

override ROWS: u32;
override BITS: u32;
override SHIFT: u32; // below BITS

@group(0) @binding(0) var<storage, read> x: array<u32>; // bits [ROWS, BITS]
@group(0) @binding(1) var<storage, read_write> out: array<u32>; // bits [ROWS, BITS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = vector_words();
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words) {
    return;
  }
  let row = index / words * words;
  let first = (index % words) * 32u;
  var word = 0u;
  for (var i = 0u; i < min(32u, BITS - first); i++) {
    let place = first + i;
    let source = select(place + BITS - SHIFT, place - SHIFT, place >= SHIFT);
    word |= ((x[row + (source >> 5u)] >> (source & 31u)) & 1u) << i;
  }
  out[index] = word;
}
