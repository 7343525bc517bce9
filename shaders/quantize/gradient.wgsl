// A gradient through a quantizer, from the quantizer's input: out = g * gradient(x).
//!include "lib/index.wgsl"
//!hole gradient "methods/quantizers/ste_identity.wgsl"

override SIZE: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  out[index] = g[index] * gradient(x[index]);
}
