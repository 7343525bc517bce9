// The words of four columns, a quad of them, in a row of the filters; zeros beyond the last row, so that nothing differs there.
//!needs COLUMNS, DEPTH, w
//!gives weights_at
fn weights_at(row: u32, quad: u32) -> vec4u {
  return select(vec4u(), w[row * (COLUMNS / 4u) + quad], row < DEPTH);
}
