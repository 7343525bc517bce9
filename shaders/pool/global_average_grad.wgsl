// Gradient of global average pooling: each pixel gets an equal share of its channel's gradient.
//!include "lib/index.wgsl"

override BATCH: u32;
override PIXELS: u32; // of one image
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [BATCH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [BATCH, PIXELS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * PIXELS * CHANNELS) {
    return;
  }
  out[index] = g[index / (PIXELS * CHANNELS) * CHANNELS + index % CHANNELS] / f32(PIXELS);
}
