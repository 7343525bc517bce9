// The gradient with respect to latent weights, from the one with respect to what the quantizer makes of them: scale times
// signs. Statistics of the row count as constants. One invocation makes one value.
//!include "lib/index.wgsl"
//!include "lib/rows.wgsl"
//!hole gradient "methods/quantizers/ste_identity.wgsl"
//!hole row "methods/rows/plain.wgsl"

override SIZE: u32;
override LENGTH: u32; // weights of a row

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(2) var<storage, read> statistics: array<RowStatistics>; // [SIZE / LENGTH]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let own = statistics[index / LENGTH];
  let value = x[index];
  out[index] = g[index] * scale(own) * gradient(argument(value, own)) * slope(value, own);
}
