// Gradient of a convolution of real inputs with respect to its filters, without groups, for channels in fours, through a
// tile of eight outputs and eight channels.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/conv_grad_weights_tile.wgsl"

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]

fn input_at(pixel: u32, quad: u32) -> mat2x4f {
  let quads = CHANNELS / 4u;
  return mat2x4f(x[pixel * quads + quad], x[pixel * quads + min(quad + 1u, quads - 1u)]);
}
