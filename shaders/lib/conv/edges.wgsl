// Output pixels whose windows leave the image, by how they do: those of a class have the same taps outside. Rows have a
// class each near the top and near the bottom, and one together between, in which no tap is above or below; so have columns.
// It needs `lib/conv/extents.wgsl` and `lib/words/conv.wgsl`, with PADDED 1.
//!needs HEIGHT, OUT_HEIGHT, OUT_WIDTH, PAD_LEFT, PAD_TOP, PADDED_HEIGHT, PITCH, STRIDE_X, STRIDE_Y, WIDTH
//!gives ABOVE, BESIDE, edge_column, EDGE_COLUMNS, edge_row, EDGE_ROWS
override ABOVE = (PAD_TOP + STRIDE_Y - 1u) / STRIDE_Y; // rows before that class, which has this number
override BESIDE = (PAD_LEFT + STRIDE_X - 1u) / STRIDE_X;
override PADDING_BELOW = max(PADDED_HEIGHT, PAD_TOP + HEIGHT) - PAD_TOP - HEIGHT; // padding there, as far as windows reach
override PADDING_BESIDE = max(PITCH, PAD_LEFT + WIDTH) - PAD_LEFT - WIDTH;
override EDGE_ROWS = ABOVE + 1u + (PADDING_BELOW + STRIDE_Y - 1u) / STRIDE_Y;
override EDGE_COLUMNS = BESIDE + 1u + (PADDING_BESIDE + STRIDE_X - 1u) / STRIDE_X;

fn edge_row(out_y: u32) -> u32 {
  return select(max(out_y + EDGE_ROWS, ABOVE + OUT_HEIGHT) - OUT_HEIGHT, out_y, out_y < ABOVE);
}

fn edge_column(out_x: u32) -> u32 {
  return select(max(out_x + EDGE_COLUMNS, BESIDE + OUT_WIDTH) - OUT_WIDTH, out_x, out_x < BESIDE);
}
