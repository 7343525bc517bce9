// Gradient of a convolution with binary filters with respect to its input, without groups, through a tile of eight
// pixels and eight channels; the signs of the filters are expanded from their words as they are needed.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/words/sign_bytes.wgsl"
//!include "lib/tile/grad_input.wgsl"

override M = BATCH * HEIGHT * WIDTH;
override K = CHANNELS;
override WORDS = (K + 31u) / 32u; // of a pixel

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

//!include "lib/epilogue/store_gated.wgsl"

fn filters_at(o: u32, tap: u32, quad: u32, second: u32) -> Filters {
  let step = KERNEL_HEIGHT * KERNEL_WIDTH * WORDS; // from an output to the next
  let first = o * step + tap * WORDS + (quad >> 3u);
  let words = vec4u(w[first], w[first + step], w[first + 2u * step], w[first + 3u * step]);
  if (TILE_SUMS == 64u) {
    // Two quads from an even one on lie in the same byte.
    let signs = signs_of_bytes(words * byte_factor(quad / 2u));
    return Filters(signs.lo, signs.hi);
  }
  let signs = signs_of_bytes(words << vec4u(28u - 4u * (quad & 7u)));
  return Filters(signs.hi, signs.hi);
}
