// CHUNKS invocations share a filter; chunk k takes the lanes k, k + CHUNKS, ..., so that neighbours read neighbours.
// Every weight is read once. Sums are taken relative to the filter's first weight: a spread much smaller than the mean
// keeps its digits.
//!include "lib/index.wgsl"

override FILTERS: u32;
override LENGTH: u32; // weights of one filter
override CHUNKS: u32;

@group(0) @binding(0) var<storage, read> latent: array<Lane>; // f32 [FILTERS, LENGTH]
// f32 [FILTERS, CHUNKS, 4]: sums of w - w0, of its square, of |w| - |w0|, of its square; w0 is the filter's first weight
@group(0) @binding(1) var<storage, read_write> sums: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> counts: array<vec2u>; // [FILTERS, CHUNKS]: signs -1, |w| >= 1 - 1e-6

const SATURATED = 0.999999;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS * CHUNKS) {
    return;
  }
  let lanes = LENGTH / WIDTH;
  let first = (index / CHUNKS) * lanes;
  let origin = Lane(first_of(latent[first]));
  var value_sum = Lane(0.0);
  var value_squares = Lane(0.0);
  var size_sum = Lane(0.0);
  var size_squares = Lane(0.0);
  var negative = 0u;
  var saturated = 0u;
  for (var i = index % CHUNKS; i < lanes; i += CHUNKS) {
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
  sums[index] = vec4f(
    sum_lanes(value_sum),
    sum_lanes(value_squares),
    sum_lanes(size_sum),
    sum_lanes(size_squares),
  );
  counts[index] = vec2u(negative, saturated);
}
