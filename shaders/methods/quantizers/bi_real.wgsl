// 2 - 2|x| where |x| <= 1, else 0 (Liu et al. 2018, Bi-Real Net).
fn gradient(x: f32) -> f32 {
  return max(0.0, 2.0 - 2.0 * abs(x));
}
