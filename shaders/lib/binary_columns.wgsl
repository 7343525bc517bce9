// The counters of a row's four columns, by `lib/count_*.wgsl`.
struct Columns {
  x: Counter,
  y: Counter,
  z: Counter,
  w: Counter,
}

fn totals(c: Columns) -> vec4u {
  return vec4u(total(c.x), total(c.y), total(c.z), total(c.w));
}

// Four words at `index` of the filters' rows; zeros beyond the last row, so that nothing differs there.
fn weights_at(row: u32, index: u32) -> vec4u {
  return select(vec4u(), w[index], row < DEPTH);
}
