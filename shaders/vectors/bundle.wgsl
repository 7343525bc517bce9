// Bundles vectors: the sign of their weighted sum, place by place; where it is 0, a sign by the seed. One invocation makes one
// word.
//!include "lib/index.wgsl"
//!include "lib/random.wgsl"
//!include "lib/vector/words.wgsl"

override GROUPS: u32;
override ROWS: u32; // of a group
override BITS: u32;
override WEIGHTED: u32;
override SEED: u32;

@group(0) @binding(0) var<storage, read> x: array<u32>; // bits [GROUPS, ROWS, BITS]
@group(0) @binding(1) var<storage, read> weights: array<u32>; // i32 [GROUPS, ROWS], as raw bits
@group(0) @binding(2) var<storage, read_write> out: array<u32>; // bits [GROUPS, BITS]

const STREAM_TIES = 0x74696573u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = vector_words();
  let index = linear_index(id, groups, 64u);
  if (index >= GROUPS * words) {
    return;
  }
  let group = index / words;
  let first = (index % words) * 32u;
  let ties = pcg4d(vec4u(SEED, STREAM_TIES, group, index % words)).x;
  var word = 0u;
  for (var i = 0u; i < min(32u, BITS - first); i++) {
    var sum = 0;
    for (var row = 0u; row < ROWS; row++) {
      let at = group * ROWS + row;
      var weight = 1;
      if (WEIGHTED == 1u) {
        weight = bitcast<i32>(weights[at]);
      }
      let is_minus = ((x[at * words + index % words] >> i) & 1u) == 1u;
      sum += select(weight, -weight, is_minus);
    }
    word |= select(select(0u, 1u, sum < 0), (ties >> i) & 1u, sum == 0) << i;
  }
  out[index] = word;
}
