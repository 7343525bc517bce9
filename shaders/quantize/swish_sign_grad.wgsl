// Gradient of swishSign: out = g * b * (2 - z * tanh(z / 2)) / (1 + cosh(z)) with b = BETA, z = b * x (BNN+ 2018).
//!include "lib/index.wgsl"

override SIZE: u32;
override BETA: f32; // positive

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [SIZE]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  // The formula is even in z. In e = exp(-|z|) it neither overflows nor cancels: tanh(|z| / 2) = (1 - e) / (1 + e) and
  // 1 / (1 + cosh(z)) = 2e / (1 + e)^2. Beyond 80 the result is 0 to f32.
  let z = min(80.0, abs(BETA * x[index]));
  let e = exp(-z);
  let slope = BETA * (2.0 - z * (1.0 - e) / (1.0 + e)) * 2.0 * e / ((1.0 + e) * (1.0 + e));
  out[index] = g[index] * slope;
}
