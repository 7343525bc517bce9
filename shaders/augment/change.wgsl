// The frame of augmentations that change values where they are. One invocation makes one value. The hole is filled by the
// augmentation.
//!include "lib/index.wgsl"
//!hole change "methods/augmentations/brightness.wgsl"

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
// By channel: what the middle of the values is, and from the least to the most; those from the fifth on are as the first.
override MIDDLE_0: f32;
override MIDDLE_1: f32;
override MIDDLE_2: f32;
override MIDDLE_3: f32;
override SPAN_0: f32;
override SPAN_1: f32;
override SPAN_2: f32;
override SPAN_3: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> draws: array<vec4f>; // [BATCH]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // as x

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * HEIGHT * WIDTH * CHANNELS) {
    return;
  }
  let pixel = index / CHANNELS;
  let c = index % CHANNELS;
  let lane = select(0u, c, c < 4u);
  let middle = vec4f(MIDDLE_0, MIDDLE_1, MIDDLE_2, MIDDLE_3)[lane];
  let span = vec4f(SPAN_0, SPAN_1, SPAN_2, SPAN_3)[lane];
  let here = vec2f(f32(pixel % WIDTH), f32((pixel / WIDTH) % HEIGHT));
  y[index] = changed(x[index], here, vec2f(f32(WIDTH), f32(HEIGHT)), vec2f(middle, span), draws[pixel / (HEIGHT * WIDTH)]);
}
