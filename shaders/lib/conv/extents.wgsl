// The geometry of a two-dimensional convolution: activations NHWC, filters OHWI (the last axis of a filter is the
// channels of one group), padding counted in pixels at the top and the left.
//!gives BATCH, CHANNELS, DILATION_X, DILATION_Y, GROUPS, HEIGHT, input_column, input_row, KERNEL_HEIGHT, KERNEL_WIDTH
//!gives OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, output_column, output_row, PAD_LEFT, PAD_TOP, PAD_VALUE, STRIDE_X
//!gives STRIDE_Y, WIDTH
override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override OUT_CHANNELS: u32;
override KERNEL_HEIGHT: u32;
override KERNEL_WIDTH: u32;
override STRIDE_Y: u32;
override STRIDE_X: u32;
override DILATION_Y: u32;
override DILATION_X: u32;
override PAD_TOP: u32;
override PAD_LEFT: u32;
override GROUPS: u32;
override PAD_VALUE: i32; // what taps outside the image read: -1, 0 or +1

// The row of the input that a tap of an output row reads. Rows above the image wrap around, so that one comparison
// with HEIGHT finds the taps outside on either side.
fn input_row(out_y: u32, tap_y: u32) -> u32 {
  return out_y * STRIDE_Y + tap_y * DILATION_Y - PAD_TOP;
}

fn input_column(out_x: u32, tap_x: u32) -> u32 {
  return out_x * STRIDE_X + tap_x * DILATION_X - PAD_LEFT;
}

// The reverse: the row of the output in which a tap reads row y; OUT_HEIGHT or more where there is none.
fn output_row(y: u32, tap_y: u32) -> u32 {
  let offset = y + PAD_TOP - tap_y * DILATION_Y;
  if (STRIDE_Y == 1u) {
    return offset; // division is slow where there are no instructions for it
  }
  return select(OUT_HEIGHT, offset / STRIDE_Y, offset % STRIDE_Y == 0u);
}

fn output_column(x: u32, tap_x: u32) -> u32 {
  let offset = x + PAD_LEFT - tap_x * DILATION_X;
  if (STRIDE_X == 1u) {
    return offset;
  }
  return select(OUT_WIDTH, offset / STRIDE_X, offset % STRIDE_X == 0u);
}
