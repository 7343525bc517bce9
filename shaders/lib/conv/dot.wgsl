// One output of a binary convolution, any geometry; groups may start inside a word. Taps outside the image read +1 or -1, or
// count nothing (PAD_VALUE). It needs lib/conv/extents.wgsl and
//   a: array<u32>, bits [BATCH, HEIGHT, WIDTH, CHANNELS]
//   w: array<u32>, bits [OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS / GROUPS]
//!needs a, CHANNELS, GROUPS, HEIGHT, input_column, input_row, KERNEL_HEIGHT, KERNEL_WIDTH, OUT_CHANNELS, OUT_HEIGHT
//!needs OUT_WIDTH, PAD_VALUE, w, WIDTH
//!gives dot_at

// 32 channels from `first` on of the pixel whose words start at `pixel`; what lies beyond the pixel is undefined.
fn channels_from(pixel: u32, first: u32, words: u32) -> u32 {
  let word = first >> 5u;
  let shift = first & 31u;
  var bits = a[pixel + word] >> shift;
  if (shift != 0u && word + 1u < words) {
    bits |= a[pixel + word + 1u] << (32u - shift);
  }
  return bits;
}

// The sum of products of signs for one output of a pixel, which counts over [BATCH, OUT_HEIGHT, OUT_WIDTH].
fn dot_at(out_pixel: u32, o: u32) -> i32 {
  let out_x = out_pixel % OUT_WIDTH;
  let out_y = out_pixel / OUT_WIDTH % OUT_HEIGHT;
  let n = out_pixel / (OUT_WIDTH * OUT_HEIGHT);

  let words = (CHANNELS + 31u) / 32u;
  let group_channels = CHANNELS / GROUPS;
  let group_words = (group_channels + 31u) / 32u;
  let first = o / (OUT_CHANNELS / GROUPS) * group_channels;
  let tail = 0xffffffffu >> (group_words * 32u - group_channels);

  var counted = 0u;
  var differing = 0u;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    let y = input_row(out_y, ky);
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      let x = input_column(out_x, kx);
      let inside = y < HEIGHT && x < WIDTH;
      if (!inside && PAD_VALUE == 0) {
        continue;
      }
      let pixel = ((n * HEIGHT + y) * WIDTH + x) * words;
      let filter_row = ((o * KERNEL_HEIGHT + ky) * KERNEL_WIDTH + kx) * group_words;
      for (var i = 0u; i < group_words; i++) {
        var bits = select(0u, 0xffffffffu, PAD_VALUE < 0);
        if (inside) {
          bits = channels_from(pixel, first + i * 32u, words);
        }
        bits &= select(0xffffffffu, tail, i + 1u == group_words);
        differing += countOneBits(bits ^ w[filter_row + i]);
      }
      counted += group_channels;
    }
  }
  return i32(counted) - 2 * i32(differing);
}
