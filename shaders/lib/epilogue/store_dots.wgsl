// Stores dot products as they are. It needs, of the kernel that includes it:
//   out: array<vec4u>, i32 or f32 [ROWS, COLUMNS]
//   dots_of(row, quad, second, d, e): the dot products, from the signs that differ
//!needs COLUMNS, dots_of, out, ROWS
//!gives store
override INTEGER: u32; // 1: out is i32; 0: out is f32

fn number(dot: vec4i) -> vec4u {
  return select(bitcast<vec4u>(vec4f(dot)), bitcast<vec4u>(dot), INTEGER == 1u);
}

fn store(row: u32, quad: u32, second: u32, d: vec4u, e: vec4u) {
  if (row >= ROWS) {
    return;
  }
  let dots = dots_of(row, quad, second, d, e);
  let at = row * (COLUMNS / 4u) + quad;
  out[at] = number(dots.left);
  if (second == 1u) {
    out[at + 1u] = number(dots.right);
  }
}
