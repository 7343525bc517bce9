// One workgroup takes one filter and reads each of its weights once. Sums are taken relative to the filter's first
// weight, so that a spread much smaller than the mean keeps its digits: with a = mean|w| and s the standard deviation
// of |w|, d * |w|_2^2 = d^2 (a^2 + s^2), hence cos = a / sqrt(a^2 + s^2) and tan = s / a, good down to angle 0.

override FILTERS: u32;
override LENGTH: u32; // weights of one filter

@group(0) @binding(0) var<storage, read> latent: array<Lane>; // f32 [FILTERS, LENGTH]
// f32 [FILTERS, 8]: |w|_1, |w|_2, cos(w, sign w), angle in degrees, |w|_1 / LENGTH, share of signs +1, share of
// |w| >= 1 - 1e-6, standard deviation
@group(0) @binding(1) var<storage, read_write> statistics: array<vec4f>;

const GROUP = 64u;
const SATURATED = 0.999999;

var<workgroup> sums: array<vec4f, GROUP>;
var<workgroup> counts: array<vec2u, GROUP>;

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

@compute @workgroup_size(GROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let filter_index = group.y * groups.x + group.x;
  if (filter_index >= FILTERS) {
    return;
  }
  let lanes = LENGTH / WIDTH;
  let first = filter_index * lanes;
  let origin = first_of(latent[first]);
  var value_sum = Lane(0.0);
  var value_squares = Lane(0.0);
  var size_sum = Lane(0.0);
  var size_squares = Lane(0.0);
  var negative = 0u;
  var saturated = 0u;
  for (var i = local; i < lanes; i += GROUP) {
    let w = latent[first + i];
    let value = w - origin;
    let size = abs(w) - abs(origin);
    value_sum += value;
    value_squares += value * value;
    size_sum += size;
    size_squares += size * size;
    negative += countOneBits(negative_lanes(w));
    saturated += countOneBits(mask_of(abs(w) >= Lane(SATURATED)));
  }
  sums[local] = vec4f(
    sum_lanes(value_sum),
    sum_lanes(value_squares),
    sum_lanes(size_sum),
    sum_lanes(size_squares),
  );
  counts[local] = vec2u(negative, saturated);
  for (var half = GROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local < half) {
      sums[local] += sums[local + half];
      counts[local] += counts[local + half];
    }
  }
  if (local != 0u) {
    return;
  }
  let length = f32(LENGTH);
  let mean = sums[0] / length; // of w - origin, its square, |w| - |origin|, its square
  let deviation = sqrt(max(mean.y - mean.x * mean.x, 0.0));
  let size_variance = max(mean.w - mean.z * mean.z, 0.0);
  let scale = abs(origin) + mean.z;
  let root_mean_square = sqrt(scale * scale + size_variance);
  var cosine = 0.0;
  var degrees = 90.0;
  if (scale > 0.0) {
    cosine = scale / root_mean_square;
    degrees = arctan(sqrt(size_variance) / scale) * 57.295779513;
  }
  statistics[2u * filter_index] = vec4f(scale * length, root_mean_square * sqrt(length), cosine, degrees);
  statistics[2u * filter_index + 1u] = vec4f(
    scale,
    f32(LENGTH - counts[0].x) / length,
    f32(counts[0].y) / length,
    deviation,
  );
}
