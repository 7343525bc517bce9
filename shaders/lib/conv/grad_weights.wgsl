// Gradient of a convolution with respect to its filters, any geometry. One invocation sums one filter weight over one slice
// of the output rows; `sum_slices` adds the slices. Whoever includes this says what the input is: input_at(pixel, channel).
//!needs input_at
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"

override CHUNKS: u32; // slices of the sum over BATCH * OUT_HEIGHT rows

@group(0) @binding(0) var<storage, read> g: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let group_channels = CHANNELS / GROUPS;
  let size = OUT_CHANNELS * KERNEL_HEIGHT * KERNEL_WIDTH * group_channels;
  let index = linear_index(id, groups, 64u);
  if (index >= CHUNKS * size) {
    return;
  }
  let chunk = index / size;
  let kx = index / group_channels % KERNEL_WIDTH;
  let ky = index / (group_channels * KERNEL_WIDTH) % KERNEL_HEIGHT;
  let o = index % size / (group_channels * KERNEL_WIDTH * KERNEL_HEIGHT);
  let channel = o / (OUT_CHANNELS / GROUPS) * group_channels + index % group_channels;

  let rows = BATCH * OUT_HEIGHT;
  let per_chunk = (rows + CHUNKS - 1u) / CHUNKS;
  var sum = 0.0;
  for (var r = chunk * per_chunk; r < min(rows, (chunk + 1u) * per_chunk); r++) {
    let y = input_row(r % OUT_HEIGHT, ky);
    if (y >= HEIGHT && PAD_VALUE == 0) {
      continue;
    }
    let in_row = (r / OUT_HEIGHT * HEIGHT + y) * WIDTH;
    for (var out_x = 0u; out_x < OUT_WIDTH; out_x++) {
      let column = input_column(out_x, kx);
      var value = f32(PAD_VALUE);
      if (y < HEIGHT && column < WIDTH) {
        value = input_at(in_row + column, channel);
      }
      sum += g[(r * OUT_WIDTH + out_x) * OUT_CHANNELS + o] * value;
    }
  }
  out[index] = sum;
}
