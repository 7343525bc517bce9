// Gradient of a convolution with respect to its input, any geometry. One invocation gathers one input's gradient from the
// outputs that read it. Whoever includes this says where the filters are, weight_at(tap, channel), which gradients pass,
// passes(pixel, channel), and where `out` is bound: f32 [BATCH, HEIGHT, WIDTH, CHANNELS].
//!needs out, passes, weight_at
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"

@group(0) @binding(0) var<storage, read> g: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

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
  if (!passes(pixel, channel)) {
    out[index] = 0.0;
    return;
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
        sum += g[out_pixel + o] * weight_at((o * KERNEL_HEIGHT + ky) * KERNEL_WIDTH + kx, c);
      }
    }
  }
  out[index] = sum;
}
