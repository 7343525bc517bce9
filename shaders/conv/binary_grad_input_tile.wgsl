// Gradient of a convolution with binary filters with respect to its input, without groups, through a tile of eight
// pixels and eight channels; the signs of the filters are expanded from their words as they are needed.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/expand.wgsl"
//!include "lib/conv_grad_input_tile.wgsl"

override M = BATCH * HEIGHT * WIDTH;
override K = CHANNELS;
override WORDS = (K + 31u) / 32u; // of a pixel

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

//!include "lib/sign_gate.wgsl"

// Two quads from an even one on lie in the same word.
fn filter_at(o: u32, tap: u32, quad: u32, second: u32) -> mat2x4f {
  let word = w[(o * KERNEL_HEIGHT * KERNEL_WIDTH + tap) * WORDS + (quad >> 3u)] >> ((quad & 7u) * 4u);
  return mat2x4f(signs_from(word, 0u), signs_from(word, 4u));
}
