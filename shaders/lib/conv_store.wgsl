// Stores the dot products of a pixel as they are. It needs:
//   out: array<vec4u>, i32 or f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
override INTEGER: u32; // 1: out is i32; 0: out is f32

fn number(dot: vec4i) -> vec4u {
  return select(bitcast<vec4u>(vec4f(dot)), bitcast<vec4u>(dot), INTEGER == 1u);
}

fn store(pixel: u32, quad: u32, second: u32, d: vec4u, e: vec4u) {
  if (pixel >= ROWS) {
    return;
  }
  let dots = dots_of(pixel, quad, second, d, e);
  let at = pixel * (COLUMNS / 4u) + quad;
  out[at] = number(dots.left);
  if (second == 1u) {
    out[at + 1u] = number(dots.right);
  }
}
