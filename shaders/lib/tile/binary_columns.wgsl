// The counters of a row's four columns, by `lib/count/*.wgsl`.
//!needs Counter, total
//!gives Columns, totals
struct Columns {
  x: Counter,
  y: Counter,
  z: Counter,
  w: Counter,
}

fn totals(c: Columns) -> vec4u {
  return vec4u(total(c.x), total(c.y), total(c.z), total(c.w));
}
