// 1 everywhere (Bengio et al. 2013).
fn gradient(x: f32) -> f32 {
  return 1.0;
}
