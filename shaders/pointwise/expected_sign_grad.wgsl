// Gradients of expected_sign: of the mean, sqrt(2 / (pi v)) exp(-m² / 2v); of the variance, that times -m / 2v.
//!include "lib/index.wgsl"

override SIZE: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE], with respect to the output
@group(0) @binding(1) var<storage, read> mean: array<f32>; // [SIZE]
@group(0) @binding(2) var<storage, read> variance: array<f32>; // [SIZE], above 0
@group(0) @binding(3) var<storage, read_write> grad_mean: array<f32>; // [SIZE]
@group(0) @binding(4) var<storage, read_write> grad_variance: array<f32>; // [SIZE]

const TWO_OVER_PI = 0.6366197723675814;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    let v = variance[index];
    let m = mean[index];
    let slope = g[index] * sqrt(TWO_OVER_PI / v) * exp(-min(0.5 * m * m / v, 100.0));
    grad_mean[index] = slope;
    grad_variance[index] = -0.5 * slope * m / v;
  }
}
