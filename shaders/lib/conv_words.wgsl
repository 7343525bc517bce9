// A binary convolution without groups as a product: rows are output pixels, columns are outputs, and the words of a row
// are those of the taps of its window. The input has its padding around it, so that every tap reads words that are there.
override PADDED: u32; // 1: the input is `conv/pad`'s copy; 0: it is as it came, and no tap leaves it

override WORDS = (CHANNELS + 31u) / 32u; // of a pixel
override PITCH = PADDED * ((OUT_WIDTH - 1u) * STRIDE_X + (KERNEL_WIDTH - 1u) * DILATION_X + 1u) + (1u - PADDED) * WIDTH;
override PADDED_HEIGHT = PADDED * ((OUT_HEIGHT - 1u) * STRIDE_Y + (KERNEL_HEIGHT - 1u) * DILATION_Y + 1u) + (1u - PADDED) * HEIGHT;

override ROWS = BATCH * OUT_HEIGHT * OUT_WIDTH;
override COLUMNS = OUT_CHANNELS;
override DEPTH = KERNEL_HEIGHT * KERNEL_WIDTH * WORDS;

fn first_word(pixel: u32) -> u32 {
  let row = pixel / (OUT_WIDTH * OUT_HEIGHT) * PADDED_HEIGHT + pixel / OUT_WIDTH % OUT_HEIGHT * STRIDE_Y;
  return (row * PITCH + pixel % OUT_WIDTH * STRIDE_X) * WORDS;
}

// A place in the words of a window.
struct Walk {
  offset: u32, // in words, from the first word of the window
  word: u32, // of the tap
  tap: u32, // of the window's row
}

// From one word to the next.
fn advance(walk: Walk) -> Walk {
  let word = walk.word + 1u;
  let tap_ends = word == WORDS;
  let tap = walk.tap + select(0u, 1u, tap_ends);
  let row_ends = tap == KERNEL_WIDTH;
  let to_tap = select(0u, (DILATION_X - 1u) * WORDS, tap_ends);
  let to_row = select(0u, (DILATION_Y * PITCH - KERNEL_WIDTH * DILATION_X) * WORDS, row_ends);
  return Walk(walk.offset + 1u + to_tap + to_row, select(word, 0u, tap_ends), select(tap, 0u, row_ends));
}
