// Binary convolution with its epilogue, any geometry, to reals. One invocation makes one output.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/conv/dot.wgsl"
alias Lane = f32;
//!include "lib/epilogue/real.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]
@group(0) @binding(6) var<storage, read_write> out: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index < BATCH * OUT_HEIGHT * OUT_WIDTH * OUT_CHANNELS) {
    let channel = index % OUT_CHANNELS;
    out[index] = finish(f32(dot_at(index / OUT_CHANNELS, channel)), channel, index);
  }
}
