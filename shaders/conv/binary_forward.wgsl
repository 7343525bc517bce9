// Binary convolution, any geometry: XOR and popcount on packed NHWC activations and packed OHWI filters. One invocation
// makes one output.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/conv/dot.wgsl"

override INTEGER: u32; // 1: out is i32; 0: out is f32

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]
@group(0) @binding(2) var<storage, read_write> out: array<u32>; // i32 or f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * OUT_HEIGHT * OUT_WIDTH * OUT_CHANNELS) {
    return;
  }
  let dot = dot_at(index / OUT_CHANNELS, index % OUT_CHANNELS);
  out[index] = select(bitcast<u32>(f32(dot)), bitcast<u32>(dot), INTEGER == 1u);
}
