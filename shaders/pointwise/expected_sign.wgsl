// The mean of the sign of a normal number: erf(mean / sqrt(2 variance)), to 2e-7 (Abramowitz & Stegun 1964, 7.1.26).
//!include "lib/index.wgsl"

override SIZE: u32;

@group(0) @binding(0) var<storage, read> mean: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> variance: array<f32>; // [SIZE], above 0
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [SIZE]

fn erf(x: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.3275911 * abs(x));
  let sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let below = min(abs(x), 9.0); // exp of more is 0 all the same, and its square may not overflow
  return select(1.0, -1.0, x < 0.0) * (1.0 - sum * exp(-below * below));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    y[index] = erf(mean[index] * inverseSqrt(2.0 * variance[index]));
  }
}
