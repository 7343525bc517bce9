// y = x where x is not negative, else x times the slope of its channel. One invocation makes one value.
//!include "lib/index.wgsl"

override SIZE: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(1) var<storage, read> alpha: array<f32>; // [CHANNELS]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [SIZE / CHANNELS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    let value = x[index];
    y[index] = select(value, value * alpha[index % CHANNELS], value < 0.0);
  }
}
