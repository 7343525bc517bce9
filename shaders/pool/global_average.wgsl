// The mean of each channel over an image's pixels. One invocation makes one mean; its neighbours read its pixel's
// neighbouring channels.
//!include "lib/index.wgsl"

override BATCH: u32;
override PIXELS: u32; // of one image
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, PIXELS, CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [BATCH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * CHANNELS) {
    return;
  }
  let first = index / CHANNELS * PIXELS * CHANNELS + index % CHANNELS;
  var sum = 0.0;
  for (var pixel = 0u; pixel < PIXELS; pixel++) {
    sum += x[first + pixel * CHANNELS];
  }
  out[index] = sum / f32(PIXELS);
}
