//!include "lib/matrix/f16_16x16x16.wgsl"
// Gradient of a convolution with binary filters with respect to its input, on matrix units: a row is an input pixel, and its
// terms are the outputs of the windows that it is in, tap by tap. No groups; CHANNELS and OUT_CHANNELS are multiples of 4.
//!include "lib/conv/extents.wgsl"
//!include "lib/tile/sign_matrix.wgsl"

override M = BATCH * HEIGHT * WIDTH;
override K = CHANNELS;

override ROWS = M;
override COLUMNS = K;
override TERMS = KERNEL_HEIGHT * KERNEL_WIDTH * OUT_CHANNELS;
override WORDS = (K + 31u) / 32u; // of a pixel
const CHUNKS = 1u;

@group(0) @binding(0) var<storage, read> g: array<vec4f>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read> gate: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS], 1 = passes
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

//!include "lib/epilogue/store_gated.wgsl"

fn reals_at(row: u32, term: u32) -> vec4f {
  let line = row / WIDTH;
  let tap = term / OUT_CHANNELS;
  let y = output_row(line % HEIGHT, tap / KERNEL_WIDTH);
  let x = output_column(row % WIDTH, tap % KERNEL_WIDTH);
  if (y >= OUT_HEIGHT || x >= OUT_WIDTH) {
    return vec4f();
  }
  let pixel = (line / HEIGHT * OUT_HEIGHT + y) * OUT_WIDTH + x;
  return g[(pixel * OUT_CHANNELS + term % OUT_CHANNELS) / 4u];
}

fn signs_at(term: u32, word: u32) -> Signs {
  let tap = term % OUT_CHANNELS * (KERNEL_HEIGHT * KERNEL_WIDTH) + term / OUT_CHANNELS;
  return Signs(w[tap * WORDS + word], ONE);
}
