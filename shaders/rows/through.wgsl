// What the gradient with respect to values has beside their own: a row's statistics pass on what all of its values make of
// them. One invocation makes one value.
//!include "lib/index.wgsl"
//!include "lib/quantizer/rows.wgsl"

override SIZE: u32;
override LENGTH: u32; // values of a row

@group(0) @binding(0) var<storage, read> own: array<f32>; // [SIZE]: the gradient with the statistics as constants
@group(0) @binding(1) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(2) var<storage, read> statistics: array<RowStatistics>; // [SIZE / LENGTH]
@group(0) @binding(3) var<storage, read> sums: array<vec4f>; // [SIZE / LENGTH]: with respect to mean, mean of |x| and sd
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let row = statistics[index / LENGTH];
  let sum = sums[index / LENGTH].xyz;
  // A row of equal values has no deviation that could grow.
  let slopes = vec3f(1.0, sign(x[index]), (x[index] - row.mean) / max(row.sd, 1e-20));
  out[index] = own[index] + dot(sum, slopes) / f32(LENGTH);
}
