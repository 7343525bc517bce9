// Finishes dot products and stores them. It needs dots_of of `lib/epilogue/conv_dots.wgsl`, finish of `lib/epilogue/real.wgsl` and
//   out: array<vec4f>, [ROWS, COLUMNS]
//!needs COLUMNS, dots_of, finish, out, ROWS
//!gives store
fn store(pixel: u32, quad: u32, second: u32, d: vec4u, e: vec4u) {
  if (pixel >= ROWS) {
    return;
  }
  let dots = dots_of(pixel, quad, second, d, e);
  let at = pixel * (COLUMNS / 4u) + quad;
  out[at] = finish(vec4f(dots.left), quad, at);
  if (second == 1u) {
    out[at + 1u] = finish(vec4f(dots.right), quad + 1u, at + 1u);
  }
}
