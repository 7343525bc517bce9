// A binary convolution without groups as a product: rows are output pixels, columns are outputs, and the words of a row
// are those of the taps of its window. The input has its padding around it, so that every tap reads words that are there.
//!needs BATCH, CHANNELS, DILATION_X, DILATION_Y, HEIGHT, KERNEL_HEIGHT, KERNEL_WIDTH, OUT_CHANNELS, OUT_HEIGHT
//!needs OUT_WIDTH, STRIDE_X, STRIDE_Y, WIDTH
//!gives advance, COLUMNS, DEPTH, first_word, PADDED, PADDED_HEIGHT, PITCH, ROWS, walk_to, window_of, WORDS
override PADDED: u32; // 1: the input is `conv/pad`'s copy; 0: it is as it came, and no tap leaves it

override WORDS = (CHANNELS + 31u) / 32u; // of a pixel
override PITCH = PADDED * ((OUT_WIDTH - 1u) * STRIDE_X + (KERNEL_WIDTH - 1u) * DILATION_X + 1u) + (1u - PADDED) * WIDTH;
override PADDED_HEIGHT = PADDED * ((OUT_HEIGHT - 1u) * STRIDE_Y + (KERNEL_HEIGHT - 1u) * DILATION_Y + 1u) + (1u - PADDED) * HEIGHT;

override ROWS = BATCH * OUT_HEIGHT * OUT_WIDTH;
override COLUMNS = OUT_CHANNELS;
override DEPTH = KERNEL_HEIGHT * KERNEL_WIDTH * WORDS;

// Of an output pixel. Divisions take software adapters long: two at most, and one where there is one image.
struct Window {
  image: u32,
  y: u32,
  x: u32,
}

fn window_of(pixel: u32) -> Window {
  let line = pixel / OUT_WIDTH;
  let x = pixel - line * OUT_WIDTH;
  if (BATCH == 1u) {
    return Window(0u, line, x);
  }
  let image = line / OUT_HEIGHT;
  return Window(image, line - image * OUT_HEIGHT, x);
}

fn first_word(pixel: u32) -> u32 {
  let window = window_of(pixel);
  return ((window.image * PADDED_HEIGHT + window.y * STRIDE_Y) * PITCH + window.x * STRIDE_X) * WORDS;
}

// A place in the words of a window, which are runs of neighbours: a row's taps, or one tap where they lie apart.
struct Walk {
  offset: u32, // from the first word of the window
  word: u32, // of the run
  run: u32,
}

fn place(run: u32, word: u32) -> Walk {
  if (DILATION_X == 1u) {
    return Walk(run * (DILATION_Y * PITCH * WORDS) + word, word, run);
  }
  let tap = run / KERNEL_WIDTH * DILATION_Y * PITCH + run % KERNEL_WIDTH * DILATION_X;
  return Walk(tap * WORDS + word, word, run);
}

fn run_length() -> u32 {
  return select(WORDS, KERNEL_WIDTH * WORDS, DILATION_X == 1u);
}

// The place of a word, counted through the whole window.
fn walk_to(index: u32) -> Walk {
  return place(index / run_length(), index % run_length());
}

// `step` words on.
fn advance(walk: Walk, step: u32) -> Walk {
  let word = walk.word + step;
  if (run_length() < step) {
    return walk_to(walk.run * run_length() + word);
  }
  let ends = word >= run_length();
  return place(walk.run + select(0u, 1u, ends), word - select(0u, run_length(), ends));
}
