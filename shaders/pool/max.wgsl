// The largest value of each window; padding never wins. One invocation makes one output.
//!include "lib/index.wgsl"
//!include "lib/window/pool.wgsl"

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * OUT_HEIGHT * OUT_WIDTH * CHANNELS) {
    return;
  }
  let place = place_of(index, OUT_HEIGHT, OUT_WIDTH);
  let rows = window_pixels(place.y, STRIDE_Y, POOL_HEIGHT, PAD_TOP, HEIGHT);
  let columns = window_pixels(place.x, STRIDE_X, POOL_WIDTH, PAD_LEFT, WIDTH);

  var largest = x[((place.n * HEIGHT + rows.first) * WIDTH + columns.first) * CHANNELS + place.c];
  for (var row = rows.first; row < rows.end; row++) {
    for (var column = columns.first; column < columns.end; column++) {
      largest = max(largest, x[((place.n * HEIGHT + row) * WIDTH + column) * CHANNELS + place.c]);
    }
  }
  out[index] = largest;
}
