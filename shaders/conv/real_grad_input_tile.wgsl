// Gradient of a convolution of reals with respect to its input, without groups, through a tile of eight pixels and eight
// channels.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/tile/grad_input.wgsl"

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<vec4f>; // [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

fn filters_at(o: u32, tap: u32, quad: u32, second: u32) -> Filters {
  let step = KERNEL_HEIGHT * KERNEL_WIDTH * (CHANNELS / 4u); // from an output to the next
  let lo = o * step + tap * (CHANNELS / 4u) + quad;
  let hi = lo + second;
  return Filters(
    mat4x4f(w[lo], w[lo + step], w[lo + 2u * step], w[lo + 3u * step]),
    mat4x4f(w[hi], w[hi + step], w[hi + 2u * step], w[hi + 3u * step]),
  );
}

fn store(pixel: u32, channel: u32, sums: vec4f) {
  if (pixel < BATCH * HEIGHT * WIDTH) {
    out[(pixel * CHANNELS + channel) / 4u] = sums;
  }
}
