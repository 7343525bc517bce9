// b (2 - z tanh(z / 2)) / (1 + cosh(z)) with b = BETA, z = b x (Darabi et al. 2018, BNN+).
override BETA: f32; // positive

fn gradient(x: f32) -> f32 {
  // The formula is even in z. In e = exp(-|z|) it neither overflows nor cancels: tanh(|z| / 2) = (1 - e) / (1 + e) and
  // 1 / (1 + cosh(z)) = 2e / (1 + e)^2. Beyond 80 the result is 0 to f32.
  let z = min(80.0, abs(BETA * x));
  let e = exp(-z);
  return BETA * (2.0 - z * (1.0 - e) / (1.0 + e)) * 2.0 * e / ((1.0 + e) * (1.0 + e));
}
