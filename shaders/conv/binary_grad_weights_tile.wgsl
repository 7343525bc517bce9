// Gradient of a binary convolution with respect to its (sign) filters, without groups, from packed activations, through a
// tile of eight outputs and eight channels.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/expand.wgsl"
//!include "lib/conv_grad_weights_tile.wgsl"

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]

// Two quads from an even one on lie in the same word.
fn input_at(pixel: u32, quad: u32) -> mat2x4f {
  let word = a[pixel * ((CHANNELS + 31u) / 32u) + (quad >> 3u)] >> ((quad & 7u) * 4u);
  return mat2x4f(signs_from(word, 0u), signs_from(word, 4u));
}
