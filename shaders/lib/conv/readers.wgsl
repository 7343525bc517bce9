// Which output pixels read an input pixel, for the tiled input gradients. It needs g: array<vec4f>, f32 [BATCH, OUT_HEIGHT,
// OUT_WIDTH, OUT_CHANNELS].
//!needs BATCH, g, HEIGHT, OUT_HEIGHT, OUT_WIDTH, output_column, output_row, WIDTH
//!gives gradient_at, NOWHERE, place_at, reader_of
struct Place {
  y: u32,
  x: u32,
  image: u32, // first output pixel of the image
}

fn place_at(index: u32) -> Place {
  let flat = min(index, BATCH * HEIGHT * WIDTH - 1u); // a tile may reach beyond the last pixel
  return Place(flat / WIDTH % HEIGHT, flat % WIDTH, flat / (WIDTH * HEIGHT) * OUT_HEIGHT * OUT_WIDTH);
}

// The output pixel in which a tap reads a place, or NOWHERE.
const NOWHERE = 0xffffffffu;
fn reader_of(place: Place, ky: u32, kx: u32) -> u32 {
  let out_y = output_row(place.y, ky);
  let out_x = output_column(place.x, kx);
  return select(NOWHERE, place.image + out_y * OUT_WIDTH + out_x, out_y < OUT_HEIGHT && out_x < OUT_WIDTH);
}

// Four outputs' gradients at a pixel; a mask of 0 makes them zero.
fn gradient_at(address: u32, mask: u32) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(g[address]) & vec4u(mask));
}
