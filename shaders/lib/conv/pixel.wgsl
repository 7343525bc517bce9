// One output pixel of a tile, flat over BATCH * OUT_HEIGHT * OUT_WIDTH. Coordinates of the input wrap around where
// they lie in the padding, so that they can be added to and compared, but not multiplied apart.
//!needs BATCH, HEIGHT, input_column, input_row, OUT_HEIGHT, OUT_WIDTH, WIDTH
//!gives is_inside, pixel_at
struct Pixel {
  row: u32, // of the input, where tap 0 lies
  column: u32,
  index: u32, // flat, over BATCH * HEIGHT * WIDTH, of tap 0
}

fn pixel_at(index: u32) -> Pixel {
  let flat = min(index, BATCH * OUT_HEIGHT * OUT_WIDTH - 1u); // a tile may reach beyond the last pixel
  let row = input_row(flat / OUT_WIDTH % OUT_HEIGHT, 0u);
  let column = input_column(flat % OUT_WIDTH, 0u);
  return Pixel(row, column, (flat / (OUT_WIDTH * OUT_HEIGHT) * HEIGHT + row) * WIDTH + column);
}

fn is_inside(pixel: Pixel, down: u32, right: u32) -> bool {
  return pixel.row + down < HEIGHT && pixel.column + right < WIDTH;
}
