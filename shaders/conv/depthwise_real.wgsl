// Binary convolution of each channel with a filter of its own, with its epilogue, to reals. One invocation makes 32 channels
// of a pixel.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/count/carry.wgsl"
//!include "lib/conv/depthwise.wgsl"
//!include "lib/epilogue/depthwise_dots.wgsl"
alias Lane = f32;
//!include "lib/epilogue/real.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // words [KERNEL_HEIGHT * KERNEL_WIDTH, WORDS]
@group(0) @binding(6) var<storage, read_write> out: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

fn store(channel: u32, pixel: u32, dot: i32) {
  let at = pixel * CHANNELS + channel;
  out[at] = finish(f32(dot), channel, at);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < BATCH * OUT_HEIGHT * OUT_WIDTH * WORDS) {
    store_dots(index);
  }
}
