// A gradient whose elements are at most MOST from zero; one element an invocation.
//!include "lib/index.wgsl"

override SIZE: u32;
override MOST: f32;

@group(0) @binding(0) var<storage, read> grad: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups, 64u);
  if (i < SIZE) {
    out[i] = clamp(grad[i], -MOST, MOST);
  }
}
