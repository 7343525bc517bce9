// Images with a frame of one value around them. One invocation makes one value.
//!include "lib/index.wgsl"

override SIZE: u32; // of out
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override TOP: u32; // pixels before the first row
override LEFT: u32;
override VALUE: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [n, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [n, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let channel = index % CHANNELS;
  let pixel = index / CHANNELS;
  // Before the first row or column these wrap around to more than there are.
  let column = pixel % OUT_WIDTH - LEFT;
  let row = pixel / OUT_WIDTH % OUT_HEIGHT - TOP;
  if (row < HEIGHT && column < WIDTH) {
    let image = pixel / (OUT_WIDTH * OUT_HEIGHT);
    y[index] = x[((image * HEIGHT + row) * WIDTH + column) * CHANNELS + channel];
  } else {
    y[index] = VALUE;
  }
}
