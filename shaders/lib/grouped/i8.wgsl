// Activations of a byte each as reals, which hold their sums exactly below 2^24.
//!needs x, x_scales
//!gives four_reals, row_scale
fn four_reals(at: u32) -> vec4f {
  // Each byte becomes the top one, and is shifted back with its sign.
  let tops = bitcast<vec4i>(vec4u(x[at]) * vec4u(1u << 24u, 1u << 16u, 1u << 8u, 1u));
  return vec4f(tops >> vec4u(24u));
}

fn row_scale(row: u32) -> f32 {
  return x_scales[row];
}
