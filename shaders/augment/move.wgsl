// The frame of augmentations that move pixels: each takes its value from another place, between four pixels by the shares of
// them. One invocation makes one pixel. The hole is filled by the augmentation.
//!include "lib/index.wgsl"
//!hole move "methods/augmentations/shift.wgsl"

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
// What lies outside of the image, by channel; those from the fifth on are as the first.
override FILL_0: f32;
override FILL_1: f32;
override FILL_2: f32;
override FILL_3: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> draws: array<vec4f>; // [BATCH]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // as x

fn fill(c: u32) -> f32 {
  return vec4f(FILL_0, FILL_1, FILL_2, FILL_3)[select(0u, c, c < 4u)];
}

fn value_at(row: u32, at: vec2i, c: u32) -> f32 {
  if (at.x < 0 || at.y < 0 || at.x >= i32(WIDTH) || at.y >= i32(HEIGHT)) {
    return fill(c);
  }
  return x[((row * HEIGHT + u32(at.y)) * WIDTH + u32(at.x)) * CHANNELS + c];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let pixel = linear_index(id, groups, 64u);
  if (pixel >= BATCH * HEIGHT * WIDTH) {
    return;
  }
  let row = pixel / (HEIGHT * WIDTH);
  let extent = vec2f(f32(WIDTH), f32(HEIGHT));
  let centre = 0.5 * (extent - 1.0);
  let here = vec2f(f32(pixel % WIDTH), f32((pixel / WIDTH) % HEIGHT)) - centre;
  // Far outside all is alike; what is too large for an integer must not become one.
  let source = clamp(taken_from(here, extent, draws[row]) + centre, vec2f(-2.0), extent + 1.0);
  let corner = floor(source);
  let share = source - corner;
  let first = vec2i(corner);
  for (var c = 0u; c < CHANNELS; c++) {
    let top = value_at(row, first, c) * (1.0 - share.x) + value_at(row, first + vec2i(1, 0), c) * share.x;
    let bottom = value_at(row, first + vec2i(0, 1), c) * (1.0 - share.x) + value_at(row, first + vec2i(1, 1), c) * share.x;
    y[pixel * CHANNELS + c] = top * (1.0 - share.y) + bottom * share.y;
  }
}
