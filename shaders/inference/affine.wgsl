// y = x * scale + shift with a scale and a shift per channel. One invocation makes one value.
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> scale: array<f32>; // [CHANNELS]
@group(0) @binding(2) var<storage, read> shift: array<f32>; // [CHANNELS]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [ROWS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * CHANNELS) {
    return;
  }
  let channel = index % CHANNELS;
  y[index] = x[index] * scale[channel] + shift[channel];
}
