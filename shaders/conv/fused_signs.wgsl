// Binary convolution with its threshold, any geometry, to packed signs. One invocation makes one word: 32 outputs of a
// pixel; the tail bits of a pixel's last word are 0.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/conv/dot.wgsl"
alias Lane = f32;
//!include "lib/epilogue/signs.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]
@group(0) @binding(4) var<storage, read_write> bits: array<u32>; // bits [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let out_words = (OUT_CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * OUT_HEIGHT * OUT_WIDTH * out_words) {
    return;
  }
  let first = index % out_words * 32u;
  var word = 0u;
  for (var i = 0u; i < min(32u, OUT_CHANNELS - first); i++) {
    let dot = f32(dot_at(index / out_words, first + i));
    word |= select(1u, 0u, directed(dot, first + i) >= threshold[first + i]) << i;
  }
  bits[index] = word;
}
