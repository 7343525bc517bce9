// The counters of a row's four columns, by `lib/count_*.wgsl`.
//!needs Counter, total
struct Columns {
  x: Counter,
  y: Counter,
  z: Counter,
  w: Counter,
}

fn totals(c: Columns) -> vec4u {
  return vec4u(total(c.x), total(c.y), total(c.z), total(c.w));
}
