// Gradients of slopes: of its input, and what each value adds to the gradients of its channel's two slopes. One invocation makes
// one value of each.
//!include "lib/index.wgsl"

override SIZE: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [SIZE / CHANNELS, CHANNELS], with respect to the output
@group(0) @binding(1) var<storage, read> x: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(2) var<storage, read> above: array<f32>; // [CHANNELS]
@group(0) @binding(3) var<storage, read> below: array<f32>; // [CHANNELS]
@group(0) @binding(4) var<storage, read_write> grad_x: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(5) var<storage, read_write> terms_above: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(6) var<storage, read_write> terms_below: array<f32>; // [SIZE / CHANNELS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    let channel = index % CHANNELS;
    let value = x[index];
    let is_below = value < 0.0;
    grad_x[index] = g[index] * select(above[channel], below[channel], is_below);
    let term = g[index] * value;
    terms_above[index] = select(term, 0.0, is_below);
    terms_below[index] = select(0.0, term, is_below);
  }
}
