// Gradient of max pooling: each window hands its gradient to its first maximum in row-major order. One invocation
// gathers one input's share by looking at the windows that contain it, so overlapping windows need no atomics.
//!include "lib/index.wgsl"
//!include "lib/window/pool.wgsl"

@group(0) @binding(0) var<storage, read> g: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

// Whether no earlier pixel of the window is as large, and no later one larger.
fn is_first_maximum(place: Place, window_y: u32, window_x: u32) -> bool {
  let value = x[((place.n * HEIGHT + place.y) * WIDTH + place.x) * CHANNELS + place.c];
  let rows = window_pixels(window_y, STRIDE_Y, POOL_HEIGHT, PAD_TOP, HEIGHT);
  let columns = window_pixels(window_x, STRIDE_X, POOL_WIDTH, PAD_LEFT, WIDTH);
  for (var row = rows.first; row < rows.end; row++) {
    for (var column = columns.first; column < columns.end; column++) {
      let other = x[((place.n * HEIGHT + row) * WIDTH + column) * CHANNELS + place.c];
      let earlier = row < place.y || (row == place.y && column < place.x);
      if (other > value || (earlier && other == value)) {
        return false;
      }
    }
  }
  return true;
}

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
    for (var window_x = window_columns.first; window_x < window_columns.end; window_x++) {
      if (is_first_maximum(place, window_y, window_x)) {
        sum += g[((place.n * OUT_HEIGHT + window_y) * OUT_WIDTH + window_x) * CHANNELS + place.c];
      }
    }
  }
  out[index] = sum;
}
