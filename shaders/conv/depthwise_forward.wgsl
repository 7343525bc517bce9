// Binary convolution of each channel with a filter of its own, to the sums. One invocation makes 32 channels of a pixel.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/count/carry.wgsl"
//!include "lib/conv/depthwise.wgsl"
//!include "lib/epilogue/depthwise_dots.wgsl"

override INTEGER: u32; // 1: out is i32; 0: out is f32

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // words [KERNEL_HEIGHT * KERNEL_WIDTH, WORDS]
@group(0) @binding(2) var<storage, read_write> out: array<u32>; // i32 or f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

fn store(channel: u32, pixel: u32, dot: i32) {
  out[pixel * CHANNELS + channel] = select(bitcast<u32>(f32(dot)), bitcast<u32>(dot), INTEGER == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < BATCH * OUT_HEIGHT * OUT_WIDTH * WORDS) {
    store_dots(index);
  }
}
