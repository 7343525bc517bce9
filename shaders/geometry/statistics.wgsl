// Statistics of each filter from its parts, merged in a fixed order; one invocation a filter.
//!include "lib/index.wgsl"
//!include "lib/geometry/moments.wgsl"
//!include "lib/geometry/columns.wgsl"

override FILTERS: u32;
override PARTS: u32;

@group(0) @binding(0) var<storage, read> parts: array<vec4u>; // u32 [FILTERS, PARTS, 12]
@group(0) @binding(1) var<storage, read_write> statistics: array<vec4f>; // f32 [FILTERS, 12]: see Columns

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS) {
    return;
  }
  var sum = Moments();
  for (var part = index * PARTS; part < (index + 1u) * PARTS; part++) {
    let at = part * PART_WORDS;
    sum = merge(sum, moments_of(parts[at], parts[at + 1u], parts[at + 2u]));
  }
  let columns = columns_of(sum);
  statistics[3u * index] = columns.first;
  statistics[3u * index + 1u] = columns.second;
  statistics[3u * index + 2u] = columns.third;
}
