// PARTS parts of each filter to RESULTS: each result takes SPAN neighbours, in order.
//!include "lib/index.wgsl"
//!include "lib/geometry/moments.wgsl"

override FILTERS: u32;
override PARTS: u32;
override SPAN: u32;
override RESULTS: u32; // ceil(PARTS / SPAN)

@group(0) @binding(0) var<storage, read> parts: array<vec4u>; // u32 [FILTERS, PARTS, 12]
@group(0) @binding(1) var<storage, read_write> merged: array<vec4u>; // u32 [FILTERS, RESULTS, 12]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS * RESULTS) {
    return;
  }
  let row = index / RESULTS * PARTS;
  let first = index % RESULTS * SPAN;
  var sum = Moments();
  for (var part = row + first; part < row + min(first + SPAN, PARTS); part++) {
    let at = part * PART_WORDS;
    sum = merge(sum, moments_of(parts[at], parts[at + 1u], parts[at + 2u]));
  }
  let at = index * PART_WORDS;
  merged[at] = sum.tally;
  merged[at + 1u] = bitcast<vec4u>(vec4f(sum.count, sum.mean, sum.m2, sum.m3));
  merged[at + 2u] = vec4u(bitcast<vec3u>(vec3f(sum.m4, sum.size_mean, sum.size_m2)), bitcast<u32>(sum.exponent));
}
