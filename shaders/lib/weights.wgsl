// Four words at `index` of the filters' rows; zeros beyond the last row, so that nothing differs there.
fn weights_at(row: u32, index: u32) -> vec4u {
  return select(vec4u(), w[index], row < DEPTH);
}
