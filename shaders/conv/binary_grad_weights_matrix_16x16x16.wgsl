//!include "lib/matrix/f16_16x16x16.wgsl"
// Gradient of a binary convolution with respect to its (sign) filters, on matrix units: a row is an output channel, its
// columns are what its filter's taps read, and its terms the output pixels. No groups; CHANNELS and OUT_CHANNELS are multiples
// of 4. Where padding is zero and a gradient isn't finite, taps that read the padding become NaN.
//!include "lib/conv/extents.wgsl"
//!include "lib/tile/sign_matrix.wgsl"

override CHUNKS: u32; // slices of the sum over output pixels

override PIXELS = BATCH * OUT_HEIGHT * OUT_WIDTH;
override TAPS = KERNEL_HEIGHT * KERNEL_WIDTH;
override PIXEL_WORDS = (CHANNELS + 31u) / 32u;

override ROWS = OUT_CHANNELS;
override WORDS = TAPS * PIXEL_WORDS;
override COLUMNS = 32u * WORDS;
override TERMS = (PIXELS + 3u) / 4u * 4u;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]

fn real_at(row: u32, pixel: u32) -> f32 {
  return select(0.0, g[min(pixel, PIXELS - 1u) * OUT_CHANNELS + row], pixel < PIXELS);
}

fn reals_at(row: u32, term: u32) -> vec4f {
  return vec4f(real_at(row, term), real_at(row, term + 1u), real_at(row, term + 2u), real_at(row, term + 3u));
}

fn signs_at(term: u32, word: u32) -> Signs {
  let pixel = min(term, PIXELS - 1u);
  let line = pixel / OUT_WIDTH;
  let tap = word / PIXEL_WORDS;
  let y = input_row(line % OUT_HEIGHT, tap / KERNEL_WIDTH);
  let x = input_column(pixel % OUT_WIDTH, tap % KERNEL_WIDTH);
  if (y >= HEIGHT || x >= WIDTH) {
    return Signs(select(0u, 0xffffffffu, PAD_VALUE < 0), select(ONE, 0u, PAD_VALUE == 0));
  }
  return Signs(a[((line / OUT_HEIGHT * HEIGHT + y) * WIDTH + x) * PIXEL_WORDS + word % PIXEL_WORDS], ONE);
}

fn store(row: u32, column: u32, sums: vec4f) {
  let tap = column / (32u * PIXEL_WORDS);
  let channel = column % (32u * PIXEL_WORDS);
  if (row < OUT_CHANNELS && tap < TAPS && channel < CHANNELS) {
    out[(((slice * OUT_CHANNELS + row) * TAPS + tap) * CHANNELS + channel) / 4u] = sums;
  }
}
