// Angles of filters to their signs in BINS equal bins from 0 to 90 degrees, first stage: each workgroup counts SPAN
// filters. Integer atomics: the order doesn't matter. Filters without an angle (all zeros) are left out.
override FILTERS: u32;
override SPAN: u32;
override BINS: u32; // at most 1024

@group(0) @binding(0) var<storage, read> statistics: array<vec4f>; // f32 [FILTERS, 12], of `geometry/statistics`
@group(0) @binding(1) var<storage, read_write> parts: array<u32>; // [ceil(FILTERS / SPAN), BINS]

var<workgroup> bins: array<atomic<u32>, 1024>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let first = group.x * SPAN;
  for (var i = first + local; i < min(first + SPAN, FILTERS); i += 64u) {
    // x = |w|_1, w = the angle.
    let row = statistics[3u * i];
    if (row.x > 0.0) {
      atomicAdd(&bins[min(u32(row.w * (f32(BINS) / 90.0)), BINS - 1u)], 1u);
    }
  }
  workgroupBarrier();
  for (var bin = local; bin < BINS; bin += 64u) {
    parts[group.x * BINS + bin] = atomicLoad(&bins[bin]);
  }
}
