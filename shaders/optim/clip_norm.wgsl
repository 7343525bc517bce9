// A gradient times the factor that makes all of them short enough; one element an invocation.
//!include "lib/index.wgsl"

override SIZE: u32;

@group(0) @binding(0) var<storage, read> grad: array<f32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>; // [1]
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups, 64u);
  if (i < SIZE) {
    out[i] = grad[i] * factor[0];
  }
}
