// The statistics of a filter, 12 columns, from the moments of all its weights. With a the mean of |w| and s its standard
// deviation, |w|_2^2 = count (a^2 + s^2), hence cos(w, sign w) = a / sqrt(a^2 + s^2) and the angle's tangent is s / a,
// which is good down to angle 0.
//!needs Moments, power_of_two
//!gives columns_of
struct Columns {
  first: vec4f, // |w|_1, |w|_2, cos(w, sign w), angle in degrees
  second: vec4f, // mean |w|, share of signs +1, share of |w| >= 1 - 1e-6, standard deviation
  third: vec4f, // share near zero, entropy of the signs in bits, excess kurtosis, weights that are NaN or infinite
}

// Arc tangent of x >= 0 to 2e-8 (Abramowitz & Stegun 4.4.49); WGSL's own may be off by 4,096 roundings.
fn arctan(x: f32) -> f32 {
  let inverted = x > 1.0;
  let t = select(x, 1.0 / max(x, 1.0), inverted);
  let q = t * t;
  var p = 0.0028662257;
  p = p * q - 0.0161657367;
  p = p * q + 0.0429096138;
  p = p * q - 0.0752896400;
  p = p * q + 0.1065626393;
  p = p * q - 0.1420889944;
  p = p * q + 0.1999355085;
  p = p * q - 0.3333314528;
  p = t * (p * q + 1.0);
  return select(p, 1.5707963268 - p, inverted);
}

// -p log2 p, without the logarithm of 0.
fn surprise(p: f32) -> f32 {
  return select(0.0, -p * log2(max(p, 0x1p-126)), p > 0.0);
}

fn columns_of(sum: Moments) -> Columns {
  let length = max(sum.count, 1.0); // a filter may hold nothing finite
  let variance = sum.m2 / length;
  let size_deviation = sqrt(sum.size_m2 / length);
  let scale = sum.size_mean;
  let root_mean_square = sqrt(scale * scale + size_deviation * size_deviation);
  // A filter of zeros has no angle to its signs.
  var cosine = 0.0;
  var degrees = 90.0;
  if (scale > 0.0) {
    cosine = scale / root_mean_square;
    degrees = arctan(size_deviation / scale) * 57.295779513;
  }
  var kurtosis = 0.0;
  if (variance > 0.0) {
    kurtosis = (sum.m4 / length) / variance / variance - 3.0;
  }
  let unit = power_of_two(sum.exponent);
  let tally = vec4f(sum.tally);
  let minus = tally.x / length;
  let plus = (sum.count - tally.x) / length;
  return Columns(
    vec4f(scale * sum.count * unit, root_mean_square * sqrt(sum.count) * unit, cosine, degrees),
    vec4f(scale * unit, plus, tally.y / length, sqrt(variance) * unit),
    vec4f(tally.z / length, surprise(minus) + surprise(plus), kurtosis, tally.w),
  );
}
