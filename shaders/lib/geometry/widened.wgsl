// Weights of 16 bits as f32; one invocation takes four of a filter. It needs, of the kernel that includes it:
//   weights_at(row, quad): four weights of a filter as the bits of f32, anything beyond its end
//!needs weights_at
//!gives FILTERS, LENGTH
//!include "lib/index.wgsl"

override FILTERS: u32;
override LENGTH: u32; // weights of one filter

@group(0) @binding(1) var<storage, read_write> widened: array<u32>; // f32 [FILTERS, LENGTH], as raw bits

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let quads = (LENGTH + 3u) / 4u;
  if (index >= FILTERS * quads) {
    return;
  }
  let row = index / quads;
  let first = index % quads * 4u;
  let bits = weights_at(row, index % quads);
  for (var k = 0u; k < min(4u, LENGTH - first); k++) {
    widened[row * LENGTH + first + k] = bits[k];
  }
}
