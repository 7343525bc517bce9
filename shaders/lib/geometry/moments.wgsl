// Central moments and counts of the weights of one part of a filter, and how those of two parts become those of both:
// no sum is ever taken about a far-off point, so that spreads much smaller than the mean, and outliers, cost no digits.
//
// Powers of a weight leave the range of f32 long before the weight does: all but the counts are in units of 2^exponent.
//!gives merge, Moments, moments_of, PART_WORDS, power_of_two
struct Moments {
  count: f32, // finite weights
  mean: f32,
  m2: f32, // sums of the powers of w - mean
  m3: f32,
  m4: f32,
  size_mean: f32, // of |w|
  size_m2: f32,
  tally: vec4u, // signs -1, |w| >= 1 - 1e-6, |w| < NEAR_ZERO, weights that are NaN or infinite
  exponent: i32, // -126 to 126
}

// 2^exponent, and 0 where that is no normal number; for exponents up to 126.
fn power_of_two(exponent: i32) -> f32 {
  return bitcast<f32>(u32(max(exponent + 127, 0)) << 23u);
}

// The same moments in units of 2^exponent, at least as large as those they have.
fn in_units_of(a: Moments, exponent: i32) -> Moments {
  let f = power_of_two(min(a.exponent - exponent, 0)); // a part without a weight may be in larger units
  let q = f * f;
  return Moments(
    a.count,
    a.mean * f,
    a.m2 * q,
    a.m3 * q * f,
    a.m4 * q * q,
    a.size_mean * f,
    a.size_m2 * q,
    a.tally,
    exponent,
  );
}

// Pebay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments"
// (SAND2008-6212), equations 1.1 to 1.6, with the counts as shares p and q of the whole.
fn merge(first: Moments, second: Moments) -> Moments {
  // A part without a weight has no unit of its own.
  let larger = max(first.exponent, second.exponent);
  let exponent = select(
    select(larger, first.exponent, second.count == 0.0),
    second.exponent,
    first.count == 0.0,
  );
  let a = in_units_of(first, exponent);
  let b = in_units_of(second, exponent);
  let count = a.count + b.count;
  let share = 1.0 / max(count, 1.0);
  let p = a.count * share;
  let q = b.count * share;
  // A part without a weight has the moments 0, and its mean must not pull at the other's.
  let both = a.count > 0.0 && b.count > 0.0;
  let delta = select(0.0, b.mean - a.mean, both);
  let square = delta * delta;
  let size_delta = select(0.0, b.size_mean - a.size_mean, both);
  let weight = p * b.count;
  return Moments(
    count,
    select(select(a.mean, b.mean, a.count == 0.0), a.mean + q * delta, both),
    a.m2 + (b.m2 + square * weight),
    a.m3 + (b.m3 + square * delta * weight * (p - q) + 3.0 * delta * (p * b.m2 - q * a.m2)),
    a.m4 + (b.m4 + square * square * weight * (p * p - p * q + q * q)
      + 6.0 * square * (p * p * b.m2 + q * q * a.m2) + 4.0 * delta * (p * b.m3 - q * a.m3)),
    select(select(a.size_mean, b.size_mean, a.count == 0.0), a.size_mean + q * size_delta, both),
    a.size_m2 + (b.size_m2 + size_delta * size_delta * weight),
    a.tally + b.tally,
    exponent,
  );
}

// A part as it lies in memory, 12 words: the tally, then count, mean, m2, m3, then m4, size_mean, size_m2, exponent.
const PART_WORDS = 3u; // vec4u

fn moments_of(tally: vec4u, first: vec4u, second: vec4u) -> Moments {
  let a = bitcast<vec4f>(first);
  let b = bitcast<vec4f>(second);
  return Moments(a.x, a.y, a.z, a.w, b.x, b.y, b.z, tally, bitcast<i32>(second.w));
}
