// Convolution of a real input, any geometry: one invocation makes one output. Whoever includes this says where the filters
// are: weight_at(tap, channel), taps counted over [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH].
//!needs weight_at
//!gives x
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * OUT_HEIGHT * OUT_WIDTH * OUT_CHANNELS) {
    return;
  }
  let o = index % OUT_CHANNELS;
  let out_x = index / OUT_CHANNELS % OUT_WIDTH;
  let out_y = index / (OUT_CHANNELS * OUT_WIDTH) % OUT_HEIGHT;
  let n = index / (OUT_CHANNELS * OUT_WIDTH * OUT_HEIGHT);

  let group_channels = CHANNELS / GROUPS;
  let first = o / (OUT_CHANNELS / GROUPS) * group_channels;

  var sum = 0.0;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    let row = input_row(out_y, ky);
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      let column = input_column(out_x, kx);
      let inside = row < HEIGHT && column < WIDTH;
      if (!inside && PAD_VALUE == 0) {
        continue;
      }
      let pixel = ((n * HEIGHT + row) * WIDTH + column) * CHANNELS + first;
      let tap = (o * KERNEL_HEIGHT + ky) * KERNEL_WIDTH + kx;
      for (var c = 0u; c < group_channels; c++) {
        var value = f32(PAD_VALUE);
        if (inside) {
          value = x[pixel + c];
        }
        sum += value * weight_at(tap, c);
      }
    }
  }
  out[index] = sum;
}
