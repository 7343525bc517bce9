// Central moments of the weights of one part of a filter, and how those of two parts become those of both: no sum is
// ever taken about a far-off point, so that spreads much smaller than the mean, and outliers, cost no digits.
struct Moments {
  count: f32, // finite weights
  mean: f32,
  m2: f32, // sums of the powers of w - mean
  m3: f32,
  m4: f32,
  size_mean: f32, // of |w|
  size_m2: f32,
}

// Pebay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments"
// (SAND2008-6212), equations 1.1 to 1.6, with the counts as shares p and q of the whole.
fn merge(a: Moments, b: Moments) -> Moments {
  let count = a.count + b.count;
  if (b.count == 0.0 || a.count == 0.0) {
    if (a.count == 0.0) {
      return b;
    }
    return a;
  }
  let p = a.count / count;
  let q = b.count / count;
  let delta = b.mean - a.mean;
  let square = delta * delta;
  let size_delta = b.size_mean - a.size_mean;
  let weight = p * b.count;
  return Moments(
    count,
    a.mean + q * delta,
    a.m2 + (b.m2 + square * weight),
    a.m3 + (b.m3 + square * delta * weight * (p - q) + 3.0 * delta * (p * b.m2 - q * a.m2)),
    a.m4 + (b.m4 + square * square * weight * (p * p - p * q + q * q)
      + 6.0 * square * (p * p * b.m2 + q * q * a.m2) + 4.0 * delta * (p * b.m3 - q * a.m3)),
    a.size_mean + q * size_delta,
    a.size_m2 + (b.size_m2 + size_delta * size_delta * weight),
  );
}

// As they lie in memory: count, mean, m2, m3 | m4, size_mean, size_m2, 0.
fn moments_of(first: vec4f, second: vec4f) -> Moments {
  return Moments(first.x, first.y, first.z, first.w, second.x, second.y, second.z);
}
