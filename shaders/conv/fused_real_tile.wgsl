// Binary convolution without groups with its epilogue, to reals, in register tiles.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/conv_words.wgsl"
//!include "lib/conv_dots.wgsl"
//!include "lib/binary_tile.wgsl"
//!include "lib/tile_main.wgsl"
alias Lane = vec4f;
//!include "lib/epilogue_real.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS] with its padding
@group(0) @binding(1) var<storage, read> w: array<vec4u>; // words [KERNEL_HEIGHT * KERNEL_WIDTH * ceil(CHANNELS / 32), OUT_CHANNELS]
@group(0) @binding(6) var<storage, read> sums: array<vec4i>; // [KERNEL_HEIGHT * KERNEL_WIDTH, OUT_CHANNELS], of each tap's signs
@group(0) @binding(7) var<storage, read_write> out: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

fn store(pixel: u32, quad: u32, second: u32, d: vec4u, e: vec4u) {
  if (pixel >= ROWS) {
    return;
  }
  let dots = dots_of(pixel, quad, second, d, e);
  let at = pixel * (COLUMNS / 4u) + quad;
  out[at] = finish(vec4f(dots.left), quad, at);
  if (second == 1u) {
    out[at + 1u] = finish(vec4f(dots.right), quad + 1u, at + 1u);
  }
}
