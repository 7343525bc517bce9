// Statistics of each filter from the sums of `geometry/sums`, added up in a fixed order; one invocation a filter. With a
// the mean of |w| and s its standard deviation, |w|_2^2 = LENGTH (a^2 + s^2), hence cos(w, sign w) = a / sqrt(a^2 + s^2)
// and the angle's tangent is s / a, which is good down to angle 0.

override FILTERS: u32;
override LENGTH: u32; // weights of one filter
override CHUNKS: u32;

@group(0) @binding(0) var<storage, read> latent: array<f32>; // [FILTERS, LENGTH]; the first of each filter is read
@group(0) @binding(1) var<storage, read> sums: array<vec4f>; // [FILTERS, CHUNKS]
@group(0) @binding(2) var<storage, read> counts: array<vec2u>; // [FILTERS, CHUNKS]
// f32 [FILTERS, 8]: |w|_1, |w|_2, cos(w, sign w), angle in degrees, |w|_1 / LENGTH, share of signs +1, share of
// |w| >= 1 - 1e-6, standard deviation
@group(0) @binding(3) var<storage, read_write> statistics: array<vec4f>;

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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let index = id.x;
  if (index >= FILTERS) {
    return;
  }
  var sum = vec4f(0.0);
  var count = vec2u(0u);
  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    sum += sums[index * CHUNKS + chunk];
    count += counts[index * CHUNKS + chunk];
  }
  let length = f32(LENGTH);
  let mean = sum / length;
  let deviation = sqrt(max(mean.y - mean.x * mean.x, 0.0));
  let size_deviation = sqrt(max(mean.w - mean.z * mean.z, 0.0));
  let scale = abs(latent[index * LENGTH]) + mean.z;
  let root_mean_square = sqrt(scale * scale + size_deviation * size_deviation);
  // A filter of zeros has no angle to its signs.
  var cosine = 0.0;
  var degrees = 90.0;
  if (scale > 0.0) {
    cosine = scale / root_mean_square;
    degrees = arctan(size_deviation / scale) * 57.295779513;
  }
  statistics[2u * index] = vec4f(scale * length, root_mean_square * sqrt(length), cosine, degrees);
  statistics[2u * index + 1u] = vec4f(
    scale,
    f32(LENGTH - count.x) / length,
    f32(count.y) / length,
    deviation,
  );
}
