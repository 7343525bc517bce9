// Activations as they are.
//!needs x
//!gives four_reals, row_scale
fn four_reals(at: u32) -> vec4f {
  return x[at];
}

fn row_scale(row: u32) -> f32 {
  return 1.0;
}
