// Moments and counts of PARTS parts of each filter to those of RESULTS: each result takes SPAN neighbours, in order.
//!include "lib/index.wgsl"
//!include "lib/geometry/moments.wgsl"

override FILTERS: u32;
override PARTS: u32;
override SPAN: u32;
override RESULTS: u32; // ceil(PARTS / SPAN)

@group(0) @binding(0) var<storage, read> moments: array<vec4f>; // f32 [FILTERS, PARTS, 8]
@group(0) @binding(1) var<storage, read> counts: array<vec4u>; // u32 [FILTERS, PARTS, 4]
@group(0) @binding(2) var<storage, read_write> merged_moments: array<vec4f>; // f32 [FILTERS, RESULTS, 8]
@group(0) @binding(3) var<storage, read_write> merged_counts: array<vec4u>; // u32 [FILTERS, RESULTS, 4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS * RESULTS) {
    return;
  }
  let row = index / RESULTS * PARTS;
  let first = index % RESULTS * SPAN;
  var sum = Moments();
  var count = vec4u(0u);
  for (var part = row + first; part < row + min(first + SPAN, PARTS); part++) {
    sum = merge(sum, moments_of(moments[2u * part], moments[2u * part + 1u]));
    count += counts[part];
  }
  merged_moments[2u * index] = vec4f(sum.count, sum.mean, sum.m2, sum.m3);
  merged_moments[2u * index + 1u] = vec4f(sum.m4, sum.size_mean, sum.size_m2, 0.0);
  merged_counts[index] = count;
}
