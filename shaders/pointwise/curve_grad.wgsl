// Gradient of a function of single values: g times its slope at x. One invocation makes one value.
//!include "lib/index.wgsl"
//!include "lib/curves.wgsl"

override SIZE: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE], with respect to the output
@group(0) @binding(1) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    out[index] = g[index] * slope(x[index]);
  }
}
