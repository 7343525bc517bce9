// y = x times a slope of its channel: one where x is not negative, another where it is. One invocation makes one value.
//!include "lib/index.wgsl"

override SIZE: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(1) var<storage, read> above: array<f32>; // [CHANNELS]
@group(0) @binding(2) var<storage, read> below: array<f32>; // [CHANNELS]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [SIZE / CHANNELS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < SIZE) {
    let value = x[index];
    let channel = index % CHANNELS;
    y[index] = value * select(above[channel], below[channel], value < 0.0);
  }
}
