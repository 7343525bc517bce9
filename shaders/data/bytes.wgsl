// Reals from bytes: real = byte * SCALE + SHIFT. One invocation takes one word, four neighbouring bytes.
//!include "lib/index.wgsl"

override COUNT: u32;
override SCALE: f32;
override SHIFT: f32;

@group(0) @binding(0) var<storage, read> bytes: array<u32>; // u8 [COUNT], four to a word
@group(0) @binding(1) var<storage, read_write> reals: array<f32>; // [COUNT]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let first = 4u * linear_index(id, groups, 64u);
  if (first >= COUNT) {
    return;
  }
  let word = bytes[first / 4u];
  let count = min(4u, COUNT - first);
  for (var i = 0u; i < count; i++) {
    reals[first + i] = f32((word >> (8u * i)) & 255u) * SCALE + SHIFT;
  }
}
