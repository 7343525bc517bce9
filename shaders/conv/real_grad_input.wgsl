// Gradient of a convolution of reals with respect to its input, any geometry. One invocation gathers one input's
// gradient from the outputs that read it.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"

@group(0) @binding(0) var<storage, read> g: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<f32>; // [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

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
        let filter_row = ((o * KERNEL_HEIGHT + ky) * KERNEL_WIDTH + kx) * group_channels;
        sum += g[out_pixel + o] * w[filter_row + c];
      }
    }
  }
  out[index] = sum;
}
