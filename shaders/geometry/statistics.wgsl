// Statistics of each filter from the moments of its parts, merged in a fixed order; one invocation a filter. With a the
// mean of |w| and s its standard deviation, |w|_2^2 = count (a^2 + s^2), hence cos(w, sign w) = a / sqrt(a^2 + s^2) and
// the angle's tangent is s / a, which is good down to angle 0.
//!include "lib/index.wgsl"
//!include "lib/geometry/moments.wgsl"

override FILTERS: u32;
override CHUNKS: u32;

@group(0) @binding(0) var<storage, read> moments: array<vec4f>; // f32 [FILTERS, CHUNKS, 8]
@group(0) @binding(1) var<storage, read> counts: array<vec4u>; // u32 [FILTERS, CHUNKS, 4]
// f32 [FILTERS, 12]: |w|_1, |w|_2, cos(w, sign w), angle in degrees, mean |w|, share of signs +1, share of
// |w| >= 1 - 1e-6, standard deviation, share near zero, entropy of the signs in bits, excess kurtosis, weights that are
// NaN or infinite
@group(0) @binding(2) var<storage, read_write> statistics: array<vec4f>;

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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS) {
    return;
  }
  var sum = Moments();
  var count = vec4u(0u);
  for (var part = index * CHUNKS; part < (index + 1u) * CHUNKS; part++) {
    sum = merge(sum, moments_of(moments[2u * part], moments[2u * part + 1u]));
    count += counts[part];
  }
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
  let minus = f32(count.x) / length;
  let plus = (sum.count - f32(count.x)) / length;
  statistics[3u * index] = vec4f(scale * sum.count, root_mean_square * sqrt(sum.count), cosine, degrees);
  statistics[3u * index + 1u] = vec4f(scale, plus, f32(count.y) / length, sqrt(variance));
  statistics[3u * index + 2u] = vec4f(
    f32(count.z) / length,
    surprise(minus) + surprise(plus),
    kurtosis,
    f32(count.w),
  );
}
