// Gradient of approxSign: out = g * (2 - 2|x|) where |x| <= 1, 0 elsewhere (Bi-Real Net 2018).
//!include "lib/index.wgsl"

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
  out[index] = g[index] * max(0.0, 2.0 - 2.0 * abs(x[index]));
}
