// Gradient of a convolution with binary filters with respect to its input, any geometry. One invocation gathers one
// input's gradient from the outputs that read it; a gate of the straight-through estimator closes some of them.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/expand.wgsl"

override GATED: u32; // 1: gate decides what passes; 0: everything passes, gate is not read

@group(0) @binding(0) var<storage, read> g: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * HEIGHT * WIDTH * CHANNELS) {
    return;
  }
  let channel = index % CHANNELS;
  let pixel = index / CHANNELS;
  let x = pixel % WIDTH;
  let y = pixel / WIDTH % HEIGHT;
  let n = pixel / (WIDTH * HEIGHT);
  if (GATED == 1u) {
    let word = gate[pixel * ((CHANNELS + 31u) / 32u) + (channel >> 5u)];
    if (((word >> (channel & 31u)) & 1u) == 0u) {
      out[index] = 0.0;
      return;
    }
  }

  let group_channels = CHANNELS / GROUPS;
  let group_outputs = OUT_CHANNELS / GROUPS;
  let c = channel % group_channels;
  let first = channel / group_channels * group_outputs;

  var sum = 0.0;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    let out_y = output_row(y, ky);
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      let out_x = output_column(x, kx);
      if (out_y >= OUT_HEIGHT || out_x >= OUT_WIDTH) {
        continue;
      }
      let out_pixel = ((n * OUT_HEIGHT + out_y) * OUT_WIDTH + out_x) * OUT_CHANNELS;
      for (var o = first; o < first + group_outputs; o++) {
        let filter_row = ((o * KERNEL_HEIGHT + ky) * KERNEL_WIDTH + kx) * ((group_channels + 31u) / 32u);
        sum += g[out_pixel + o] * sign_of(w[filter_row + (c >> 5u)], c & 31u);
      }
    }
  }
  out[index] = sum;
}
