// Binary convolution of each channel with one filter of its own: a word of 32 channels is 32 convolutions side by side. The
// signs that differ are counted in all 32 positions at once, in numbers that lie across words: the n-th word holds the n-th
// bits of 32 numbers. A 3 x 3 window takes 9 XOR and about 60 logic operations for 32 channels, where one by one 32 x 9
// words of a single bit each are compared and counted. It needs lib/conv/extents.wgsl, lib/count/carry.wgsl and
//   a: array<u32>, bits [BATCH, HEIGHT, WIDTH, CHANNELS]
//   w: array<u32>, words [KERNEL_HEIGHT * KERNEL_WIDTH, WORDS] of `conv/depthwise_words`; at most 63 taps
//!needs a, add_bits, CHANNELS, HEIGHT, input_column, input_row, KERNEL_HEIGHT, KERNEL_WIDTH, OUT_HEIGHT, OUT_WIDTH
//!needs PAD_VALUE, w, WIDTH
//!gives count_differing, place_of, TAPS, taps_counted, WORDS

override WORDS = (CHANNELS + 31u) / 32u; // of a pixel
override TAPS = KERNEL_HEIGHT * KERNEL_WIDTH;

// 32 numbers of six bits.
struct Counts {
  p0: u32,
  p1: u32,
  p2: u32,
  p3: u32,
  p4: u32,
  p5: u32,
}

// Where a word of outputs lies: its pixel is [image, y, x] of the output.
struct Place {
  image: u32,
  y: u32,
  x: u32,
  word: u32,
}

fn place_of(index: u32) -> Place {
  let pixel = index / WORDS;
  let line = pixel / OUT_WIDTH;
  return Place(line / OUT_HEIGHT, line % OUT_HEIGHT, pixel % OUT_WIDTH, index % WORDS);
}

// The channels whose sign at a tap differs from the filter's; none where the tap counts nothing.
fn differing(place: Place, y: u32, ky: u32, kx: u32) -> u32 {
  if (kx >= KERNEL_WIDTH) {
    return 0u;
  }
  let x = input_column(place.x, kx);
  let inside = y < HEIGHT && x < WIDTH;
  if (!inside && PAD_VALUE == 0) {
    return 0u;
  }
  var signs = select(0u, 0xffffffffu, PAD_VALUE < 0);
  if (inside) {
    signs = a[((place.image * HEIGHT + y) * WIDTH + x) * WORDS + place.word];
  }
  return signs ^ w[(ky * KERNEL_WIDTH + kx) * WORDS + place.word];
}

// How many signs differ, by channel. What the tail bits of a pixel's last word count means nothing.
fn count_differing(place: Place) -> Counts {
  var p0 = 0u;
  var p1 = 0u;
  var p2 = 0u;
  var p3 = 0u;
  var p4 = 0u;
  var p5 = 0u;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    let y = input_row(place.y, ky);
    for (var kx = 0u; kx < KERNEL_WIDTH; kx += 3u) {
      let taps = add_bits(
        differing(place, y, ky, kx),
        differing(place, y, ky, kx + 1u),
        differing(place, y, ky, kx + 2u),
      );
      let twos = add_bits(p1, taps.carry, p0 & taps.sum);
      p0 ^= taps.sum;
      p1 = twos.sum;
      let eights = p2 & twos.carry;
      p2 ^= twos.carry;
      let sixteens = p3 & eights;
      p3 ^= eights;
      p5 ^= p4 & sixteens;
      p4 ^= sixteens;
    }
  }
  return Counts(p0, p1, p2, p3, p4, p5);
}

// How many taps count.
fn taps_counted(place: Place) -> u32 {
  if (PAD_VALUE != 0) {
    return TAPS;
  }
  var rows = 0u;
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    rows += select(0u, 1u, input_row(place.y, ky) < HEIGHT);
  }
  var columns = 0u;
  for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
    columns += select(0u, 1u, input_column(place.x, kx) < WIDTH);
  }
  return rows * columns;
}
