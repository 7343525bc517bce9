// Gradients of prelu: of its input, and what each value adds to the gradient of its channel's slope. One invocation makes
// one value of each.
//!include "lib/index.wgsl"

override SIZE: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE / CHANNELS, CHANNELS], with respect to the output
@group(0) @binding(1) var<storage, read> x: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(2) var<storage, read> alpha: array<f32>; // [CHANNELS]
@group(0) @binding(3) var<storage, read_write> grad_x: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(4) var<storage, read_write> terms: array<f32>; // [SIZE / CHANNELS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    let gradient = g[index];
    let value = x[index];
    let below = value < 0.0;
    grad_x[index] = select(gradient, gradient * alpha[index % CHANNELS], below);
    terms[index] = select(0.0, gradient * value, below);
  }
}
