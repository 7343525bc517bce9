// The K nearest of SPAN chunks' nearest. One invocation makes a query's list of one result.
//!include "lib/index.wgsl"
//!include "lib/vector/nearest.wgsl"

override QUERIES: u32;
override CHUNKS: u32;
override RESULTS: u32; // ceil(CHUNKS / SPAN)
override K: u32;
override SPAN: u32;

@group(0) @binding(0) var<storage, read> best: array<vec2u>; // u32 [QUERIES, CHUNKS, K, 2]
@group(0) @binding(1) var<storage, read_write> merged: array<vec2u>; // u32 [QUERIES, RESULTS, K, 2]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= QUERIES * RESULTS) {
    return;
  }
  let query = index / RESULTS;
  let first = (index % RESULTS) * SPAN;
  for (var chunk = first; chunk < min(CHUNKS, first + SPAN); chunk++) {
    // A list is in order: what follows one that is too far is no nearer.
    for (var i = 0u; i < K; i++) {
      let candidate = best[(query * CHUNKS + chunk) * K + i];
      if (candidate.y == 0xffffffffu || !is_near(candidate.x)) {
        break;
      }
      offer(candidate.x, candidate.y);
    }
  }
  for (var i = 0u; i < K; i++) {
    let is_found = i < nearest_count;
    merged[index * K + i] = select(vec2u(0xffffffffu), vec2u(nearest_distances[i], nearest_places[i]), is_found);
  }
}
