// Copies vectors: as much memory read as written, and nothing computed.
//!include "lib/index.wgsl"

override COUNT: u32; // vectors

@group(0) @binding(0) var<storage, read> x: array<vec4u>; // [COUNT]
@group(0) @binding(1) var<storage, read_write> out: array<vec4u>; // [COUNT]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= COUNT) {
    return;
  }
  out[index] = x[index];
}
