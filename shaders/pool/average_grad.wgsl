// Gradient of average pooling: each window spreads its gradient evenly over its pixels inside the image. One invocation
// gathers one input's share from the windows that contain it.
//!include "lib/index.wgsl"
//!include "lib/window/pool.wgsl"

@group(0) @binding(0) var<storage, read> g: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * HEIGHT * WIDTH * CHANNELS) {
    return;
  }
  let place = place_of(index, HEIGHT, WIDTH);
  let window_rows = windows_of(place.y, STRIDE_Y, POOL_HEIGHT, PAD_TOP, OUT_HEIGHT);
  let window_columns = windows_of(place.x, STRIDE_X, POOL_WIDTH, PAD_LEFT, OUT_WIDTH);

  var sum = 0.0;
  for (var window_y = window_rows.first; window_y < window_rows.end; window_y++) {
    let rows = window_pixels(window_y, STRIDE_Y, POOL_HEIGHT, PAD_TOP, HEIGHT);
    for (var window_x = window_columns.first; window_x < window_columns.end; window_x++) {
      let columns = window_pixels(window_x, STRIDE_X, POOL_WIDTH, PAD_LEFT, WIDTH);
      let share = g[((place.n * OUT_HEIGHT + window_y) * OUT_WIDTH + window_x) * CHANNELS + place.c];
      sum += share / f32((rows.end - rows.first) * (columns.end - columns.first));
    }
  }
  out[index] = sum;
}
